"""READY STORIES: one file each, with a plan, a seed and what to expect."""

from __future__ import annotations

from importlib import import_module

from simulator.errors import UsageError
from simulator.scenarios.scenario import Scenario

FILES = ("first_letter", "two_mx_hosts", "unknown_user", "no_starttls", "server_away", "stripped")
"""In the order in which to read them."""


def scenarios() -> dict[str, Scenario]:
    """Return all stories by name."""
    found = [import_module(f"simulator.scenarios.{file}").SCENARIO for file in FILES]
    return {scenario.name: scenario for scenario in found}


def scenario(name: str) -> Scenario:
    """Return one story. Raises UsageError, which lists them."""
    known = scenarios()
    if name not in known:
        raise UsageError(f"There is no scenario {name!r}; there are {', '.join(known)}.")
    return known[name]
