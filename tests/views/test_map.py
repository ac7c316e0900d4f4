"""The map: positions before pictures."""

import itertools

import pytest

from simulator import Internet, UsageError
from simulator.trace.trace import Trace
from simulator.views import place
from simulator.views.network_map import alt_text, draw_map, kind

LETTER = {"letter": "x", "sender": "alice@alice.example", "to": "bob@bob.example"}


@pytest.fixture(scope="module")
def traces():
    with Internet(medium="memory") as net:
        return {
            "default": net.send(**LETTER).trace,
            "cleartext": net.send(**LETTER, mode="cleartext").trace,
            "unknown domain": net.send("x", sender="alice@alice.example", to="bob@nowhere.example").trace,
        }


def test_lines_are_numbered_in_the_order_of_first_contact(traces):
    drawn = place.lines(traces["default"])
    assert [line.place for line in drawn] == list(range(1, len(drawn) + 1))
    assert (drawn[0].port, drawn[0].protection, kind(drawn[0])) == (465, "implicit TLS", "protected")
    assert {line.port for line in drawn[1:-1]} == {53}
    assert (drawn[-1].port, drawn[-1].protection) == (25, "STARTTLS")


def test_sender_stands_left_recipient_right_name_servers_between(traces):
    names = [territory.name for territory in place.territories(traces["default"])]
    assert names == ["alice.example", place.NAME_SERVERS, "bob.example"]
    xs = [territory.x for territory in place.territories(traces["default"])]
    assert xs == sorted(xs)


@pytest.mark.parametrize("name", ["default", "cleartext", "unknown domain"])
def test_everything_is_inside_and_nothing_overlaps(traces, name):
    trace = traces[name]
    hosts, labels = place.place_hosts(trace), place.place_labels(trace)
    for x, y in [*hosts.values(), *labels.values()]:
        assert 0 < x < place.WIDTH
        assert 0 < y < place.HEIGHT
    for (x0, y0), (x1, y1) in itertools.combinations(labels.values(), 2):
        assert abs(x0 - x1) > 14 or abs(y0 - y1) > 5, "two labels overlap"
    for x0, y0 in labels.values():
        assert all(abs(x0 - x1) > 8 or abs(y0 - y1) > 6 for x1, y1 in hosts.values()), "a label hides a host"


def test_what_is_readable_is_said_in_words_not_only_in_colour(traces):
    assert "submission 587 readable" in alt_text(traces["cleartext"])
    assert "submissions 465 implicit TLS" in alt_text(traces["default"])
    styles = {kind(line) for line in place.lines(traces["cleartext"])}
    assert styles == {"readable", "dns", "protected"}


def test_roles_come_from_what_happened(traces):
    drawn = place.lines(traces["default"])
    assert place.role_of("laptop.alice.example", drawn) == "mail program"
    assert place.role_of("mail.alice.example", drawn) == "submission server"
    assert place.role_of("mx.bob.example", drawn) == "mail exchanger"
    assert place.role_of("ns.bob.example", drawn) == "name server"


def test_picture_shows_every_host_and_label(traces):
    figure = draw_map(traces["default"])
    words = {text.get_text() for text in figure.axes[0].texts}
    assert set(place.place_hosts(traces["default"])) <= words
    assert {line.label for line in place.lines(traces["default"])} <= words
    octets, metadata = figure._repr_png_()
    assert octets.startswith(b"\x89PNG")
    assert metadata["alt"] == repr(figure) == alt_text(traces["default"])


def test_an_empty_trace_cannot_be_drawn():
    with pytest.raises(UsageError, match="nothing to draw"):
        draw_map(Trace({}, [], []))
