"""`serve`, used by programs that are not ours: they must agree about everything."""

import asyncio
import os
import re
import shlex
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import aiosmtplib
import pytest
from support.serving import Serving, wait_for
from support.tools import need_tool

PASSWORD = "secret-of-alice"
BODY = b".one dot\r\n..two dots\r\n.\x20\r\nna\xc3\xafve\r\nlast\r\n"


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    running = Serving(tmp_path_factory.mktemp("serve"))
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.log.read_text()


def arrived(serving, before):
    """Wait for the next letter to Bob and return its octets."""
    wait_for(lambda: len(serving.letters()) > before, "delivery")
    return serving.letters()[-1].read_bytes()


SUBMISSION = [("submissions", "implicit"), ("submission", "starttls")]


def dial(serving, role, context):
    host, port = serving.place(role, "mail.alice.example")
    if role == "submissions":
        return smtplib.SMTP_SSL(host, port, context=context, timeout=20)
    client = smtplib.SMTP(host, port, timeout=20)
    client.starttls(context=context)
    return client


def test_ready_file_keeps_its_contract(serving):
    facts = serving.facts
    assert set(facts) == {"version", "services", "accounts", "mailboxes", "ca_file", "pid"}
    assert facts["version"] == 1
    assert facts["pid"] == serving.process.pid
    wanted = {"host", "address", "port", "real_address", "real_port", "transport", "role", "tls"}
    assert all(set(service) == wanted for service in facts["services"])
    assert {service["real_address"] for service in facts["services"]} == {"127.0.0.1"}
    assert {s["role"]: s["port"] for s in facts["services"]} == {"dns": 53, "submissions": 465, "submission": 587, "mx": 25}
    assert {"address": "alice@alice.example", "password": PASSWORD} in facts["accounts"]
    assert b"BEGIN CERTIFICATE" in Path(facts["ca_file"]).read_bytes()
    assert all({p.name for p in Path(box).iterdir()} == {"tmp", "new", "cur"} for box in facts["mailboxes"].values())


@pytest.mark.parametrize(("role", "tls"), SUBMISSION)
def test_smtplib_submits_and_the_body_arrives_octet_for_octet(serving, role, tls):
    before = len(serving.letters())
    with dial(serving, role, ssl.create_default_context(cafile=serving.facts["ca_file"])) as client:
        client.login("alice@alice.example", PASSWORD)
        client.sendmail("alice@alice.example", ["bob@bob.example"], b"Subject: smtplib\r\n\r\n" + BODY, ["BODY=8BITMIME"])
    assert arrived(serving, before).endswith(b"\r\n\r\n" + BODY)


@pytest.mark.parametrize(("role", "tls"), SUBMISSION)
def test_smtplib_is_told_of_a_wrong_password(serving, role, tls):
    with dial(serving, role, ssl.create_default_context(cafile=serving.facts["ca_file"])) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.login("alice@alice.example", "wrong")
        assert refused.value.smtp_code == 535


@pytest.mark.parametrize(("role", "tls"), SUBMISSION)
def test_smtplib_refuses_an_unknown_authority(serving, role, tls):
    with pytest.raises(ssl.SSLCertVerificationError):
        dial(serving, role, ssl.create_default_context())


@pytest.mark.parametrize(("role", "tls"), SUBMISSION)
def test_aiosmtplib_submits(serving, role, tls):
    before = len(serving.letters())
    host, port = serving.place(role, "mail.alice.example")
    context = ssl.create_default_context(cafile=serving.facts["ca_file"])

    async def send():
        async with asyncio.timeout(30):
            async with aiosmtplib.SMTP(
                hostname=host, port=port, use_tls=tls == "implicit", start_tls=tls == "starttls", tls_context=context,
                username="alice@alice.example", password=PASSWORD, timeout=20,
            ) as client:  # fmt: skip
                sock = client.transport.get_extra_info("socket")
                letter = b"From: alice@alice.example\r\nSubject: aiosmtplib\r\n\r\n" + BODY
                await client.sendmail("alice@alice.example", ["bob@bob.example"], letter)
            while sock.fileno() != -1:  # TLS says goodbye first; the loop must not be closed under it
                await asyncio.sleep(0.01)

    asyncio.run(send())
    assert arrived(serving, before).endswith(b"\r\n\r\n" + BODY)


def test_a_mail_exchanger_takes_mail_from_anyone_for_its_own_users_only(serving):
    before = len(serving.letters())
    with smtplib.SMTP(*serving.place("mx", "mx.bob.example"), timeout=20) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("anyone@stranger.test", ["carol@carol.example"], "Subject: x\r\n\r\nx\r\n")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("anyone@stranger.test", ["nobody@bob.example"], "Subject: x\r\n\r\nx\r\n")
        client.sendmail("anyone@stranger.test", ["bob@bob.example"], "Subject: from anyone\r\n\r\nx\r\n")
    assert b"Subject: from anyone" in arrived(serving, before)


def run(*command, stdin=b""):
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, env=dict(os.environ, LC_ALL="C"))


@pytest.mark.interop
@pytest.mark.parametrize(("role", "tls"), SUBMISSION)
@pytest.mark.parametrize(("mechanism", "password", "code"), [("PLAIN", PASSWORD, 0), ("LOGIN", PASSWORD, 0), ("PLAIN", "wrong", 28)])
def test_swaks_agrees(serving, role, tls, mechanism, password, code):
    before = len(serving.letters())
    host, port = serving.place(role, "mail.alice.example")
    done = run(
        need_tool("swaks"), "--server", f"{host}:{port}", "--tls-on-connect" if tls == "implicit" else "--tls",
        "--tls-verify", "--tls-ca-path", serving.facts["ca_file"], "--auth", mechanism, "--auth-user", "alice@alice.example",
        "--auth-password", password, "--from", "alice@alice.example", "--to", "bob@bob.example", "--helo", "laptop.test",
    )  # fmt: skip
    assert done.returncode == code, done.stdout.decode() + done.stderr.decode()
    if code == 0:
        assert b"This is a test mailing" in arrived(serving, before)


@pytest.mark.interop
@pytest.mark.parametrize(("role", "options"), [("submissions", []), ("submission", ["-starttls", "smtp"])])
def test_openssl_verifies_only_with_our_authority(serving, role, options):
    host, port = serving.place(role, "mail.alice.example")
    openssl = need_tool("openssl")
    place = ["-connect", f"{host}:{port}", "-servername", "mail.alice.example", "-verify_return_error", *options]
    good = run(openssl, "s_client", *place, "-CAfile", serving.facts["ca_file"], stdin=b"QUIT\r\n")
    assert b"Verify return code: 0 (ok)" in good.stdout, good.stderr
    assert run(openssl, "s_client", *place, stdin=b"QUIT\r\n").returncode != 0


@pytest.mark.interop
@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_T09_openssl_cannot_speak_old_tls(serving, version):
    host, port = serving.place("submissions", "mail.alice.example")
    done = run(need_tool("openssl"), "s_client", "-connect", f"{host}:{port}", version, "-cipher", "ALL:@SECLEVEL=0")
    assert done.returncode != 0


@pytest.mark.interop
@pytest.mark.parametrize(("scheme", "role"), [("smtps", "submissions"), ("smtp", "submission")])
def test_curl_submits(serving, scheme, role, tmp_path):
    before = len(serving.letters())
    host, port = serving.place(role, "mail.alice.example")
    letter = tmp_path / "letter.eml"
    letter.write_bytes(b"From: alice@alice.example\r\nSubject: curl\r\n\r\n.dot\r\n")
    done = run(
        need_tool("curl"), "--silent", "--show-error", "--ssl-reqd", "--cacert", serving.facts["ca_file"], "--url",
        f"{scheme}://{host}:{port}", "--user", f"alice@alice.example:{PASSWORD}", "--mail-from", "alice@alice.example",
        "--mail-rcpt", "bob@bob.example", "--upload-file", str(letter),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert arrived(serving, before).endswith(b"\r\n.dot\r\n")


@pytest.mark.interop
def test_msmtp_submits(serving, tmp_path):
    before = len(serving.letters())
    host, port = serving.place("submission", "mail.alice.example")
    done = run(
        need_tool("msmtp"), "--file=/dev/null", f"--host={host}", f"--port={port}", "--auth=scram-sha-256", "--tls=on",
        f"--tls-trust-file={serving.facts['ca_file']}", "--user=alice@alice.example", f"--passwordeval=echo {PASSWORD}",
        "--from=alice@alice.example", "bob@bob.example", stdin=b"Subject: msmtp\n\n.dot\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Subject: msmtp" in arrived(serving, before)


@pytest.mark.interop
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_dig_walks_the_names(serving, transport):
    host, port = serving.place("dns", "ns.bob.example", "udp")

    def ask(*question):
        return run(need_tool("dig"), f"@{host}", "-p", str(port), transport, *question).stdout.decode()

    answer = ask("bob.example", "MX")
    assert re.search(r"flags: qr aa", answer)
    assert re.search(r"bob\.example\.\s+3600\s+IN\s+MX\s+10 mx\.bob\.example\.", answer)
    assert "status: NXDOMAIN" in ask("nowhere.bob.example", "A")
    assert "SOA" in ask("bob.example", "AAAA")
    assert ask("mx.bob.example", "A", "+short").strip() == "127.0.0.1"  # where it really is, for programs outside


@pytest.mark.interop
def test_printed_commands_work_as_pasted(serving, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "letter.eml").write_bytes(b"Subject: pasted\r\n\r\nx\r\n")
    before = len(serving.letters())
    text = serving.log.read_text().partition("Try it")[2].partition("What happens")[0]
    printed = [line.strip() for line in text.splitlines() if line.strip().startswith(("swaks", "openssl", "dig", "curl", "msmtp"))]
    assert {line.split()[0] for line in printed} == {"swaks", "openssl", "dig", "curl", "msmtp"}
    for line in printed:
        need_tool(line.split()[0])
        words = shlex.split(line)
        done = run(*words, stdin=b"QUIT\n" if words[0] == "openssl" else b"Subject: pasted\n\nx\n")
        assert done.returncode == 0, line + "\n" + done.stdout.decode() + done.stderr.decode()
    wait_for(lambda: len(serving.letters()) == before + 4, "all four letters")


# --- beginnings and ends ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
def test_it_ends_cleanly(tmp_path, how):
    running = Serving(tmp_path, "--state", str(tmp_path / "state"))
    host, port = running.place("mx", "mx.bob.example")
    with socket.create_connection((host, port), timeout=10) as line:
        assert line.recv(100).startswith(b"220")
        running.process.send_signal(getattr(signal, how))
        assert running.process.wait(timeout=30) == 0
    assert "Traceback" not in running.log.read_text()
    assert not running.ready.exists()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, port), timeout=10)


def test_state_keeps_the_mailboxes(tmp_path):
    for count in (1, 2):
        running = Serving(tmp_path, "--state", str(tmp_path / "state"), "--quiet")
        with smtplib.SMTP(*running.place("mx", "mx.bob.example"), timeout=20) as client:
            client.sendmail("anyone@stranger.test", ["bob@bob.example"], "Subject: kept\r\n\r\nx\r\n")
        assert len(running.letters()) == count
        assert running.stop() == 0


def test_a_file_or_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for options in (["--ready-file", str(tmp_path / "no" / "such" / "r.json")], ["--state", str(tmp_path / "file" / "state")]):
        done = subprocess.run([sys.executable, "-m", "simulator", "serve", *options], capture_output=True, timeout=60)
        assert done.returncode == 2
        line, = done.stderr.decode().strip().splitlines()
        assert "cannot be written" in line
