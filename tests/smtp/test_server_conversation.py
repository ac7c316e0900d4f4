"""Conformance of every server: rows P01 to P30, spoken to a real server on 127.0.0.1."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.talk import HOST, Inbox, greeted, run, serving, talk

from simulator.errors import UsageError
from simulator.smtp.response import Response
from simulator.smtp.session import Envelope, Session, check_handler
from simulator.smtp.settings import ServerSettings

MAIL, RCPT = "MAIL FROM:<alice@alice.example>", "RCPT TO:<bob@bob.example>"


def test_P01_the_server_greets_with_its_own_name_and_says_that_it_is_a_simulator() -> None:
    async def main() -> None:
        async with serving() as place:
            await talk(place).says(f"220 {HOST} ESMTP (simulator)").hears("QUIT").says("221 2.0.0").closes()
        async with serving(refuse="takes no mail") as place:
            await talk(place).says("554 ").hears("EHLO a.example").says("503").hears("QUIT").says("221").closes()
    run(main())


def test_P02_every_command_that_a_server_must_know_is_known() -> None:
    async def main() -> None:
        async with serving() as place:
            for verb in ("EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY"):
                replies = await talk(place).says("220").hears(verb).says("")
                assert not replies[-1][0].startswith(("500", "502")), verb
    run(main())


def test_P03_ehlo_lists_the_extensions_one_per_line_and_helo_none() -> None:
    async def main() -> None:
        async with serving() as place:
            replies = await greeted(place).hears("HELO client.example").says(f"250 {HOST}")
            assert replies[1] == [
                f"250-{HOST}", "250-PIPELINING", "250-SIZE 10485760", "250-8BITMIME", "250-SMTPUTF8",
                "250-ENHANCEDSTATUSCODES", "250 HELP"]
            assert len(replies[2]) == 1
        async with serving(pipelining=False, smtputf8=False, eight_bit_mime=False, size_limit_octets=70000) as place:
            replies = await greeted(place)
            assert replies[1] == [f"250-{HOST}", "250-SIZE 70000", "250-ENHANCEDSTATUSCODES", "250 HELP"]
    run(main())


def test_P06_wrong_commands_get_the_right_refusal_and_the_session_goes_on() -> None:
    async def main() -> None:
        async with serving() as place:
            await (greeted(place)
                   .hears("FOO").says("500 5.5.1").hears("").says("500 5.5.1").hears("NOOP").says("250 2.0.0")
                   .hears(RCPT).says("503 5.5.1").hears("DATA").says("503 5.5.1")
                   .hears(MAIL + " XYZ=1").says("555 5.5.4").hears("EXPN staff").says("502 5.5.1")
                   .hears("MAIL TO:<a@a.example>").says("501 5.5.4").hears("RSET now").says("501 5.5.4")
                   .hears("QUIT now").says("501 5.5.4").hears("QUIT").says("221").closes())
            await talk(place).says("220").hears("EHLO").says("501 Expected").hears("HELO a b").says("501 ")
    run(main())


def test_P07_ehlo_in_the_middle_resets_and_a_failed_one_does_not() -> None:
    async def main() -> None:
        async with serving() as place:
            await (greeted(place).hears(MAIL).says("250").hears("EHLO client.example").says("250")
                   .hears(RCPT).says("503"))
            await greeted(place).hears(MAIL).says("250").hears("EHLO").says("501").hears(RCPT).says("250")
    run(main())


def test_P08_rset_forgets_the_message_and_some_commands_need_no_ehlo() -> None:
    async def main() -> None:
        async with serving() as place:
            await (talk(place).says("220").hears("NOOP").says("250 2.0.0").hears("RSET").says("250 2.0.0")
                   .hears("VRFY bob").says("252").hears("HELP").says("214 2.0.0").hears("NOOP with words").says("250")
                   .hears(MAIL).says("503 5.5.1").hears("HELO client.example").says("250")
                   .hears(MAIL).says("250").hears(RCPT).says("250").hears("RSET").says("250")
                   .hears(RCPT).says("503").hears(MAIL).says("250"))
    run(main())


def test_P09_nested_mail_is_refused_and_changes_nothing() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box) as place:
            await (greeted(place).hears(MAIL).says("250").hears("MAIL FROM:<eve@eve.example>").says("503 5.5.1")
                   .hears(RCPT).says("250").hears("DATA").says("354").hears(".").says("250"))
    run(main())
    assert str(box.envelopes[0].reverse_path) == "alice@alice.example"


def test_P10_verbs_do_not_depend_on_case_and_local_parts_are_kept() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box) as place:
            await (talk(place).says("220").hears("eHlO client.example").says("250")
                   .hears("mAiL fRoM:<A.b@X.Example> sIzE=3 body=8bitmime").says("250")
                   .hears("rcpt to:<C.D@y.EXAMPLE>").says("250")
                   .hears("data").says("354").hears(".").says("250"))
    run(main())
    assert str(box.envelopes[0].reverse_path) == "A.b@X.Example"
    assert str(box.envelopes[0].recipients[0].address) == "C.D@y.EXAMPLE"
    assert box.envelopes[0].params == {"SIZE": "3", "BODY": "8bitmime"}


def test_P11_bare_lf_and_cr_never_end_a_command() -> None:
    async def main() -> None:
        async with serving() as place:
            await (greeted(place).hears_octets(b"NOOP\nRSET\r\n").says("500 5.5.2").hears("NOOP").says("250")
                   .hears_octets(b"NOOP\rRSET\r\n").says("500 5.5.2").hears("NOOP").says("250")
                   .hears_octets(b"NOOP\n").says("500 5.5.2").hears_octets(b"\r\nNOOP\r\n").says("250"))
    run(main())


def test_P12_dots_at_the_start_of_lines_arrive_as_they_were_written() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box) as place:
            await (greeted(place).hears(MAIL, RCPT, "DATA").says("250").says("250").says("354")
                   .hears("..", "...two", "no dot", ". .", ".").says("250"))
    run(main())
    assert box.contents == [b".\r\n..two\r\nno dot\r\n .\r\n"]


def test_P13_what_every_server_must_take_is_taken() -> None:
    box = Inbox()
    longest = f"<{'l' * 64}@{'d' * 60}.{'d' * 60}.{'d' * 59}.example>"
    assert len(longest) == 256

    async def main() -> None:
        async with serving(box) as place:
            script = greeted(place).hears("NOOP " + "x" * 505).says("250").hears(f"MAIL FROM:{longest}").says("250")
            for number in range(100):
                script = script.hears(f"RCPT TO:<r{number}@bob.example>").says("250 2.1.5")
            script = script.hears("DATA").says("354").hears(*["x" * 998] * 66, ".").says("250")
            await (script.hears(MAIL).says("250").hears(f"RCPT TO:<{'l' * 65}@bob.example>").says("501 5.1.3")
                   .hears(f"RCPT TO:<l@{'d' * 256}>").says("501 5.1.3").hears("NOOP").says("250"))
    run(main())
    assert len(box.contents[0]) == 66_000
    assert len(box.envelopes[0].recipients) == 100


def test_P13_more_than_that_is_refused_and_the_session_goes_on() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box) as place:
            await (greeted(place).hears("NOOP " + "x" * 3000).says("500 5.5.2")
                   .hears("NOOP " + "x" * 100_000).says("500 5.5.2").hears("NOOP").says("250")
                   .hears(MAIL, RCPT, "DATA").says("250").says("250").says("354")
                   .hears("x" * 999, ".").says("554 5.6.0").hears(RCPT).says("503")
                   .hears(MAIL).says("250"))
    run(main())
    assert box.contents == []


def test_P14_recipients_beyond_the_limit_may_come_back_later() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box) as place:
            script = greeted(place).hears(MAIL).says("250")
            for number in range(120):
                script = script.hears(f"RCPT TO:<r{number}@bob.example>").says("250" if number < 100 else "452 4.5.3")
            await script.hears("DATA").says("354").hears(".").says("250")
    run(main())
    assert len(box.envelopes[0].recipients) == 100


@pytest.mark.parametrize("path", ["<Postmaster>", "<postMASTER>", "<postmaster@bob.example>"])
def test_P15_the_postmaster_can_be_written_to(path: str) -> None:
    async def main() -> None:
        async with serving() as place:
            await greeted(place).hears(MAIL).says("250").hears(f"RCPT TO:{path}").says("250 2.1.5")
    run(main())


def test_P16_vrfy_gives_nothing_away() -> None:
    async def main() -> None:
        async with serving() as place:
            replies = await (greeted(place).hears("VRFY bob").says("252 2.").hears("VRFY nobody").says("252 2.")
                             .hears("VRFY").says("501 5.5.4"))
            assert replies[2] == replies[3]
    run(main())


def test_P21_addresses_beyond_ascii_need_smtputf8() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box) as place:
            await (greeted(place).hears("MAIL FROM:<zoë@alice.example>").says("553 5.6.7")
                   .hears(MAIL).says("250").hears("RCPT TO:<zoë@bob.example>").says("553 5.6.7")
                   .hears("RSET").says("250").hears("MAIL FROM:<zoë@alice.example> SMTPUTF8").says("250")
                   .hears("RCPT TO:<bøb@bob.example>").says("250")
                   .hears("DATA").says("354").hears("Subject: ж", "", ".").says("250")
                   .hears_octets(b"MAIL FROM:<\xff@alice.example> SMTPUTF8\r\n").says("500 5.5.2")
                   .hears(MAIL + " SMTPUTF8=yes").says("501 5.5.4"))
        async with serving(box, smtputf8=False) as place:
            await greeted(place).hears(MAIL + " SMTPUTF8").says("555 5.5.4")
    run(main())
    assert box.contents == ["Subject: ж\r\n\r\n".encode()]
    assert box.protocols == ["UTF8SMTP"]
    assert str(box.envelopes[0].reverse_path) == "zoë@alice.example"


def test_P22_every_reply_but_a_few_has_an_enhanced_code_of_its_own_class_on_each_line() -> None:
    async def main() -> list[list[str]]:
        async with serving(wrong_commands_limit=99) as place:
            return await (
                talk(place).says("220").hears("EHLO a.example").says("250").hears("HELO").says("501")
                .hears("FOO").says("500")
                .hears(MAIL).says("250").hears("RCPT TO:<nobody@bob.example>").says("550").hears("DATA").says("554")
                .hears(RCPT).says("250").hears("HELP").says("214").hears("VRFY x").says("252")
                .hears("EXPN x").says("502").hears("AUTH PLAIN").says("502").hears("STARTTLS").says("502")
                .hears("DATA").says("354").hears(".").says("250")
                .hears("MAIL FROM:<a@a.example> SIZE=99999999").says("552").hears("QUIT").says("221"))

    replies = run(main())
    for reply in replies[3:]:
        for line in reply:
            assert re.match(r"3\d\d[- ](?!\d\.)|([245])\d\d[- ]\1\.\d{1,3}\.\d{1,3} ", line), line
    for reply in replies[:3]:
        assert not re.match(r"\d\d\d[- ]\d\.\d", reply[0])


def test_P23_a_group_of_commands_is_answered_in_order() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box) as place:
            await (greeted(place).hears(MAIL, RCPT, "RCPT TO:<nobody@bob.example>", "DATA")
                   .says("250 2.1.0").says("250 2.1.5").says("550 5.1.1").says("354")
                   .hears("one", ".", MAIL, "RCPT TO:<nobody@bob.example>", "DATA")
                   .says("250 2.0.0").says("250 2.1.0").says("550 5.1.1").says("554 5.5.1")
                   .hears("RSET", "MAIL FROM:<mallory@eve.example>", RCPT, "DATA", "QUIT")
                   .says("250").says("550 5.7.1").says("503").says("503").says("221").closes())
    run(main())
    assert box.contents == [b"one\r\n"]


def test_P23_commands_of_a_client_that_sends_no_more_are_still_answered() -> None:
    async def main() -> None:
        async with serving() as place:
            await (talk(place).says("220").hears("EHLO a.example", "NOOP", "QUIT").half_closes()
                   .says("250").says("250").says("221").closes())
            await talk(place).says("220").hears("NOOP").hears_octets(b"half a li").half_closes().says("250").closes()
    run(main())


def test_P24_a_message_too_big_is_refused_before_it_is_sent_or_after_it_has_come() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box, size_limit_octets=70_000) as place:
            await (greeted(place)
                   .hears(MAIL + " SIZE=70001").says("552 5.3.4").hears(MAIL + " SIZE=big").says("501 5.5.4")
                   .hears(MAIL + " SIZE").says("501 5.5.4").hears(MAIL + " SIZE=1 SIZE=2").says("501 5.5.4")
                   .hears(MAIL + " SIZE=10", RCPT, "DATA").says("250").says("250").says("354")
                   .hears(*["x" * 998] * 71, ".").says("552 5.3.4").hears("NOOP").says("250")
                   .hears(MAIL, RCPT, "DATA").says("250").says("250").says("354")
                   .hears(*["x" * 998] * 1000, ".").says("552 5.3.4")
                   .hears(MAIL, RCPT, "DATA").says("250").says("250").says("354")
                   .hears(*["x" * 998] * 70, ".").says("250"))
    run(main())
    assert [len(content) for content in box.contents] == [70_000]


def test_P25_all_eight_bits_survive_declared_or_not() -> None:
    box = Inbox()
    text = bytes(octet for octet in range(1, 256) if octet not in b"\r\n") + b"\r\n"

    async def main() -> None:
        async with serving(box) as place:
            await (greeted(place).hears(MAIL + " BODY=8BITMIME", RCPT, "DATA").says("250").says("250").says("354")
                   .hears_octets(text + b".\r\n").says("250")
                   .hears(MAIL + " BODY=BINARYMIME").says("501 5.5.4").hears(MAIL, RCPT, "DATA").says("250").says("250")
                   .says("354").hears_octets(text + b".\r\n").says("250"))
    run(main())
    assert box.contents == [text, text]


@pytest.mark.parametrize("command", [
    b"MAIL FROM:<a@a.example\nRCPT TO:<b@b.example>\r\n", b"MAIL FROM:<a\0b@a.example>\r\n",
    b"MAIL FROM:<a\rb@a.example>\r\n",
    b'MAIL FROM:<"a\nb"@a.example>\r\n', b"MAIL FROM:<a\x0bb@a.example>\r\n", b"MAIL FROM:<a@a.example>\x7f\r\n"])
def test_P30_no_address_carries_a_line_end_or_a_control_character(command: bytes) -> None:
    async def main() -> None:
        async with serving() as place:
            await greeted(place).hears_octets(command).says("500 5.5.2").hears("RCPT TO:<b@b.example>").says("503")
    run(main())


@pytest.mark.parametrize(("command", "code"), [
    ("MAIL FROM:<>", "250 2.1.0"), ("MAIL FROM: <alice@alice.example>", "250"),
    ("MAIL FROM:alice@alice.example", "501 5.1.7"),
    ("MAIL FROM:<@a.example,@b.example:alice@alice.example>", "250"), ("MAIL FROM:<alice@alice.example", "501 5.1.7"),
    ("MAIL FROM:<alice@alice.example>X=1", "501 5.1.7"), ("MAIL FROM:<alice>", "501 5.1.7"),
    ('MAIL FROM:<"a b>c"@alice.example> SIZE=1', "250"), ("MAIL FROM:<alice@[192.0.2.7]>", "250"),
    ("MAIL FROM:<alice@alice.example> =1", "501 5.5.4"), ("MAIL FROM:<alice@alice.example> SIZE= ", "501 5.5.4"),
    ("MAIL", "501 5.5.4"), ("MAIL FROM:<alice@alice.example>  ", "250"),
    ("MAIL FROM:<mallory@eve.example>", "550 5.7.1"),
    ("MAIL FROM:<alice@alice.example> AUTH=<>", "555 5.5.4")])
def test_P06_paths_of_every_shape(command: str, code: str) -> None:
    async def main() -> None:
        async with serving() as place:
            await greeted(place).hears(command).says(code)
    run(main())


def test_P06_a_recipient_cannot_be_the_null_path() -> None:
    async def main() -> None:
        async with serving() as place:
            await (greeted(place).hears("MAIL FROM:<>").says("250").hears("RCPT TO:<>").says("501 5.1.3")
                   .hears(RCPT + " NOTIFY=NEVER").says("555 5.5.4").hears("RCPT").says("501 5.5.4")
                   .hears("RCPT TO:<@a.example:bob@bob.example>").says("250"))
            await talk(place).says("220").hears("HELO a.example").says("250").hears(MAIL + " SIZE=1").says("555 5.5.4")
    run(main())


def test_a_client_that_makes_no_sense_is_let_go_with_421() -> None:
    async def main() -> None:
        async with serving(wrong_commands_limit=3) as place:
            await talk(place).says("220").hears("a", "b", "c", "d").says("500").says("500").says("421 4.7.0").closes()
    run(main())


def test_so_many_messages_and_no_more_on_one_connection() -> None:
    async def main() -> None:
        async with serving(transactions_limit=1) as place:
            await (greeted(place).hears(MAIL).says("250").hears("RSET").says("250")
                   .hears(MAIL).says("421 4.7.0").closes())
    run(main())


class _Failing(Inbox):
    async def message(self, session: Session, envelope: Envelope) -> Response:
        raise RuntimeError("the disk is on fire")


def test_a_failing_handler_costs_a_451_and_is_reported() -> None:
    async def main() -> list[dict[str, Any]]:
        import asyncio
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        async with serving(_Failing()) as place:
            await (greeted(place).hears(MAIL, RCPT, "DATA").says("250").says("250").says("354")
                   .hears(".").says("451 4.3.0").hears("NOOP").says("250"))
        return problems
    assert "disk is on fire" in str(run(main())[0]["exception"])


def test_a_handler_may_end_the_session() -> None:
    class Full(Inbox):
        async def rcpt(self, session: Session, recipient: Any, params: Any) -> Response | None:
            return Response(421, "4.3.2", "Closing for today")

    async def main() -> None:
        async with serving(Full()) as place:
            await greeted(place).hears(MAIL, RCPT, "DATA").says("250").says("421 4.3.2").closes()
    run(main())


def test_misspelt_handlers_fail_at_start_up() -> None:
    class Misspelt(Inbox):
        async def mesage(self, session: Session, envelope: Envelope) -> Response:
            return Response(250, "2.0.0", "lost")

    class Old(Inbox):
        async def handle_DATA(self) -> str:
            return "250 lost"

    class Incomplete:
        async def message(self, session: Session, envelope: Envelope) -> Response:
            return Response(250, "2.0.0", "fine")

    for handler, words in ((Misspelt(), "mesage would never be called"), (Old(), "handle_DATA"),
                           (Incomplete(), "async def mail")):
        with pytest.raises(UsageError, match=words):
            check_handler(handler)
    check_handler(Inbox())


@pytest.mark.parametrize("wrong", [
    {"hostname": ""}, {"hostname": "a.example\r\n"}, {"implicit_tls": True}, {"auth_required": True},
    {"mechanisms": ("NTLM",)}])
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ServerSettings(**{"hostname": HOST} | wrong)
