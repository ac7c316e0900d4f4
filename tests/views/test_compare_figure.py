"""The comparison: numbers are counted, cells are searched for, and nothing stands on top of anything else."""

import pytest

from simulator import Internet, UsageError, compare
from simulator.network.attackers import StripStartTls
from simulator.protocol.round_trips import round_trips
from simulator.views.compare_figure import alt_text, compare_figure, lane
from simulator.views.hops import hops
from simulator.views.leaks import leaks


@pytest.fixture(scope="module")
def three():
    return compare(latency_s=0.035)


@pytest.fixture(scope="module")
def older():
    return compare(latency_s=0.035, tls_version="1.2", pipelining=False)


@pytest.mark.parametrize("which", ["three", "older"])
def test_counts_are_those_of_the_trace_and_of_the_arrows(which, request):
    for name, trace in request.getfixturevalue(which).traces.items():
        each = lane(name, trace)
        number = hops(trace)[0].log.number
        assert each.until_mail == round_trips(trace, number, "MAIL")
        assert each.until_250 == round_trips(trace, number, "250") == each.arrows[-1].to_rt
        mail = next(arrow for arrow in each.arrows if arrow.text.startswith("MAIL"))
        assert mail.from_rt == each.until_mail
        assert all(arrow.to_rt == arrow.from_rt + 0.5 for arrow in each.arrows)


def test_the_table_of_the_standard_stands_in_the_figure(three, older):
    assert [lane(n, t).until_mail for n, t in three.traces.items()] == [4, 7, 5]
    assert [lane(n, t).until_mail for n, t in older.traces.items()] == [4, 8, 5]
    handshakes = [lane(n, t).handshake for n, t in older.traces.items()]
    assert handshakes[0] is None
    assert [end - start for start, end in handshakes[1:]] == [2, 2]  # a full TLS 1.2 handshake (RFC 5246 section 7.3)


def test_what_a_listener_learned(three, older):
    found = {name: {leak.what: leak.seen for leak in leaks(hops(trace)[0])} for name, trace in three.traces.items()}
    assert set(found["cleartext"].values()) == {"read", "not sent"}
    assert found["cleartext"]["password"] == "read"
    starttls, implicit = found["587, STARTTLS"], found["465, implicit TLS"]
    assert [w for w, s in starttls.items() if s == "read"] == [
        "banner", "EHLO name", "what the server offers", "the word STARTTLS", "server name (SNI)", "size of it all",
    ]  # fmt: skip
    assert [w for w, s in implicit.items() if s == "read"] == ["server name (SNI)", "size of it all"]
    assert starttls["certificate"] == implicit["certificate"] == "hidden"  # TLS 1.3 (RFC 8446 section 4.4.2)
    for name in ("587, STARTTLS", "465, implicit TLS"):
        rows = {leak.what: leak.seen for leak in leaks(hops(older.traces[name])[0])}
        assert rows["certificate"] == "read"  # TLS 1.2 shows it (RFC 5246 section 7.4.2)


def test_cells_are_searches(three):
    for trace in three.traces.values():
        hop = hops(trace)[0]
        wire = hop.log.stream("wire.c2s.sent").octets + hop.log.stream("wire.s2c.sent").octets
        rows = {leak.what: leak for leak in leaks(hop)}
        assert (rows["banner"].seen == "read") == (b"220 " in wire)
        assert (rows["text"].seen == "read") == (b"three steps" in wire)
        assert rows["size of it all"].detail == f"{len(wire)} octets"


@pytest.mark.parametrize("hide", [False, True])
def test_nothing_overlaps_and_everything_is_inside(three, older, hide):
    for traces in (three.traces, older.traces, three.traces | {"587, required": older.traces["587, STARTTLS"]}):
        figure = compare_figure(traces, hide_round_trips=hide)
        figure.canvas.draw()
        width, height = figure.get_size_inches() * figure.dpi
        boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
        assert all(box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height for box in boxes)
        inner = [box.padded(-1.5) for box in boxes]  # the fonts' own air may touch
        clashes = [(i, j) for i, a in enumerate(inner) for j, b in enumerate(inner[:i]) if a.overlaps(b)]
        assert not clashes
        assert width == 1280
        assert min(text.get_fontsize() for text in figure.axes[0].texts if text.get_text()) >= 12
        longest = max(lane(name, trace).arrows[-1].to_rt for name, trace in traces.items())
        assert height == 800 if longest <= 9 else height > 800


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_axis_counts_round_trips_and_milliseconds(three):
    words = texts(compare_figure(three.traces))
    assert [word for word in words if word.endswith(" ms")] == [f"{70 * count} ms" for count in range(10)]
    assert [word for word in words if word.isdecimal() and int(word) < 10] == [str(count) for count in range(10)]
    different = {"near": compare(["cleartext"], latency_s=0.01).traces["cleartext"], **three.traces}
    assert not any(word.endswith(" ms") for word in texts(compare_figure(different)))


def test_the_first_protected_word_is_marked(three):
    for trace in three.traces.values():
        marks = [line for line in compare_figure({"": trace}).axes[0].lines if line.get_marker() == "D"]
        assert len(marks) == (0 if lane("", trace).first_protected is None else 2)  # in the column and in the legend
    assert [lane(n, t).first_protected for n, t in three.traces.items()] == [None, 5, 2.5]


def test_long_names_and_pipelined_commands_are_not_cut(three):
    four = three.traces | {"587, required and verified": three.traces["587, STARTTLS"]}
    words = texts(compare_figure(four))
    assert not any("\N{HORIZONTAL ELLIPSIS}" in word for word in words)
    assert words.count("TLS: MAIL RCPT DATA") == 3


def test_odd_names_are_text(three):
    words = texts(compare_figure({"$x^2$ \x00\udcff": three.traces["cleartext"]}))
    assert r"$x^2$ \x00\udcff" in words


def test_a_client_that_gave_up_is_shown_as_far_as_it_came():
    with Internet(medium="memory", latency_s=0.035) as net:
        net.place_box(StripStartTls(), lambda connection: connection.server_port == 587)
        trace = net.send("x", mode="starttls", sender="alice@alice.example", to="bob@bob.example").trace
    given_up = lane("attacked", trace)
    assert (given_up.until_mail, given_up.until_250) == (None, None)
    assert [arrow.text for arrow in given_up.arrows[2:]] == ["220", "EHLO", "250", "QUIT", "221"]  # told once, not twice
    assert all(arrow.to_rt == arrow.from_rt + 0.5 for arrow in given_up.arrows)
    found = {leak.what: leak.seen for leak in given_up.leaks}
    assert found["what the server offers"] == "read"  # what came out of the box was on the wire, too
    assert found["text"] == "not sent"
    assert "until MAIL: \N{EN DASH}    until 250: \N{EN DASH}" in texts(compare_figure({"a": trace, "b": trace, "c": trace}))
    assert "never round trips until MAIL" in alt_text([given_up], hide_round_trips=False)


def test_verbs_may_be_written_small():
    with Internet(medium="memory") as net:
        talk = net.connect("mail.alice.example", 587)
        talk("ehlo laptop.alice.example")
        talk("starttls")
        found = {leak.what: leak.seen for leak in leaks(hops(talk.trace)[0])}
        talk.close()
    assert found["the word STARTTLS"] == found["EHLO name"] == "read"


def test_counts_can_wait_for_a_prediction(three):
    shown = [text.get_text() for text in compare_figure(three.traces, hide_round_trips=True).axes[0].texts]
    assert "until MAIL: ?    until 250: ?" in shown
    assert not any(text in ("4", "7", "5") for text in shown)
    assert "round trips until" not in alt_text([lane(n, t) for n, t in three.traces.items()], hide_round_trips=True)


def test_too_many_or_none_are_refused(three):
    with pytest.raises(UsageError, match="One to four"):
        compare_figure({})
    with pytest.raises(UsageError, match="One to four"):
        compare_figure({str(n): next(iter(three.traces.values())) for n in range(5)})
