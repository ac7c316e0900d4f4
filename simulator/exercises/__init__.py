"""CHECKING: what must be true of a trace."""
