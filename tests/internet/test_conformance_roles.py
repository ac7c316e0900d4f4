"""What submission servers and mail exchangers owe to foreign clients, row by row (S, X, D), over real sockets."""

import base64
import smtplib
import ssl

import pytest

from simulator import Internet

PASSWORD = "secret-of-alice"


@pytest.fixture(scope="module")
def net():
    with Internet() as net:
        yield net


@pytest.fixture
def mx(net):
    """A foreign client at Bob's mail exchanger."""
    place = net.endpoints().find("mx", "mx.bob.example")
    with smtplib.SMTP(place.real_address, place.real_port, local_hostname="stranger.test", timeout=10) as client:
        client.ehlo()
        yield client


@pytest.fixture
def msa(net):
    """A foreign client at Alice's submission server, inside TLS, signed in."""
    place = net.endpoints().find("submissions", "mail.alice.example")
    context = ssl.create_default_context(cadata=net.ca_pem.decode())
    with smtplib.SMTP_SSL(
        place.real_address, place.real_port, local_hostname="laptop.test", context=context, timeout=10
    ) as client:
        client.login("alice@alice.example", PASSWORD)
        yield client


def codes(client, *lines):
    """Say lines and return the codes of the replies."""
    return [client.docmd(line)[0] for line in lines]


def letters(net, address="bob@bob.example"):
    net.run_until_settled()
    return net.inbox(address)


def test_X01_anyone_may_send_to_a_hosted_domain_and_nobody_elsewhere(mx):
    assert codes(mx, "MAIL FROM:<anyone@stranger.test>", "RCPT TO:<bob@bob.example>") == [250, 250]
    for address in (
        "carol@carol.example",
        "alice@alice.example",
        "bob%carol.example@alice.example",
        '"bob@carol.example"@alice.example',
    ):
        code, text = mx.docmd(f"RCPT TO:<{address}>")
        assert (code, text[:5]) == (550, b"5.7.1")


def test_X01_tricks_do_not_open_the_relay(mx):
    mx.docmd("MAIL FROM:<anyone@stranger.test>")
    assert mx.docmd("RCPT TO:<bob%carol.example@bob.example>")[1].startswith(b"5.1.1")  # a local part like any other
    assert mx.docmd("RCPT TO:<@bob.example:carol@carol.example>")[1].startswith(b"5.7.1")  # the route is ignored
    assert mx.docmd("RCPT TO:<@carol.example:bob@bob.example>")[0] == 250


def test_X02_unknown_users_are_refused_at_rcpt(mx):
    mx.docmd("MAIL FROM:<anyone@stranger.test>")
    assert mx.docmd("RCPT TO:<bobb@bob.example>") == (550, b"5.1.1 There is no such user here")


def test_X03_a_hello_name_that_does_not_fit_is_no_reason_to_refuse(net):
    place = net.endpoints().find("mx", "mx.bob.example")
    with smtplib.SMTP(place.real_address, place.real_port, local_hostname="[192.0.2.77]", timeout=10) as client:
        assert codes(client, "EHLO mx.bob.example", "MAIL FROM:<>", "RCPT TO:<bob@bob.example>") == [250, 250, 250]


def test_T06_the_mx_does_not_ask_for_tls_or_a_login(mx):
    assert "auth" not in mx.esmtp_features
    assert "starttls" in mx.esmtp_features


@pytest.mark.parametrize("address", ["Postmaster", "postmaster@bob.example", "POSTMASTER@BOB.EXAMPLE"])
def test_P15_postmaster_is_accepted_in_every_spelling(mx, address):
    assert codes(mx, "MAIL FROM:<>", f"RCPT TO:<{address}>") == [250, 250]


def test_D01_one_return_path_from_the_envelope_and_incoming_ones_are_dropped(net, mx):
    before = len(letters(net))
    mx.sendmail(
        "real@stranger.test",
        ["bob@bob.example"],
        "Return-Path: <forged@stranger.test>\r\nSubject: D01\r\nreturn-path: <again@stranger.test>\r\n\r\nx\r\n",
    )
    letter = letters(net)[before]
    assert [v for k, v in letter.message.items() if k.lower() == "return-path"] == ["<real@stranger.test>"]
    assert letter.octets.startswith(b"Return-Path: ")


@pytest.mark.parametrize("address", ["BOB@bob.example", "bob+notes@bob.example", "bob@BOB.Example"])
def test_D05_only_the_final_server_interprets_the_local_part(net, mx, address):
    before = len(letters(net))
    mx.sendmail("anyone@stranger.test", [address], "Subject: D05\r\n\r\nx\r\n")
    assert len(letters(net)) == before + 1


def test_two_names_of_one_mailbox_get_one_copy(net, mx):
    before = len(letters(net))
    mx.sendmail("anyone@stranger.test", ["bob@bob.example", "BOB@bob.example"], "Subject: once\r\n\r\nx\r\n")
    assert len(letters(net)) == before + 1


def test_S02_mail_before_login_is_530(net):
    place = net.endpoints().find("submissions", "mail.alice.example")
    context = ssl.create_default_context(cadata=net.ca_pem.decode())
    with smtplib.SMTP_SSL(place.real_address, place.real_port, context=context, timeout=10) as client:
        client.ehlo()
        code, text = client.docmd("MAIL FROM:<alice@alice.example>")
        assert (code, text[:5]) == (530, b"5.7.0")


def test_S03_S04_before_tls_login_is_not_offered_and_refused_alike(net):
    place = net.endpoints().find("submission", "mail.alice.example")
    replies = set()
    for password in (PASSWORD, "wrong"):
        with smtplib.SMTP(place.real_address, place.real_port, timeout=10) as client:
            client.ehlo()
            assert "auth" not in client.esmtp_features
            token = base64.b64encode(f"\0alice@alice.example\0{password}".encode()).decode()
            replies.add(client.docmd(f"AUTH PLAIN {token}"))
    assert len(replies) == 1
    assert replies.pop()[0] in (530, 538)


def test_S05_names_that_are_not_fully_qualified_are_554(msa):
    assert codes(msa, "MAIL FROM:<alice@sales>") == [554]
    assert codes(msa, "MAIL FROM:<alice@alice.example>", "RCPT TO:<anna@sales>") == [250, 554]


def test_S06_alice_may_not_send_as_bob(msa):
    code, text = msa.docmd("MAIL FROM:<bob@bob.example>")
    assert (code, text[:5]) == (550, b"5.7.1")
    assert codes(msa, "MAIL FROM:<ALICE@alice.example>") == [250]


def test_S07_date_and_message_id_are_added_once_and_only_where_missing(net, msa):
    before = len(letters(net))
    own = "Date: Thu, 01 Jan 1998 00:00:00 +0000\r\nMessage-ID: <own@alice.example>\r\n"
    for header in ("", own):
        msa.sendmail(
            "alice@alice.example",
            ["bob@bob.example"],
            f"From: alice@alice.example\r\n{header}Subject: S07\r\n\r\nx\r\n",
        )
    bare, full = letters(net)[before:]
    assert len(bare.message.get_all("Date")) == len(bare.message.get_all("Message-ID")) == 1
    assert full.message.get_all("Message-ID") == ["<own@alice.example>"]
    assert full.message["Date"].datetime.year == 1998


def test_S08_the_null_reverse_path_is_permitted(msa):
    assert codes(msa, "MAIL FROM:<>") == [250]


def test_S09_an_unknown_colleague_is_refused_in_the_session(msa):
    assert codes(msa, "MAIL FROM:<alice@alice.example>", "RCPT TO:<nobody@alice.example>") == [250, 550]


def test_S11_what_a_submission_server_offers_and_does_not(msa):
    offered = set(msa.esmtp_features)
    assert {"auth", "pipelining", "enhancedstatuscodes", "8bitmime", "size"} <= offered
    assert not offered & {"etrn", "atrn", "starttls"}


def test_S12_received_says_esmtpsa_and_names_no_blind_copy(net, msa):
    before = len(letters(net))
    msa.sendmail(
        "alice@alice.example",
        ["bob@bob.example", "berta@bob.example"],
        "From: alice@alice.example\r\nTo: bob@bob.example\r\nBcc: berta@bob.example\r\nSubject: S12\r\n\r\nx\r\n",
    )
    letter = letters(net)[before]
    assert " with ESMTPSA" in letter.message.get_all("Received")[1].replace("\n", "")
    assert b"berta" not in letter.octets


def test_S15_the_queue_id_leads_to_the_user(net, msa):
    from simulator.trace.events import Authenticated, MessageAccepted

    msa.sendmail("alice@alice.example", ["bob@bob.example"], "From: alice@alice.example\r\nSubject: S15\r\n\r\nx\r\n")
    net.run_until_settled()
    trace = net.trace()
    accepted = [e for e in trace.of(MessageAccepted) if e.host == "mail.alice.example"][-1]
    assert [e.user for e in trace.of(Authenticated, connection=accepted.connection)] == ["alice@alice.example"]
    assert accepted.queue_id in str(letters(net)[-1])


def test_T16_received_tells_the_protection_of_each_hop(net, mx):
    before = len(letters(net))
    mx.sendmail("anyone@stranger.test", ["bob@bob.example"], "Subject: clear\r\n\r\nx\r\n")
    mx.rset()
    mx.starttls(context=ssl.create_default_context(cadata=net.ca_pem.decode()))
    mx.sendmail("anyone@stranger.test", ["bob@bob.example"], "Subject: tls\r\n\r\nx\r\n")
    clear, tls = (" ".join(each.message["Received"].split()) for each in letters(net)[before:])
    assert " with ESMTP id " in clear
    assert " with ESMTPS tls TLS_" in tls
    assert clear.startswith("from stranger.test ([203.0.113.200])")
