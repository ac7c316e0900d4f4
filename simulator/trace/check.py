"""Is this value what a type says? For files that anybody may have changed."""

from __future__ import annotations

import math
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

LARGEST = 2**53
"""Whole numbers up to here are the same in every program that reads JSON (RFC 8259 section 6)."""


class NotThis(Exception):
    """A value that is not what it should be; the text says why."""


def checked(hint: Any, value: Any, what: str) -> Any:
    """Return a JSON value as the Python value that `hint` describes. Raises NotThis, naming `what`."""
    try:
        return _convert(hint, value)
    except (TypeError, ValueError, OverflowError):
        raise NotThis(f"{what} is not what it should be") from None


def _convert(hint: Any, value: Any) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and NoneType in parts:
            return None
        return _convert(next(part for part in parts if part is not NoneType), value)
    if origin is Literal:
        if not isinstance(value, str) or value not in parts:
            raise ValueError(value)
        return value
    if origin in (tuple, list):
        if not isinstance(value, list):
            raise TypeError(value)
        if origin is list or parts[-1] is Ellipsis:
            return origin(_convert(parts[0], item) for item in value)
        return tuple(_convert(part, item) for part, item in zip(parts, value, strict=True))
    if hint is float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(value)
        return float(value)
    if type(value) is not hint or (hint is int and not 0 <= value <= LARGEST):
        raise TypeError(value)
    return value
