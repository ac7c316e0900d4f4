"""tshark, the command line of Wireshark, must agree: SMTP decrypted with the keys inside, nothing malformed."""

import subprocess

import pytest
from support.tools import need_tool

from simulator import Internet

ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example"}
MODES = [("implicit", "1.3"), ("implicit", "1.2"), ("starttls", "1.3"), ("starttls", "1.2"), ("cleartext", None)]
FAULTS = (
    "_ws.malformed || tcp.analysis.flags || tcp.checksum.status == 0 || udp.checksum.status == 0 || "
    "ip.checksum.status == 0 || dns.retransmission"
)


def tshark(file, wanted, *fields):
    command = [need_tool("tshark"), "-r", str(file), "-d", "tls.port==465,smtp", "-Y", wanted]
    for check in ("tcp", "udp", "ip"):
        command += ["-o", f"{check}.check_checksum:TRUE"]
    if fields:
        command += ["-T", "fields", *(word for field in fields for word in ("-e", field))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.interop
@pytest.mark.parametrize("medium", ["memory", "loopback"])
@pytest.mark.parametrize(("mode", "version"), MODES)
def test_smtp_is_read_with_the_keys_and_hidden_without(tmp_path, medium, mode, version):
    with Internet(medium=medium) as net:
        journey = net.send("Hello Bob " * 900, mode=mode, tls_version=version, subject="Capture", **ENVELOPE)
    whole, bare = journey.export(tmp_path / "j.pcapng"), journey.export(tmp_path / "bare.pcapng", keys=False)
    assert tshark(whole, FAULTS) == []
    commands = tshark(whole, "smtp.req.command", "tcp.dstport", "smtp.req.command")
    port = {"implicit": 465}.get(mode, 587)
    assert any(line.startswith(f"{port}\t") and "MAIL" in line for line in commands)
    assert any(line.startswith("25\t") and "MAIL" in line for line in commands)
    hidden = tshark(bare, "smtp.req.command", "tcp.dstport", "smtp.req.command")
    assert any("MAIL" in line for line in hidden) == (mode == "cleartext")
    assert len(tshark(whole, "dns.qry.type == 15", "dns.qry.name")) >= 2
    times = [float(line) for line in tshark(whole, "frame", "frame.time_relative")]
    assert times == sorted(times)
    assert tshark(whole, "frame.number == 1", "frame.time_epoch")[0].startswith("17672256")  # 2026-01-01T00:00:00Z


@pytest.mark.interop
def test_refused_silent_and_cut_connections_are_clean(tmp_path):
    with Internet(medium="memory") as net:
        net.connect("mx.bob.example", 587)
        net.switch_off("mx.bob.example")
        journey = net.send("x", **ENVELOPE)
        net.switch_on("mx.bob.example")
        net.run_until_settled()
    file = journey.export(tmp_path / "j.pcapng")
    assert tshark(file, "_ws.malformed || tcp.checksum.status == 0") == []
