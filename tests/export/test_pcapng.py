"""Captures without any other program: blocks are well formed, and the payloads are the octets of the wire."""

import struct
from collections import defaultdict
from ipaddress import ip_address

import pytest

from simulator import Internet, default_plan, many_organisations
from simulator.export.frames import ACK, FIN, RST, SYN, checksum16
from simulator.export.pcapng import key_log, packets, pcapng

ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example"}


def blocks(octets):
    """Yield (type, body) of all blocks; both lengths must agree."""
    at = 0
    while at < len(octets):
        kind, length = struct.unpack_from("<II", octets, at)
        assert length % 4 == 0
        assert struct.unpack_from("<I", octets, at + length - 4)[0] == length
        yield kind, octets[at + 8 : at + length - 4]
        at += length


def parsed(packet):
    """Return (source, target, protocol, flags, sequence number, data) of a packet."""
    octets = packet.octets
    if octets[0] >> 4 == 4:
        assert checksum16(octets[:20]) == 0
        source, target, protocol, rest = ip_address(octets[12:16]), ip_address(octets[16:20]), octets[9], octets[20:]
    else:
        source, target, protocol, rest = ip_address(octets[8:24]), ip_address(octets[24:40]), octets[6], octets[40:]
    ports = struct.unpack_from("!HH", rest)
    ends = (str(source), ports[0]), (str(target), ports[1])
    if protocol == 17:
        return *ends, protocol, 0, 0, rest[8:]
    return *ends, protocol, rest[13], struct.unpack_from("!I", rest, 4)[0], rest[(rest[12] >> 4) * 4 :]


def payloads(trace):
    """Put the data of all packets together, per direction, with the sequence numbers checked."""
    found, expected = defaultdict(bytes), {}
    for packet in packets(trace):
        source, target, protocol, flags, seq, data = parsed(packet)
        key = source, target
        if protocol == 6:
            if flags & SYN:
                expected[key] = seq
            assert seq == expected[key], "a gap or a repetition"
            expected[key] = (seq + len(data) + bool(flags & (SYN | FIN))) % 2**32
        found[key] += data
    return found


@pytest.mark.parametrize("medium", ["memory", "loopback"])
@pytest.mark.parametrize(("mode", "version"), [("implicit", None), ("starttls", "1.2"), ("cleartext", None)])
def test_the_data_is_what_was_on_the_wire(medium, mode, version):
    with Internet(medium=medium) as net:
        trace = net.send("word " * 20_000, mode=mode, tls_version=version, **ENVELOPE).trace
    found = payloads(trace)
    for log in trace.connections.values():
        client, server = (log.client_address, log.client_port), (log.server_address, log.server_port)
        assert found[client, server] == log.stream("wire.c2s.sent").octets
        assert found[server, client] == log.stream("wire.s2c.sent").octets
    times = [packet.at_s for packet in packets(trace)]
    assert times == sorted(times)


def test_blocks_and_keys():
    with Internet(medium="memory") as net:
        trace = net.send("x", mode="implicit", **ENVELOPE).trace
    with_keys, without = [dict(blocks(pcapng(trace, keys=keys))) for keys in (True, False)]
    assert {0x0A0D0D0A, 1, 4, 6, 10} == set(with_keys)
    assert 10 not in without
    assert with_keys[10][8:].rstrip(b"\0").decode() == key_log(trace)
    assert "TRAFFIC_SECRET" in key_log(trace)
    assert b"mail.alice.example\0" in with_keys[4]
    assert b"synthetic" in with_keys[0x0A0D0D0A]


def flags_of(trace, port):
    return [parsed(packet)[3] for packet in packets(trace) if port in (parsed(packet)[0][1], parsed(packet)[1][1])]


def test_refused_and_silent_hosts():
    with Internet(medium="memory") as net:
        refused = net.connect("mx.bob.example", 587).trace
        net.switch_off("mx.bob.example")
        silent = net.send("x", **ENVELOPE).trace
    assert flags_of(refused, 587) == [SYN, RST | ACK]
    assert set(flags_of(silent, 25)) == {SYN}


def test_an_orderly_end_has_two_fins():
    with Internet(medium="memory") as net:
        trace = net.send("x", mode="implicit", **ENVELOPE).trace
    assert [flags for flags in flags_of(trace, 465) if flags & FIN] == [FIN | ACK, FIN | ACK]
    assert not [flags for flags in flags_of(trace, 465) if flags & RST]


def test_ipv6_hosts():
    with Internet(medium="memory", plan=many_organisations(2)) as net:
        trace = net.send("x", sender="user@org1.example", to="user@org2.example").trace
    found = payloads(trace)
    assert any(":" in source[0] for source, _ in found)


def test_export_endings(tmp_path):
    with Internet(medium="memory", plan=default_plan()) as net:
        journey = net.send("x", **ENVELOPE)
    assert journey.export(tmp_path / "j.pcapng").read_bytes() == pcapng(journey.trace)
    assert journey.export(tmp_path / "bare.pcapng", keys=False).read_bytes() == pcapng(journey.trace, keys=False)
    assert journey.export(tmp_path / "j.keys").read_text() == key_log(journey.trace)
    assert key_log(journey.load(journey.save(tmp_path / "j.jsonl")).trace) == key_log(journey.trace)
    assert key_log(journey.load(journey.save(tmp_path / "s.jsonl", share=True)).trace) == ""
