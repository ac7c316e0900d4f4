"""The course: lessons/ is the one source; notebooks, solved notebooks, the glossary and the site are made from it."""

from simulator.course.build import LESSONS, NOTEBOOKS, ROOT, build, lessons, stale
from simulator.course.learner import open_notebooks, reset, start
from simulator.course.run import check_notebooks
from simulator.course.site import build_site

__all__ = [
    "LESSONS",
    "NOTEBOOKS",
    "ROOT",
    "build",
    "build_site",
    "check_notebooks",
    "lessons",
    "open_notebooks",
    "reset",
    "stale",
    "start",
]
