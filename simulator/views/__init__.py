"""LOOKING: pictures and text drawn from a trace, live or loaded. Nothing here knows the live half."""
