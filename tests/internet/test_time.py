"""Simulated time: it passes only during calls, costs nothing, and is real while a stranger is connected."""

import smtplib
import socket
import time

import pytest

from simulator import Internet, UsageError


@pytest.fixture(params=["memory", "loopback"])
def net(request):
    with Internet(medium=request.param) as net:
        yield net


def test_nothing_moves_between_two_calls(net):
    net.send("x", sender="alice@alice.example", to="bob@bob.example")
    before, events = net.now_s, len(net.trace().events)
    time.sleep(0.2)
    assert net.now_s == before
    assert len(net.trace().events) == events


def test_five_days_take_no_time(net):
    begun, before = time.monotonic(), net.now_s
    net.run(for_s=5 * 86400)
    assert net.now_s - before == 5 * 86400
    assert time.monotonic() - begun < 2


def test_time_cannot_run_backwards(net):
    with pytest.raises(UsageError, match="backwards"):
        net.run(for_s=-1)


def test_a_foreign_client_that_pauses_is_not_thrown_out():
    with Internet() as net:
        place = net.endpoints().find("submission", "mail.alice.example")
        before = net.now_s
        with socket.create_connection((place.real_address, place.real_port), timeout=10) as line:
            file = line.makefile("rwb")
            assert file.readline().startswith(b"220 mail.alice.example")
            for _ in range(3):
                time.sleep(0.3)  # the pause is the subject of this test
                file.write(b"NOOP\r\n")
                file.flush()
                assert file.readline().startswith(b"250")
            assert 0.8 < net.now_s - before < 30
        # and the internet still works, at simulated speed
        assert net.send("x", sender="alice@alice.example", to="bob@bob.example").delivered


def test_a_foreign_client_submits_and_its_message_is_delivered():
    import ssl

    with Internet() as net:
        place = net.endpoints().find("submissions", "mail.alice.example")
        context = ssl.create_default_context(cadata=net.ca_pem.decode())
        with smtplib.SMTP_SSL("127.0.0.1", place.real_port, context=context, timeout=10) as client:
            client.login("alice@alice.example", "secret-of-alice")
            client.sendmail("alice@alice.example", ["bob@bob.example"], b"Subject: from outside\r\n\r\n.dot\r\n")
        net.run_until_settled()
        (letter,) = net.inbox("bob@bob.example")
        assert letter.octets.endswith(b"\r\n\r\n.dot\r\n")
        assert net.journey("m1").delivered
