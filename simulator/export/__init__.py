"""TAKING AWAY: a trace in other people's forms."""
