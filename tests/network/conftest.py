"""Every test with `net` runs on both media, leaves no descriptor behind, and must not make the loop complain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.wires import MEDIA, SmallNet, nothing_left


@pytest.fixture(params=MEDIA)
def net(request: pytest.FixtureRequest) -> Iterator[SmallNet]:
    with nothing_left():
        small = SmallNet(request.param)
        yield small
        small.loop.finish()
        assert small.complaints == []
