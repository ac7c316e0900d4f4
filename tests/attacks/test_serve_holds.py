"""One running `serve` against everything that may come in through its ports: it stays up and loses nothing."""

import os
import random
import smtplib
import socket
import ssl
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.message
import dns.query
import pytest
from support.serving import Serving, wait_for

PASSWORD = "secret-of-alice"
LINUX = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux counts the descriptors of others")


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    running = Serving(tmp_path_factory.mktemp("serve"), "--quiet")
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.log.read_text()


@pytest.fixture(autouse=True)
def still_there(serving):
    """After every abuse a stranger's letter still arrives."""
    yield
    before = len(serving.letters("berta@bob.example"))
    with smtplib.SMTP(*serving.place("mx", "mx.bob.example"), timeout=20) as client:
        client.sendmail("anyone@stranger.test", ["berta@bob.example"], b"Subject: still there\r\n\r\nx\r\n")
    assert len(serving.letters("berta@bob.example")) == before + 1
    assert serving.process.poll() is None


def mx(serving, timeout=20, host="mx.bob.example"):
    line = socket.create_connection(serving.place("mx", host), timeout=timeout)
    greeting = line.recv(1000)
    if not greeting.startswith(b"220 "):
        line.close()
        raise AssertionError(greeting)
    return line


def say(line, *octets):
    """Send; return the next reply's octets."""
    line.sendall(b"".join(octets))
    return line.recv(65536)


def reset(line):
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def facts(serving):
    status = Path(f"/proc/{serving.process.pid}/status").read_text()
    resident_kb = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    return len(os.listdir(f"/proc/{serving.process.pid}/fd")), resident_kb


@LINUX
def test_two_hundred_sessions_at_once_leave_nothing_behind(serving):
    context = ssl.create_default_context(cafile=serving.facts["ca_file"])

    def one(number):
        if number % 3 == 0:
            with smtplib.SMTP(*serving.place("mx", "mx.bob.example"), timeout=60) as client:
                return client.noop()[0]
        implicit = number % 3 == 1
        place = serving.place("submissions" if implicit else "submission", "mail.alice.example")
        if implicit:
            with smtplib.SMTP_SSL(*place, context=context, timeout=60) as client:
                return client.noop()[0]
        with smtplib.SMTP(*place, timeout=60) as client:
            client.starttls(context=context)
            return client.noop()[0]

    def round_of_sessions():
        lines = []
        with ThreadPoolExecutor(40) as pool:
            for number in range(160):  # these stay open while the others talk
                lines.append(mx(serving, host=("mx.bob.example", "mx.alice.example")[number % 2]))
            assert set(pool.map(one, range(40))) == {250}
        for line in lines:
            line.close()
        wait_for(lambda: facts(serving)[0] <= descriptors, "closing")
        return facts(serving)[1]

    descriptors = facts(serving)[0] + 2
    round_of_sessions()
    second = round_of_sessions()
    third = round_of_sessions()
    # What happened is remembered, up to a limit (`TRACE_OCTETS`); beyond that nothing may stay.
    assert third - second < 200 * 100, "more than 100 kB remain of a session"


def test_one_address_gets_a_hundred_connections_and_a_421(serving):
    lines = [mx(serving) for _ in range(100)]
    with socket.create_connection(serving.place("mx", "mx.bob.example"), timeout=20) as surplus:
        assert surplus.recv(1000).startswith(b"421 ")
        assert surplus.recv(1000) == b""
    assert say(lines[50], b"NOOP\r\n").startswith(b"250")
    for line in lines:
        line.close()
    wait_for(lambda: greeted(serving), "room for another one")


def greeted(serving):
    with socket.create_connection(serving.place("mx", "mx.bob.example"), timeout=20) as line:
        return line.recv(1000).startswith(b"220 ")


@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize(
    "said",
    [
        [],
        [b"EHLO x.test\r\n"],
        [b"EHLO x.test\r\n", b"STARTTLS\r\n"],
        [b"EHLO x.test\r\n", b"STARTTLS\r\n", b"\x16\x03\x01\x02\x00\x01"],
        [b"EHLO x.test\r\n", b"MAIL FROM:<a@stranger.test>\r\n"],
        [b"EHLO x.test\r\n", b"MAIL FROM:<a@stranger.test>\r\n", b"RCPT TO:<bob@bob.example>\r\n"],
        [b"EHLO x.test\r\n", b"MAIL FROM:<a@stranger.test>\r\n", b"RCPT TO:<bob@bob.example>\r\n", b"DATA\r\n", b"half a let"],
        [b"EHLO x.t"],
    ],
    ids=["connect", "ehlo", "starttls", "handshake", "mail", "rcpt", "data", "half a line"],
)  # fmt: skip
def test_clients_that_vanish_leave_no_letter(serving, said, end):
    before = len(serving.letters())
    line = mx(serving)
    for octets in said:
        line.sendall(octets)
        if octets.endswith(b"\r\n"):
            line.recv(65536)
    (reset if end == "rst" else socket.socket.close)(line)
    assert len(serving.letters()) == before


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: mx.bob.example\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.0\r\n",
    "tls": b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00" * 20,
    "nul": b"\0" * 5000,
    "lf": b"\n" * 20_000,
    "a long line": b"x" * 1_000_000,
    "random": random.Random(5).randbytes(100_000),
    "smtp": b"EHLO x.test\r\n",
}


@pytest.mark.parametrize("what", GARBAGE)
@pytest.mark.parametrize("role", ["mx", "submission", "submissions", "dns"])
def test_other_protocols_and_garbage_on_every_port(serving, what, role):
    host = {"mx": "mx.bob.example", "dns": "ns.bob.example"}.get(role, "mail.alice.example")
    with socket.create_connection(serving.place(role, host), timeout=20) as line:
        try:
            line.sendall(GARBAGE[what])
            line.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := line.recv(65536):
                answer += piece
        except OSError:  # the server has had enough: a reset is an answer, too
            return
    if role in ("mx", "submission"):
        assert answer.startswith(b"220 ")
    if role == "submissions":
        assert not answer.startswith(b"220")


def test_slow_and_deaf_clients_stop_nobody(serving):
    slow, deaf = mx(serving), mx(serving)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setblocking(False)
    try:
        for _ in range(2000):  # many commands, and not one reply is read
            deaf.send(b"NOOP\r\n" * 500)
    except OSError:
        pass
    for octet in b"EHLO slow.test\r\n":
        slow.sendall(bytes([octet]))
        with smtplib.SMTP(*serving.place("mx", "mx.bob.example"), timeout=20) as client:
            assert client.noop()[0] == 250
    assert slow.recv(65536).startswith(b"250")
    slow.close()
    deaf.close()


DNS_GARBAGE = [
    b"", b"\0", b"\xff" * 11, b"\0" * 12, b"\xff" * 12, b"\x12\x34\x80\x00" + b"\0" * 8,
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01",  # a name that points at itself
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x3fabc",
    b"\x12\x34\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff" + b"\x01a\x00\x00\x01\x00\x01",
    b"\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00" + b"\x01a\x00\x00\x01\x00\x01" * 2,
    b"\x12\x34\x78\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x01a\x00\x00\x01\x00\x01",
    random.Random(6).randbytes(512), random.Random(7).randbytes(60_000),
]  # fmt: skip


@pytest.mark.parametrize("octets", DNS_GARBAGE, ids=range(len(DNS_GARBAGE)))
def test_malformed_questions_by_udp_and_tcp(serving, octets):
    udp, tcp = serving.place("dns", "ns.bob.example", "udp"), serving.place("dns", "ns.bob.example")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(20):
            sender.sendto(octets, udp)
    with socket.create_connection(tcp, timeout=20) as line:
        line.sendall(struct.pack("!H", len(octets)) + octets)
        line.shutdown(socket.SHUT_WR)
    with socket.create_connection(tcp, timeout=20) as line:
        line.sendall(struct.pack("!H", 65535) + octets[:10])  # promises more than it gives
    question = dns.message.make_query("bob.example", "MX")
    for ask, place in ((dns.query.udp, udp), (dns.query.tcp, tcp)):
        answer = ask(question, place[0], port=place[1], timeout=20)
        assert "mx.bob.example." in str(answer.answer)


def test_a_thousand_recipients_and_the_first_hundred_stay(serving):
    before = len(serving.letters())
    connection = mx(serving)
    line = connection.makefile("rwb")
    for command in (b"EHLO x.test", b"MAIL FROM:<a@stranger.test>"):
        line.write(command + b"\r\n")
        line.flush()
        while line.readline()[3:4] == b"-":
            pass
    codes = []
    for number in range(1000):
        line.write(b"RCPT TO:<bob+%d@bob.example>\r\n" % number)
        line.flush()
        codes.append(line.readline()[:9])
    assert codes[:100] == [b"250 2.1.5"] * 100
    assert set(codes[100:]) == {b"452 4.5.3"}
    line.write(b"DATA\r\n")
    line.flush()
    assert line.readline().startswith(b"354")
    line.write(b"Subject: to all\r\n\r\nx\r\n.\r\nQUIT\r\n")
    line.flush()
    assert line.readline().startswith(b"250")
    line.close()
    connection.close()
    assert len(serving.letters()) == before + 1  # one mailbox, one copy


RELAY_TRICKS = [
    b"<carol@carol.test>", b"<@bob.example:carol@carol.test>", b"<@bob.example,@alice.example:carol@carol.test>",
    b"<carol%carol.test@bob.example>", b'<"carol@carol.test"@bob.example>', b"<carol.test!carol@bob.example>",
    b"<carol@carol.test@bob.example>", b"<bob@bob.example@carol.test>", b"<carol@[192.0.2.77]>", b"<bob@bob.example>x<carol@carol.test>",
]  # fmt: skip


@pytest.mark.parametrize("path", RELAY_TRICKS)
def test_X01_no_trick_makes_it_an_open_relay(serving, path):
    with mx(serving) as line:
        say(line, b"EHLO x.test\r\n")
        assert say(line, b"MAIL FROM:<a@stranger.test>\r\n").startswith(b"250")
        assert say(line, b"RCPT TO:" + path + b"\r\n")[:1] == b"5"


def test_nobody_learns_who_has_an_account(serving):
    context = ssl.create_default_context(cafile=serving.facts["ca_file"])
    answers = set()
    for user in ("alice@alice.example", "nobody@alice.example", "alice", "x" * 200):
        with smtplib.SMTP_SSL(*serving.place("submissions", "mail.alice.example"), context=context, timeout=20) as client:
            client.ehlo("x.test")
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                client.login(user, "wrong", initial_response_ok=True)
            answers.add((refused.value.smtp_code, refused.value.smtp_error))
            assert client.verify("alice@alice.example")[0] in (252, 530)
            assert client.expn("staff")[0] in (502, 530)
    assert len(answers) == 1


def test_too_much_is_too_much(serving):
    with mx(serving) as line:
        for _ in range(200):
            answer = say(line, b"NONSENSE\r\n")
            if answer.startswith(b"421") or not answer:
                break
        else:
            raise AssertionError("200 wrong commands, and it still listens")
    with mx(serving) as line:
        say(line, b"EHLO x.test\r\n")
        assert say(line, b"MAIL FROM:<a@stranger.test> SIZE=999999999999\r\n").startswith(b"552 5.3.4")
        assert say(line, b"MAIL FROM:<a@stranger.test>\r\n").startswith(b"250")
        assert say(line, b"RCPT TO:<" + b"x" * 600 + b"@bob.example>\r\n")[:1] == b"5"
        assert say(line, b"NOOP\r\n").startswith(b"250")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows buffers more than this in the socket")
def test_a_letter_beyond_the_limit_is_refused_and_forgotten(serving):
    before = len(serving.letters())
    with mx(serving, timeout=60) as line:
        for command in (b"EHLO x.test\r\n", b"MAIL FROM:<a@stranger.test>\r\n", b"RCPT TO:<bob@bob.example>\r\n", b"DATA\r\n"):
            say(line, command)
        for _ in range(12):
            line.sendall(b"x" * 998 + b"\r\n" + (b"y" * 70 + b"\r\n") * 14_000)
        assert say(line, b"\r\n.\r\n").startswith(b"552 5.3.4")
    assert len(serving.letters()) == before
