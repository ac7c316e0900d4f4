"""`serve` that is killed, started again, started twice, and on the well-known ports."""

import contextlib
import signal
import smtplib
import socket
import ssl
import subprocess
import sys

import pytest
from support.serving import Serving, wait_for

PASSWORD = "secret-of-alice"



@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_P19_mail_accepted_before_a_kill_is_delivered_after_the_restart(tmp_path):
    state = str(tmp_path / "state")
    serving = Serving(tmp_path, "--state", state, "--latency", "150ms")
    ca = serving.facts["ca_file"]
    with contextlib.suppress(smtplib.SMTPServerDisconnected):
        client = smtplib.SMTP_SSL(
            *serving.place("submissions", "mail.alice.example"),
            context=ssl.create_default_context(cafile=ca), timeout=20,
        )  # fmt: skip
        client.login("alice@alice.example", PASSWORD)
        assert client.sendmail("alice@alice.example", ["bob@bob.example"], b"Subject: survives\r\n\r\n.x\r\n") == {}
        # The 250 is here; with 150 ms one way the relay is still asking the DNS.
        serving.process.send_signal(signal.SIGKILL)
        serving.process.wait(timeout=30)
        client.close()
    assert serving.letters() == []
    assert len(list((tmp_path / "state" / "queue").rglob("*.json"))) == 1
    serving.ready.unlink()

    again = Serving(tmp_path, "--state", state)
    try:
        wait_for(again.letters, "delivery")
        (letter,) = again.letters()
        assert b"Subject: survives\r\n" in letter.read_bytes()
        assert letter.read_bytes().endswith(b"\r\n\r\n.x\r\n")
        wait_for(lambda: not list((tmp_path / "state" / "queue").rglob("*.json")), "leaving the queue")
        # who trusted the authority of the first run still does
        context = ssl.create_default_context(cafile=ca)
        with smtplib.SMTP_SSL(*again.place("submissions", "mail.alice.example"), context=context, timeout=20) as client:
            assert client.login("alice@alice.example", PASSWORD)[0] == 235
    finally:
        assert again.stop() == 0
    assert "Traceback" not in again.log.read_text()


def start(*options):
    return subprocess.run(
        [sys.executable, "-m", "simulator", "serve", *options], capture_output=True, text=True, timeout=60
    )  # fmt: skip


def one_sentence(text):
    assert "Traceback" not in text
    assert len(text.strip().splitlines()) == 1, text
    return text


def test_a_folder_in_use_is_told_in_one_sentence(tmp_path):
    serving = Serving(tmp_path, "--state", str(tmp_path / "state"))
    try:
        second = start("--state", str(tmp_path / "state"))
        assert second.returncode == 2
        assert "in use" in one_sentence(second.stderr)
    finally:
        assert serving.stop() == 0


def free_to_use_port_25():
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.2", 25))
        except OSError:
            return False
    return True


def test_real_ports_where_the_system_allows_them_and_one_sentence_where_not(tmp_path):
    if not free_to_use_port_25():
        refused = start("--real-ports")
        assert refused.returncode == 2
        assert "--real-ports" in one_sentence(refused.stderr)
        return
    serving = Serving(tmp_path, "--real-ports")
    try:
        services = serving.facts["services"]
        assert all(s["real_port"] == s["port"] for s in services)
        places = [(s["real_address"], s["port"], s["transport"]) for s in services]
        assert len(set(places)) == len(places)
        assert all(address.startswith("127.0.0.") for address, _, _ in places)
        before = len(serving.letters())
        with smtplib.SMTP(serving.place("mx", "mx.bob.example")[0], 25, timeout=20) as client:
            client.sendmail("anyone@stranger.test", ["bob@bob.example"], "Subject: real port\r\n\r\nx\r\n")
        assert len(serving.letters()) == before + 1
        # our own relay uses them, too
        context = ssl.create_default_context(cafile=serving.facts["ca_file"])
        host, port = serving.place("submissions", "mail.alice.example")
        assert port == 465
        with smtplib.SMTP_SSL(host, port, context=context, timeout=20) as client:
            client.login("alice@alice.example", PASSWORD)
            client.sendmail("alice@alice.example", ["bob@bob.example"], "Subject: two hops\r\n\r\nx\r\n")
        wait_for(lambda: len(serving.letters()) == before + 2, "delivery")
        # somebody else has the ports already
        busy = start("--real-ports")
        assert busy.returncode == 2
        assert "cannot be opened" in one_sentence(busy.stderr)
    finally:
        assert serving.stop() == 0
    assert "Traceback" not in serving.log.read_text()
