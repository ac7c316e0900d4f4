"""WHAT HAPPENED: events, octets and their times. Everything live writes here; everything visible reads here."""
