"""Properties are judged by what is true, not by how fast this machine is at the moment."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
