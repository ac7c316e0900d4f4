"""The wire: every octet once, nothing secret readable, each line explained by where it stands."""

import random
import re
import ssl

import pytest
from support.traces import new_recorder, open_connection

from simulator import Internet, UsageError, compare
from simulator.network.attackers import CutAtTls, GarbleHandshake, StripStartTls
from simulator.protocol.tls_records import tls_records
from simulator.trace.trace import Trace
from simulator.views.hops import hops
from simulator.views.wire import wire_records, wire_text
from simulator.views.wire_figure import wire_figure, wire_pages
from simulator.views.wire_tls import certificate_names

LETTER = "Help me\n\nQUIT now\n250 pounds\n.dot\nSubject: inside\n"
ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example"}


@pytest.fixture(scope="module")
def three():
    return compare(letter=LETTER).traces


@pytest.fixture(scope="module")
def older():
    return compare(letter=LETTER, tls_version="1.2").traces


def first(trace):
    return wire_records(trace, hops(trace)[0].log.number)


def handmade(c2s, s2c=b"220 mail.alice.example ESMTP\r\n", **facts):
    """Return the wire of two strangers of whom only the octets are known, piece by piece."""
    recorder = new_recorder()
    log = open_connection(recorder, **facts)
    number = 1
    for name, pieces in (("wire.s2c.sent", [s2c]), ("wire.c2s.sent", c2s if isinstance(c2s, list) else [c2s])):
        for piece in pieces:
            log.stream(name).append(piece, number / 100, number)
            number += 100
    return Trace({}, [log], []), log.number


def assert_every_octet_once(trace, number):
    records, log = wire_records(trace, number), trace.connections[number]
    for direction in ("c2s", "s2c"):
        own = sorted((r for r in records if r.direction == direction), key=lambda r: r.start)
        assert b"".join(r.octets for r in own) == log.stream(f"wire.{direction}.sent").octets
        ends = [0, *(r.start + r.size_octets for r in own)]
        assert [r.start for r in own] == ends[:-1]
        assert [r.at_s for r in own] == sorted(r.at_s for r in own)
    assert [r.at_s for r in records] == sorted(r.at_s for r in records)
    assert all(r.explanation and r.size_octets for r in records)
    return records


def test_every_octet_of_every_connection_stands_in_one_record(three, older):
    for trace in [*three.values(), *older.values()]:
        for number in trace.connections:
            assert_every_octet_once(trace, number)


def test_in_a_letter_nothing_is_a_command(three):
    said = {record.text: record.explanation for record in first(three["cleartext"])}
    for words in ("Help me", "QUIT now", "250 pounds", "Subject: inside"):
        assert said[words].startswith("A line of the letter")
    assert "doubled" in said["..dot"]
    assert said["."].startswith("A line with only a dot ends the message")
    assert "RFC 5322" in said["Subject: Three ways"]
    assert said["QUIT"].startswith("The client has finished")
    assert "the header ends here" in next(r.explanation for r in first(three["cleartext"]) if r.octets == b"\r\n")


def test_records_and_sizes_are_those_of_the_octets(three):
    trace = three["587, STARTTLS"]
    log = hops(trace)[0].log
    for direction in ("c2s", "s2c"):
        name = f"wire.{direction}.sent"
        octets, start = log.stream(name).octets, trace.tls_offset(log, name)
        cut = [(r.start, r.end) for r in tls_records(octets, start)]
        own = [r for r in first(trace) if r.direction == direction and not r.readable]
        assert [(r.start, r.start + r.size_octets) for r in own] == cut
        assert all(r.readable and not r.encrypted for r in first(trace) if r.direction == direction and r.start < start)


def test_hellos_are_readable_and_the_rest_is_not(three, older):
    newer = [record for record in first(three["465, implicit TLS"]) if not record.encrypted]
    assert [re.split("[ :,]", r.text)[0] for r in newer] == ["ClientHello", "ServerHello"] + 2 * ["ChangeCipherSpec"]
    assert "ClientHello: server name mail.alice.example, TLSv1.3, TLSv1.2, " in newer[0].text
    assert newer[1].text.startswith("ServerHello: TLSv1.3, TLS_")
    assert all("RFC 8446" in record.explanation or record.direction == "c2s" for record in newer)
    old = {re.split("[ :,]", record.text)[0]: record for record in first(older["465, implicit TLS"])}
    assert not old["Certificate"].encrypted
    assert b"mail.alice.example" in old["Certificate"].octets
    assert old["Certificate"].text.startswith("Certificate for mail.alice.example")
    assert old["ServerHelloDone"].text == "ServerHelloDone, 9 octets"
    assert old["Finished"].encrypted
    assert not any(record.readable for record in old.values())  # no line of text
    assert old["Finished"].mark in ("~>", "<~")
    assert old["ClientHello"].mark == "->"


def test_no_secret_in_words_or_in_readable_octets(three, older):
    for traces in (three, older):
        for name in ("587, STARTTLS", "465, implicit TLS"):
            text = wire_text(traces[name], hops(traces[name])[0].log.number)
            clear = b"".join(record.octets for record in first(traces[name]) if not record.encrypted)
            for secret in ("AUTH PLAIN", "MAIL FROM", "RCPT", "Help me", "bob@"):
                assert secret not in text
                assert secret.encode() not in clear
    assert "AUTH PLAIN" in wire_text(three["cleartext"], hops(three["cleartext"])[0].log.number)


def test_the_text_has_one_line_for_each_record(three):
    trace = three["587, STARTTLS"]
    lines = wire_text(trace, hops(trace)[0].log.number).splitlines()
    assert len(lines) == len(first(trace))
    assert [line.split(" ms  ")[1] for line in lines[:2]] == [
        "<- 220 mail.alice.example ESMTP submission (simulator)", "-> EHLO laptop.alice.example",
    ]  # fmt: skip
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times)


def test_only_crlf_ends_a_line_of_a_client():
    letter = b"EHLO x.example\r\nDATA\r\nhidden\n.\nMAIL FROM:<a@alice.example>\r\n.\r\n"
    trace, number = handmade(letter, b"220 a\r\n250 b\r\n354 c\n250 d\r\n")
    texts = {record.text: record.explanation for record in assert_every_octet_once(trace, number)}
    assert texts[r"hidden\x0a.\x0aMAIL FROM:<a@alice.example>"].startswith("A line of the letter")
    assert r"354 c\x0a" in texts  # a listener is more patient with a server


def test_times_are_those_of_the_last_octet():
    trace, number = handmade([b"EH", b"LO laptop.example\r", b"\nNOOP\r\n"])
    greeting, ehlo, noop = assert_every_octet_once(trace, number)
    assert (greeting.at_s, ehlo.at_s, noop.at_s) == (0.01, 3.01, 3.01)
    assert (ehlo.text, noop.text) == ("EHLO laptop.example", "NOOP")


def test_a_tls_record_may_come_in_many_pieces(three):
    log = hops(three["465, implicit TLS"])[0].log
    c2s, s2c = log.stream("wire.c2s.sent").octets, log.stream("wire.s2c.sent").octets
    trace, number = handmade([c2s[i : i + 7] for i in range(0, len(c2s), 7)], s2c, server_port=465)
    records = assert_every_octet_once(trace, number)  # nobody told where TLS began: the octets do
    assert [(r.start, r.text) for r in records if r.direction == "c2s"] == [
        (r.start, r.text) for r in first(three["465, implicit TLS"]) if r.direction == "c2s"
    ]


@pytest.mark.parametrize("end", range(1, 60, 4))
def test_cut_anywhere(three, end):
    log = hops(three["465, implicit TLS"])[0].log
    c2s = log.stream("wire.c2s.sent").octets
    trace, number = handmade(c2s[:-end], b"", server_port=465)
    whole = tls_records(c2s[:-end])[-1].complete
    assert ("cut off" in assert_every_octet_once(trace, number)[-1].text) == (not whole)
    trace, number = handmade((b"EHLO laptop.example\r\n" * 4)[:-end])
    last = assert_every_octet_once(trace, number)[-1]
    assert ("broke off" in last.explanation) == (not last.octets.endswith(b"\r\n"))


def test_half_a_header_is_told():
    trace, number = handmade(b"EHLO x.example\r\n\x16\x03\x01\x00", b"220 a\r\n250 b\r\n")
    last = assert_every_octet_once(trace, number)[-1]
    assert last.text == "TLS record, handshake, 4 octets, cut off"
    assert "None is encrypted." in " ".join(written(wire_figure(trace, number)))


def test_what_is_no_tls_after_starttls_is_told():
    with Internet(medium="memory") as net:
        net.place_box(GarbleHandshake(), lambda connection: connection.server_port == 587)
        garbled = net.send("x", mode="starttls", **ENVELOPE).trace
    for number in garbled.connections:
        assert_every_octet_once(garbled, number)
    hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"
    trace, number = handmade(b"EHLO x.example\r\nSTARTTLS\r\n" + hello + b"no TLS $x$\r\n", b"220 a\r\n250 b\r\n220 c\r\n")
    last = assert_every_octet_once(trace, number)[-1]
    assert last.explanation.startswith("These octets are no TLS record")
    assert last.text == "no TLS $x$"
    assert last.readable
    assert not last.encrypted


@pytest.mark.parametrize("box", [CutAtTls(), StripStartTls()], ids=["cut", "stripped"])
def test_attacked_connections_are_told_as_well(box):
    with Internet(medium="memory") as net:
        net.place_box(box, lambda connection: connection.server_port == 587)
        trace = net.send("x", mode="starttls", **ENVELOPE).trace
    for number in trace.connections:
        assert_every_octet_once(trace, number)


def test_random_octets_never_fail():
    chance = random.Random(1)
    heads = [b"", b"EHLO x\r\nDATA\r\n", b"\x16\x03\x03", b"EHLO x\r\nSTARTTLS\r\n\x17\x03\x03\x00\x02", b"\x14\x03\x03\x00\x01\x01"]
    for _ in range(400):
        octets = chance.choice(heads) + bytes(chance.choices((10, 13, 46, 22, 3, 0, 1, 2, 11, 255, 65), k=chance.randrange(80)))
        back = chance.choice([b"", b"220 a\r\n250 b\r\n354 c\r\n", octets])
        trace, number = handmade(octets or b"x", back or b"\xff")
        assert_every_octet_once(trace, number)


def test_names_in_a_certificate(older):
    log = hops(older["465, implicit TLS"])[0].log
    octets = next(r.octets for r in first(older["465, implicit TLS"]) if r.text.startswith("Certificate for"))
    der = octets[5 + 4 + 3 + 3 :]
    assert ssl.DER_cert_to_PEM_cert(der)
    assert certificate_names(der)[0] == log.server_host
    for cut in range(0, len(der), 3):
        assert all(isinstance(name, str) for name in certificate_names(der[:cut]))
    assert certificate_names(b"") == ()
    long = b"\x06\x03\x55\x1d\x11\x01\x01\xff\x04\x81\x8e\x30\x81\x8b\x82\x81\x80" + b"a" * 128 + b"\x87\x01\x01\x82\x02ok"
    assert certificate_names(long) == ("a" * 128, "ok")


def test_names_of_servers_are_asked_in_clear(three):
    trace = three["cleartext"]
    asked = [number for number, log in trace.connections.items() if log.server_port == 53]
    assert asked
    for number in asked:
        assert all(r.text == f"DNS message, {r.size_octets} octets" for r in wire_records(trace, number))


def test_a_stranger_is_told_like_everybody():
    trace, number = handmade(b"EHLO x.example\r\nQUIT\r\n", b"220 a\r\n250-a\r\n250 SIZE 5\r\n221 b\r\n", foreign=True, latency_s=0.0)
    texts = [record.text for record in assert_every_octet_once(trace, number)]
    assert texts == ["220 a", "250-a", "250 SIZE 5", "221 b", "EHLO x.example", "QUIT"]


# --- the picture -----------------------------------------------------------------------------------------------------


def written(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text().strip()]


def assert_nothing_overlaps(figure):
    figure.canvas.draw()
    width, height = figure.get_size_inches() * figure.dpi
    texts = [text for text in figure.axes[0].texts if text.get_text().strip()]
    assert min(text.get_fontsize() for text in texts) >= 12
    boxes = [text.get_window_extent().padded(-1.5) for text in texts]
    assert all(box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height for box in boxes)
    clashes = [
        (texts[i].get_text(), texts[j].get_text())
        for i, a in enumerate(boxes)
        for j, b in enumerate(boxes[:i])
        if a.overlaps(b)
    ]
    assert clashes == []
    assert (width, height) == (1280, 720)


def test_the_pages_show_every_record_and_nothing_overlaps(three, older):
    for trace in (three["587, STARTTLS"], three["cleartext"], older["465, implicit TLS"]):
        pages = wire_pages(first(trace))
        assert [record for page in pages for record in page] == list(first(trace))
        for number, page in enumerate(pages, 1):
            figure = wire_figure(trace, page=number)
            assert_nothing_overlaps(figure)
            assert len(page) <= 14
            words = written(figure)
            assert words.count("readable") + words.count("encrypted") == len(page)
            assert words.count("encrypted") == sum(record.encrypted for record in page)
            assert f"page {number} of {len(pages)}" in words
            assert all(record.text in figure.alt_text for record in page)


def test_hostile_octets_are_drawn_as_text():
    line = b"EHLO $x^2$ \\frac{1}{2} \x00\x1b[31m\xff\xfe\xe2\x80\xae" + b"y" * 1000 + b"\r\n"
    trace, number = handmade(line, "220 \N{PILE OF POO} $\\alpha$ <b>\r\n".encode())
    figure = wire_figure(trace, number)
    assert_nothing_overlaps(figure)
    assert any(words.startswith(r"EHLO $x^2$ \frac{1}{2} \x00\x1b[31m\xff\xfe") for words in written(figure))
    assert "\x1b" not in figure.alt_text


def test_the_first_octets_are_shown(three):
    trace = three["465, implicit TLS"]
    words = " ".join(written(wire_figure(trace)))
    for record in wire_pages(first(trace))[0]:
        assert record.octets[:5].hex(" ") in words


def test_an_empty_wire_and_what_there_is_not(three):
    trace = three["cleartext"]
    recorder = new_recorder()
    log = open_connection(recorder)
    assert "Nothing was put on this wire." in written(wire_figure(Trace({}, [log], []), log.number))
    for wrong in ({"connection": 999}, {"page": 0}, {"page": 99}):
        with pytest.raises(UsageError, match=r"There is no connection 999|there is no page"):
            wire_figure(trace, **wrong)
    with pytest.raises(UsageError, match="no SMTP connection"):
        wire_figure(Trace({}, [], []))
    with pytest.raises(UsageError, match="no connection 999"):
        wire_text(trace, 999)


def test_a_letter_of_a_hundred_thousand_lines():
    lines = b"EHLO x\r\nMAIL FROM:<>\r\nDATA\r\n" + b"y" * 9 + b"\r\n" + b"a line of text\r\n" * 100_000 + b".\r\n"
    trace, number = handmade(lines, b"220 a\r\n250 b\r\n250 c\r\n354 d\r\n250 e\r\n")
    assert len(wire_records(trace, number)) == 100_010
