"""Readers, envelope, wire, timeline, custody, names and first octets: facts first, then pictures without clashes."""

import pytest

from simulator import Internet, UsageError, default_plan
from simulator.protocol.visible import readable
from simulator.views.custody import holdings, overlaps
from simulator.views.envelope import envelope_and_letter, envelope_arrows
from simulator.views.figures import FIGURES, draw, figure_and_file
from simulator.views.first_bytes import first_bytes, pair
from simulator.views.hops import hops
from simulator.views.readers import reader_table
from simulator.views.timeline import lanes, ticks
from simulator.views.wire import wire_records, wire_text

ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example"}
HOSTILE = b"From: <script>alert(1)</script> <alice@alice.example>\r\nTo: $x^2$ <bob@bob.example>\r\nSubject: \xff & \"q\" \x01\r\n\r\nQUIT now $\\frac$\r\n<b>\xe2\x80\xa8\r\n" + b"x" * 990 + b"\r\n"


def send(**options):
    with Internet(medium="memory", latency_s=0.03) as net:
        return net.send(**{"letter": "The secret text", **ENVELOPE} | options)


@pytest.fixture(scope="module")
def traces():
    made = {mode: send(mode=mode).trace for mode in ("starttls", "implicit", "cleartext")}
    made["bcc"] = send(to=["bob@bob.example", "nobody@bob.example"], bcc=["berta@bob.example"]).trace
    made["tls 1.2"] = send(mode="implicit", tls_version="1.2").trace
    made["hostile"] = send(letter=HOSTILE).trace
    with Internet(medium="memory") as net:
        net.switch_off("mx.bob.example")
        waiting = net.send("later", **ENVELOPE)
        made["deferred"] = waiting.trace
        net.run(for_s=4000)
        net.switch_on("mx.bob.example")
        net.run_until_settled()
        made["late"] = net.journey(waiting.message).trace
        for _ in range(12):
            net.send("many", **ENVELOPE)
        made["many"] = net.trace()
    with Internet(medium="memory", plan=default_plan().with_host("mx.bob.example", starttls=False)) as net:
        made["no starttls"] = net.send("The secret text", **ENVELOPE).trace
    return made


# --- readers ---------------------------------------------------------------------------------------------------------


def sights(trace):
    return {reader.name: {item: cell.sight for item, cell in reader.cells.items()} for reader in reader_table(trace)}


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_with_tls_everywhere_both_operators_still_read_the_letter(traces, mode):
    found = sights(traces[mode])
    for name in ("operator of the outgoing server", "operator of the mail exchanger", "recipient"):
        assert found[name]["text of the letter"] == "reads"
    for name in ("listener near the sender", "listener between the servers"):
        assert found[name]["text of the letter"] == found[name]["recipient in the envelope"] == "hidden"
    assert found["operator of the outgoing server"]["password"] == "reads"
    assert found["operator of the mail exchanger"]["password"] == "not there"
    assert found["recipient"]["recipient in the envelope"] == "not there"


def test_a_listener_reads_what_travels_in_clear(traces):
    assert set(sights(traces["cleartext"])["listener near the sender"].values()) == {"reads"}
    found = sights(traces["no starttls"])
    assert found["listener near the sender"]["text of the letter"] == "hidden"
    assert found["listener between the servers"]["text of the letter"] == "reads"


# --- envelope --------------------------------------------------------------------------------------------------------


def test_changing_to_moves_no_arrow_and_changing_one_recipient_moves_one():
    letter = b"From: alice@alice.example\r\nTo: %s\r\nSubject: x\r\n\r\nx\r\n"
    people = ["bob@bob.example", "berta@bob.example"]
    first = envelope_arrows(send(letter=letter % b"bob@bob.example", to=people).trace)
    assert first == envelope_arrows(send(letter=letter % b"anna@alice.example", to=people).trace)
    other = envelope_arrows(send(letter=letter % b"bob@bob.example", to=["bob@bob.example", "anna@alice.example"]).trace)
    assert len(set(first) - set(other)) == len(set(other) - set(first)) == 1


def test_blind_copies_stand_in_the_envelope_only(traces):
    found = envelope_and_letter(traces["bcc"])
    assert {slip.recipient: slip.in_letter for slip in found.slips} == {
        "bob@bob.example": True, "nobody@bob.example": True, "berta@bob.example": False,
    }  # fmt: skip
    assert {slip.recipient: slip.result for slip in found.slips}["nobody@bob.example"] == "failed"
    assert found.only_in_letter == ()


# --- wire ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["starttls", "implicit", "cleartext", "tls 1.2", "hostile"])
def test_the_records_are_all_octets_of_the_wire_in_order(traces, name):
    for hop in hops(traces[name]):
        records = wire_records(traces[name], hop.log.number)
        for direction in ("c2s", "s2c"):
            own = [record for record in records if record.direction == direction]
            assert b"".join(record.octets for record in own) == hop.log.stream(f"wire.{direction}.sent").octets
            assert [record.at_s for record in own] == sorted(record.at_s for record in own)
        assert all(record.explanation for record in records)
        assert [record.at_s for record in records] == sorted(record.at_s for record in records)


def test_what_an_outsider_can_parse_is_told(traces):
    words = wire_text(traces["implicit"], hops(traces["implicit"])[0].log.number)
    assert "ClientHello: server name mail.alice.example" in words
    assert "the certificate can be read" in wire_text(traces["tls 1.2"], hops(traces["tls 1.2"])[0].log.number)
    assert "certificate" not in words


def test_a_line_of_the_letter_is_no_command(traces):
    trace = send(letter=b"From: alice@alice.example\r\n\r\nQUIT now\r\n", mode="cleartext").trace
    line = next(r for r in wire_records(trace, hops(trace)[0].log.number) if r.text == "QUIT now")
    assert "letter" in line.explanation


# --- timeline and custody --------------------------------------------------------------------------------------------


def test_the_baton_passes_at_the_250_and_no_250_fills_a_mailbox(traces):
    found = holdings(traces["starttls"])
    assert [each.holder for each in found] == ["laptop.alice.example", "mail.alice.example", "mx.bob.example", "bob@bob.example"]
    assert [each.mailbox for each in found] == [False, False, False, True]
    assert overlaps(traces["starttls"]) == [
        ("laptop.alice.example", "mail.alice.example", pytest.approx(0.03)),
        ("mail.alice.example", "mx.bob.example", pytest.approx(0.03)),
    ]  # fmt: skip
    waiting = holdings(traces["deferred"])
    assert not any(each.mailbox for each in waiting)
    assert waiting[-1].holder == "mail.alice.example"
    assert waiting[-1].to_s is None
    assert "waits" in waiting[-1].ends


def test_every_attempt_is_on_the_time_line(traces):
    (lane,) = lanes(traces["late"])
    assert [mark.kind for mark in lane.marks] == ["written", "accepted", "deferred", "deferred", "deferred", "accepted", "delivered", "relayed"]
    assert len(lanes(traces["many"])) == 13


@pytest.mark.parametrize("span_s", [0.001, 0.5, 3, 59, 61, 3600, 86400, 5 * 86400, 400 * 86400])
def test_an_axis_has_few_round_ticks(span_s):
    found = ticks(span_s)
    assert 1 <= len(found) <= 12
    assert found[0] == 0
    assert found[-1] <= span_s


# --- first octets ----------------------------------------------------------------------------------------------------


def test_who_speaks_first():
    with Internet(medium="memory") as net:
        lines = {
            "text client on 587": net.connect("mail.alice.example", 587),
            "TLS client on 465": net.connect("mail.alice.example", 465, tls=True),
            "text client on 465": net.connect("mail.alice.example", 465, patience_s=10),
            "TLS client on 587": net.connect("mail.alice.example", 587, tls=True),
        }
        made = {name: line.trace for name, line in lines.items()}
        for line in lines.values():
            line.close()
    firsts = {name: pair(name, trace).first for name, trace in made.items()}
    assert [first.side for first in firsts["text client on 587"]][0] == "server"
    assert firsts["text client on 587"][0].octets.startswith(b"220 ")
    assert firsts["TLS client on 465"][0].side == "client"
    assert firsts["TLS client on 465"][0].octets[:2] == b"\x16\x03"
    assert all(first.after_s is None for first in firsts["text client on 465"])
    assert {first.side: first.octets[:1] for first in firsts["TLS client on 587"]} == {"client": b"\x16", "server": b"2"}
    assert "handshake fails" in pair("x", made["TLS client on 587"]).end
    clashes(first_bytes(made))
    with pytest.raises(UsageError, match="One to 6"):
        first_bytes({})


# --- pictures --------------------------------------------------------------------------------------------------------


def clashes(figure):
    """No text outside the picture, none on top of another."""
    figure.canvas.draw()
    width, height = figure.get_size_inches() * figure.dpi
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    for text, box in zip(texts, boxes, strict=True):
        assert box.x0 >= 0, text
        assert box.x1 <= width, text
        assert box.y0 >= 0, text
        assert box.y1 <= height, text
    inner = [box.padded(-1.5) for box in boxes]
    found = [(texts[i], texts[j]) for i, a in enumerate(inner) for j, b in enumerate(inner[:i]) if a.overlaps(b)]
    assert not found
    assert figure.alt_text
    assert min(text.get_fontsize() for text in texts) >= 12


@pytest.mark.parametrize("figure", [name for name in FIGURES if name not in ("map", "ladder")])
@pytest.mark.parametrize("name", ["starttls", "bcc", "tls 1.2", "hostile", "deferred", "late"])
def test_pictures_have_no_clashes(traces, figure, name):
    clashes(draw(figure, traces[name]))


def test_many_messages_on_one_time_line(traces):
    clashes(draw("timeline", traces["many"]))


@pytest.mark.parametrize(
    ("text", "figure"),
    [("ladder.png", "ladder"), ("x/readers.svg", "readers"), ("slide.png", "map"), ("names:slide.svg", "names")],
)
def test_the_file_names_the_figure(text, figure):
    assert figure_and_file(text)[0] == figure


def test_unknown_figures_and_endings_are_told(traces):
    with pytest.raises(UsageError, match="timeline"):
        draw("nothing", traces["bcc"])
    with pytest.raises(UsageError, match=r"\.svg"):
        figure_and_file("ladder.bmp")
    assert readable(b"x") == ["x"]
