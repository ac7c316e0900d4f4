"""A small internet for learning how e-mail really travels: real servers, real TLS, real DNS, on this machine only.

from simulator import Internet

with Internet() as net:
    journey = net.send("Hello Bob", sender="alice@alice.example", to="bob@bob.example", mode="starttls")
print(journey.transcript())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.errors import InternalError, PlanError, SimulatorError, UsageError

if TYPE_CHECKING:
    from simulator.comparison import compare
    from simulator.internet.plan import Plan, default_plan, many_organisations
    from simulator.journey import Journey
    from simulator.sync import Internet
    from simulator.trace.trace import Trace

__version__ = "0.1.0"

__all__ = [
    "InternalError",
    "Internet",
    "Journey",
    "Plan",
    "PlanError",
    "SimulatorError",
    "Trace",
    "UsageError",
    "compare",
    "default_plan",
    "many_organisations",
]

_HOMES = {
    "Internet": "simulator.sync",
    "Journey": "simulator.journey",
    "Plan": "simulator.internet.plan",
    "compare": "simulator.comparison",
    "default_plan": "simulator.internet.plan",
    "many_organisations": "simulator.internet.plan",
    "Trace": "simulator.trace.trace",
}


def __getattr__(name: str) -> Any:
    """Import the names of the live half at first use, so that reading a saved trace does not start half the world."""
    if name not in _HOMES:
        raise AttributeError(f"module 'simulator' has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name and not error.name.startswith("simulator"):
            raise UsageError(missing_package(error.name)) from error
        raise


def missing_package(name: str) -> str:
    """Say what to do about a package that is not installed."""
    return f"The package {name} is missing; install what is needed with: python -m pip install -r requirements.txt"
