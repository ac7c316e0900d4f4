"""What can go wrong, in one sentence each: what was wrong and what to do.

A refusal by a mail server is *not* an error: it is data (an outcome with its reply).
"""


class SimulatorError(Exception):
    """Base of every error that the simulator raises on purpose.

    The message is one sentence for a learner; `exit_code` is what the command line returns.
    """

    exit_code = 3


class UsageError(SimulatorError):
    """The caller asked for something that cannot be done (wrong mode, wrong address, busy port ...)."""

    exit_code = 2


class PlanError(UsageError):
    """A plan, zone or saved trace does not describe what it should."""


class InternalError(SimulatorError):
    """The simulator itself broke a promise: a defect to report, never the learner's fault."""
