"""Round trips, counted from the recorded octets: a connection's price in waiting time, whatever the latency is."""

from __future__ import annotations

from simulator.errors import UsageError
from simulator.protocol.dialogue import read_connection
from simulator.trace.events import Command, MessageData, Reply
from simulator.trace.trace import Trace


def round_trips(trace: Trace, connection: int, until: str) -> int | float:
    """Count round trips from the SYN to a moment at the client's end.

    "MAIL": the command was sent; "250": the reply after the dot arrived.

    DNS is not counted. Returns an int wherever the time is a whole number of round trips.
    """
    log = trace.connections[connection]
    if log.latency_s <= 0 or log.foreign:
        raise UsageError("Round trips can only be counted on a link with a latency, between hosts of the simulator.")
    count = (_moment_s(trace, connection, until) - log.opened_s) / (2 * log.latency_s)
    return round(count) if abs(count - round(count)) < 1e-6 else count


def _moment_s(trace: Trace, connection: int, until: str) -> float:
    said = read_connection(trace, connection, "client")
    if until == "MAIL":
        for event in said:
            if isinstance(event, Command) and event.verb == "MAIL" and event.complete:
                return trace.stream(connection, event.span.stream).moment(event.span.start).at_s
    elif until == "250":
        sent = False
        for event in said:
            sent = sent or (isinstance(event, MessageData) and event.complete)
            if sent and isinstance(event, Reply):
                return event.at_s
    else:
        raise UsageError(f'Round trips are counted until "MAIL" or until "250", not until {until!r}.')
    raise UsageError(f"On this connection the moment {until!r} never came.")
