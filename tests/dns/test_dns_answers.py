"""What an authoritative server says, message by message and packet by packet."""

from __future__ import annotations

import logging

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.names import BOB_ZONE, PROVIDER_ZONE

from simulator.dns.answering import AnyZone, answer_from, reply_to
from simulator.dns.zones import Zone

ZONES: dict[str, AnyZone] = {
    "bob.example": Zone("bob.example", BOB_ZONE + """\
sub      NS ns.sub
ns.sub   A 192.0.2.54
wild.sub MX 5 x
into     CNAME a.sub
"""),
    "provider.test": Zone("provider.test", PROVIDER_ZONE)}


def ask(name: str, rdtype: str, **options: object) -> dns.message.Message:
    return answer_from(ZONES, dns.message.make_query(name, rdtype, **options))  # type: ignore[arg-type]


def lines(section: list[dns.rrset.RRset]) -> list[str]:
    return [line for rrset in section for line in rrset.to_text().splitlines()]


def test_A01_answers_carry_authority() -> None:
    reply = ask("bob.example", "MX")
    assert reply.flags & dns.flags.AA
    assert not reply.flags & dns.flags.RA
    assert lines(reply.answer) == ["bob.example. 3600 IN MX 10 mx.bob.example.",
                                   "bob.example. 3600 IN MX 20 backup.provider.test."]
    assert (reply.authority, reply.additional) == ([], [])


@pytest.mark.parametrize(("name", "rcode"), [
    ("nothing.bob.example", dns.rcode.NXDOMAIN), ("mx.bob.example", dns.rcode.NOERROR)])
def test_A01_absences_carry_the_soa_record(name: str, rcode: dns.rcode.Rcode) -> None:
    reply = ask(name, "MX")
    assert (reply.rcode(), bool(reply.flags & dns.flags.AA), reply.answer) == (rcode, True, [])
    # RFC 2308 section 3: its TTL is limited by its MINIMUM field
    assert lines(reply.authority) == [
        "bob.example. 300 IN SOA ns.bob.example. hostmaster.bob.example. 1 7200 900 1209600 300"]


def test_children_are_referred_to_without_authority() -> None:
    reply = ask("wild.sub.bob.example", "MX")  # what the parent has below the cut is not its to tell
    assert (reply.rcode(), bool(reply.flags & dns.flags.AA), reply.answer) == (dns.rcode.NOERROR, False, [])
    assert lines(reply.authority) == ["sub.bob.example. 3600 IN NS ns.sub.bob.example."]
    assert lines(reply.additional) == ["ns.sub.bob.example. 3600 IN A 192.0.2.54"]
    assert ask("sub.bob.example", "DS").flags & dns.flags.AA  # RFC 4035 section 3.1.4.1
    assert ask("bob.example", "DS").flags & dns.flags.AA


def test_aliases_are_followed_within_the_zone() -> None:
    assert lines(ask("www.bob.example", "A").answer) == ["www.bob.example. 3600 IN CNAME mx.bob.example.",
                                                        "mx.bob.example. 3600 IN A 192.0.2.25"]
    assert lines(ask("away.bob.example", "A").answer) == ["away.bob.example. 3600 IN CNAME mx.provider.test."]
    assert len(lines(ask("round.bob.example", "A").answer)) == 2
    assert lines(ask("www.bob.example", "CNAME").answer) == ["www.bob.example. 3600 IN CNAME mx.bob.example."]
    lost = ask("lost.bob.example", "A")
    assert (lost.rcode(), len(lost.answer), len(lost.authority)) == (dns.rcode.NXDOMAIN, 1, 1)
    into = ask("into.bob.example", "A")
    assert (len(into.answer), lines(into.authority)) == (1, ["sub.bob.example. 3600 IN NS ns.sub.bob.example."])


def test_what_is_not_ours_is_refused() -> None:
    assert ask("carol.example", "MX").rcode() == dns.rcode.REFUSED
    assert ask("bob.example", "MX", rdclass="CH").rcode() == dns.rcode.REFUSED
    assert ask("bob.example", "AXFR").rcode() == dns.rcode.REFUSED


def test_ANY_gets_one_set() -> None:
    assert len(ask("bob.example", "ANY").answer) == 1


def test_edns_is_answered_with_edns() -> None:
    assert ask("bob.example", "MX", use_edns=False).edns == -1
    assert ask("bob.example", "MX", use_edns=0, payload=4096).payload == 1232
    assert ask("bob.example", "MX", use_edns=1).rcode() == dns.rcode.BADVERS


def test_only_one_question_at_a_time() -> None:
    query = dns.message.make_query("bob.example", "MX")
    query.question *= 2
    assert answer_from(ZONES, query).rcode() == dns.rcode.FORMERR
    query.question = []
    assert answer_from(ZONES, query).rcode() == dns.rcode.FORMERR


# --- packets ---------------------------------------------------------------------------------------------------------

def packet(payload: int | None) -> bytes:
    edns = {"use_edns": False} if payload is None else {"use_edns": 0, "payload": payload}
    return dns.message.make_query("big.bob.example", "TXT", **edns).to_wire()


@pytest.mark.parametrize(("payload", "whole"), [(None, False), (100, False), (512, False), (1232, False), (4096, True)])
def test_N07_what_does_not_fit_into_a_datagram_is_cut(payload: int | None, whole: bool) -> None:
    octets = reply_to(ZONES, packet(payload), "udp")
    assert octets is not None
    assert len(octets) <= max(payload or 0, 512)
    reply = dns.message.from_wire(octets)
    assert bool(reply.flags & dns.flags.TC) is not whole
    assert len(reply.answer) == whole
    assert reply.edns == (-1 if payload is None else 0)
    by_tcp = reply_to(ZONES, packet(payload), "tcp")
    assert by_tcp is not None
    assert len(dns.message.from_wire(by_tcp).answer) == 1


def test_records_keep_their_order() -> None:
    addresses = [f"192.0.2.{number}" for number in range(100, 120)]
    text = "".join(f"@ 60 A {address}\n" for address in addresses)
    many: dict[str, AnyZone] = {"bob.example": Zone("bob.example", text)}
    query = dns.message.make_query("bob.example", "A").to_wire()
    for _ in range(3):
        reply = dns.message.from_wire(reply_to(many, query, "tcp") or b"")
        assert [rdata.to_text() for rdata in reply.answer[0]] == addresses


def test_other_operations_are_not_implemented() -> None:
    for opcode in (1, 2, 4, 5, 15):
        octets = bytearray(dns.message.make_query("bob.example", "MX").to_wire())
        octets[2] = opcode << 3
        reply = dns.message.from_wire(reply_to(ZONES, bytes(octets), "udp") or b"")
        assert (reply.rcode(), reply.opcode()) == (dns.rcode.NOTIMP, opcode)
        assert reply.id == int.from_bytes(octets[:2], "big")


def test_what_cannot_be_read_gets_formerr_with_its_id() -> None:
    octets = dns.message.make_query("bob.example", "MX").to_wire()[:-3]
    reply = dns.message.from_wire(reply_to(ZONES, octets, "udp") or b"")
    assert (reply.rcode(), reply.id) == (dns.rcode.FORMERR, int.from_bytes(octets[:2], "big"))
    assert reply_to(ZONES, octets[:11], "udp") is None
    assert reply_to(ZONES, octets[:2] + b"\x80" + octets[3:], "udp") is None  # a reply: never answered


def test_a_zone_that_cannot_be_read_fails_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    broken: dict[str, AnyZone] = {"bob.example": Zone("bob.example", "nonsense")}
    with caplog.at_level(logging.ERROR, "simulator.dns"):
        octets = reply_to(broken, dns.message.make_query("bob.example", "MX").to_wire(), "udp")
    assert dns.message.from_wire(octets or b"").rcode() == dns.rcode.SERVFAIL
    assert "Zone bob.example., line 1" in caplog.text


def test_a_view_changes_what_one_peer_gets() -> None:
    def view(reply: dns.message.Message) -> dns.message.Message:
        reply.answer = [dns.rrset.from_text("mx.bob.example.", 1, "IN", "A", "192.0.2.99")]
        return reply
    octets = reply_to(ZONES, dns.message.make_query("mx.bob.example", "A").to_wire(), "udp", view)
    assert lines(dns.message.from_wire(octets or b"").answer) == ["mx.bob.example. 1 IN A 192.0.2.99"]


valid = st.builds(lambda name, rdtype, ident: dns.message.make_query(name, rdtype, use_edns=0, id=ident).to_wire(),
                  st.sampled_from(("bob.example", "x.sub.bob.example", ".", "provider.test")),
                  st.sampled_from(("MX", "ANY", "DS", "TXT")), st.integers(0, 65535))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    octets = bytearray(draw(valid))
    for _ in range(draw(st.integers(0, 6))):
        octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(octets)))
    return bytes(octets[:cut] + draw(st.binary(max_size=20)) if draw(st.booleans()) else octets)


@given(st.one_of(st.binary(max_size=100), damaged()), st.sampled_from(("udp", "tcp")))
@example(b"\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01", "udp")
@settings(max_examples=400, deadline=None)
def test_no_packet_breaks_the_server(octets: bytes, transport: object) -> None:
    reply = reply_to(ZONES, octets, transport)  # type: ignore[arg-type]
    if len(octets) < 12 or octets[2] & 0x80:
        assert reply is None
        return
    assert reply is not None
    assert reply[:2] == octets[:2]
    assert dns.message.from_wire(reply).flags & dns.flags.QR
