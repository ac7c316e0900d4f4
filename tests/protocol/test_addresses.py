"""Addresses: what is one, what is none, and that nothing of them is lost (rows P10, P13, P15, P30, D05)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import UsageError
from simulator.protocol.addresses import Address, parse_address, parse_address_list, parse_path

GOOD = {
    "bob@bob.example": ("bob", "bob.example"),
    "Bob.Smith@Bob.Example": ("Bob.Smith", "Bob.Example"),
    "!#$%&'*+-/=?^_`{|}~@bob.example": ("!#$%&'*+-/=?^_`{|}~", "bob.example"),
    "bob%eve.example@bob.example": ("bob%eve.example", "bob.example"),  # the "percent hack" is just a local part
    "bob+list@bob.example": ("bob+list", "bob.example"),
    '"bob smith"@bob.example': ("bob smith", "bob.example"),
    '"a@b"@bob.example': ("a@b", "bob.example"),
    '"a\\"b\\\\c"@bob.example': ('a"b\\c', "bob.example"),
    '"bob"@bob.example': ("bob", "bob.example"),  # RFC 5321 section 4.1.2: the quotes are not needed
    '"\\b\\o\\b"@bob.example': ("bob", "bob.example"),
    '""@bob.example': ("", "bob.example"),
    '".."@bob.example': ("..", "bob.example"),
    '"<>,;:()[]"@bob.example': ("<>,;:()[]", "bob.example"),
    "bob@[192.0.2.7]": ("bob", "[192.0.2.7]"),
    "bob@[IPv6:2001:db8::7]": ("bob", "[IPv6:2001:db8::7]"),
    "bob@[ipv6:2001:db8::192.0.2.7]": ("bob", "[ipv6:2001:db8::192.0.2.7]"),
    "bob@localhost": ("bob", "localhost"),
    "bob@1.2.example": ("bob", "1.2.example"),
    "bob@a--b.example": ("bob", "a--b.example"),
    "bob@münchen.example": ("bob", "münchen.example"),
    "bob@xn--mnchen-3ya.example": ("bob", "xn--mnchen-3ya.example"),
    "böb@bob.example": ("böb", "bob.example"),
    "用户@例子.example": ("用户", "例子.example"),
    "a" * 64 + "@bob.example": ("a" * 64, "bob.example"),
    "bob@" + "a" * 63 + ".example": ("bob", "a" * 63 + ".example"),
    "bob@" + ".".join(["abcdefg"] * 31) + ".example": ("bob", ".".join(["abcdefg"] * 31) + ".example"),
}


@pytest.mark.parametrize(("text", "parts"), GOOD.items())
def test_good_addresses(text: str, parts: tuple[str, str]) -> None:
    address = parse_address(text)
    assert (address.local_part, address.domain) == parts
    assert parse_address(str(address)) == address
    if len(text.encode()) <= 254:  # RFC 5321 section 4.5.3.1.3: with the angle brackets 256
        assert parse_path(f"<{text}>") == address
    assert address.ascii == text.isascii()


BAD = [
    "", "bob", "@", "@bob.example", "bob@", "bob@@bob.example", "bob@bob.example@", "a@b@bob.example",
    ".bob@bob.example", "bob.@bob.example", "bo..b@bob.example", "bo b@bob.example", "bob @bob.example", " bob@bob.example",
    "bob@bob.example ", "bob@ bob.example", "<bob@bob.example>", "bob@bob.example>", "bob(x)@bob.example", "bo,b@bob.example",
    "bo;b@bob.example", "bo:b@bob.example", "bo[b@bob.example", "bo\\b@bob.example", 'bo"b@bob.example', '"bob@bob.example',
    '"bob"x@bob.example', '"bob\\"@bob.example', '"a"b"@bob.example', '"böb\\ö"@bob.example',
    "bob@bob..example", "bob@.example", "bob@bob.example.", "bob@-bob.example", "bob@bob-.example", "bob@bob_x.example",
    "bob@bob!.example", "bob@bob.example/x", "bob@bob.example:25", "bob@*.example", "bob@[192.0.2]", "bob@[192.0.2.256]",
    "bob@[192.0.2.7", "bob@192.0.2.7]", "bob@[]", "bob@[IPv6:192.0.2.7]", "bob@[2001:db8::7]", "bob@[IPv6:2001:db8::7%eth0]",
    "bob@[IPv6:]", "bob@[x:y]", "bob@[192.0.2.7].example", "a" * 65 + "@bob.example", "ö" * 33 + "@bob.example",
    "bob@" + "a" * 64 + ".example", "bob@" + ".".join(["abcdefg"] * 32) + ".example", "bob@" + "ö" * 64 + ".example",
    "bob@bob.example\r\nRCPT TO:<eve@eve.example>", "bob@bob.example\n", "bob\r@bob.example", "bob\0@bob.example",
    "\tbob@bob.example", "bob\x7f@bob.example", "bob\x85@bob.example", "bob\u2028@bob.example", '"a\tb"@bob.example',
    '"a\r\nb"@bob.example', "bob\ufffd@bob.example", "bob\udc80@bob.example", "bob@bob\udc80.example", "\ud800@bob.example",
    "bob@bob。example",  # a dot of another script: the name would become another one
    "bob@eve\uff20bob.example",  # becomes @
    "bob@bob\u2100.example",  # becomes a/c
    "bob@bob\u00ad.example-.example",
    "x" * 100_000, "@" * 100_000, "bob@" + "a." * 50_000, '"' + "\\" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=lambda text: ascii(text[:30]))
def test_bad_addresses_are_told_in_one_sentence(text: str) -> None:
    for parse, given in ((parse_address, text), (parse_path, f"<{text}>")):
        if parse is parse_path and text in ("", "<bob@bob.example>"):
            continue
        with pytest.raises(UsageError) as caught:
            parse(given)
        sentence = str(caught.value)
        assert sentence.isprintable()
        assert sentence.endswith(".")
        assert len(sentence) < 500


def test_what_is_no_text_is_no_address() -> None:
    for value in (None, 5, b"bob@bob.example", ["bob@bob.example"]):
        with pytest.raises(UsageError, match="An address is a text"):
            parse_address(value)  # type: ignore[arg-type]


# --- paths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["Postmaster", "postmaster", "POSTMASTER"])
def test_P15_postmaster_needs_no_domain(word: str) -> None:
    address = parse_path(f"<{word}>")
    assert address == Address(word, "")
    assert str(address) == word
    assert parse_path(f"<{address}>") == address
    assert parse_path("<postmaster@bob.example>") == Address("postmaster", "bob.example")


def test_the_null_path() -> None:
    assert parse_path("<>") is None


@pytest.mark.parametrize(
    "route", ["@a.example:", "@a.example,@b.example:", "@[192.0.2.7]:", "@[IPv6:2001:db8::7],@b.example:"]
)
def test_a_source_route_is_read_and_ignored(route: str) -> None:
    assert parse_path(f"<{route}bob@bob.example>") == Address("bob", "bob.example")


@pytest.mark.parametrize(
    "text",
    ["", "bob@bob.example", "<bob@bob.example", "bob@bob.example>", "< >", "<bob>", "<@a.example>", "<@a.example:>", "<@:b@b.example>",
     "<@a.example,b.example:bob@bob.example>", "<@a.example;bob@bob.example>", "< bob@bob.example>", "<bob@bob.example> ",
     "<@a.example:@b.example:bob@bob.example>", "<<bob@bob.example>>", "<postmaster@>", "<" + "@a.example," * 30 + ">",
     '<"' + "a" * 62 + '"@' + ".".join(["abcdefg"] * 24) + ".example>", "<" + "@" * 200_000],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_bad_paths(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_path(text)
    assert len(str(caught.value)) < 500


def test_P13_a_path_has_256_octets() -> None:
    domain = ".".join(["abcdefg"] * 23) + ".example"
    local = "a" * (256 - len(domain) - 3)
    assert parse_path(f"<{local}@{domain}>")
    with pytest.raises(UsageError, match="256"):
        parse_path(f"<{local}aa@{domain}.example>")


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("bob@BOB.Example", "bob.example"),
        ("bob@MÜNCHEN.example", "xn--mnchen-3ya.example"),
        ("bob@xn--Mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("bob@[IPv6:2001:DB8::7]", "[ipv6:2001:db8::7]"),
    ],
)
def test_P10_domains_do_not_depend_on_case(text: str, key: str) -> None:
    assert parse_address(text).domain_key == key
    assert parse_address(text).local_part == "bob"


# --- whatever is given -----------------------------------------------------------------------------------------------

LOCAL = st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("äß例\u00a0"), max_size=20)
LABEL = st.from_regex(r"[a-z0-9äö例]([a-z0-9-]{0,8}[a-zä])?", fullmatch=True)
DOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join) | st.ip_addresses(v=4).map("[{}]".format)


@given(LOCAL, DOMAIN)
def test_an_address_that_is_written_can_be_read(local: str, domain: str) -> None:
    quoted = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    try:
        address = parse_address(f"{quoted}@{domain}")
    except UsageError:
        assert len(quoted.encode()) > 64 or domain.isascii() is False or "--" in domain
        return
    assert address == Address(local, domain)
    assert parse_address(str(address)) == address
    assert parse_address_list(f"Bob <{address}>") == [address]


@given(st.text(alphabet='ab.@"\\<>[]:, (é\r\n\0') | st.text())
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    for parse in (parse_address, parse_path, parse_address_list):
        try:
            found = parse(text)
        except UsageError as error:
            assert str(error).isprintable()
        else:
            for address in found if isinstance(found, list) else [found]:
                if address is not None and address.domain:
                    assert parse_address(str(address)) == address


# --- in header fields ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("", []),
        (" , ,", []),
        ("bob@bob.example", ["bob@bob.example"]),
        ("Bob <bob@bob.example>, carol@bob.example", ["bob@bob.example", "carol@bob.example"]),
        ('"Bob, (the) <Builder>" <bob@bob.example>,', ["bob@bob.example"]),
        ("bob@bob.example (Bob, (the) Builder)", ["bob@bob.example"]),
        ("(a \\) comment) bob@bob.example", ["bob@bob.example"]),
        ("undisclosed-recipients:;", []),
        ("Team: bob@bob.example, Carol <carol@bob.example>; dave@bob.example", ["bob@bob.example", "carol@bob.example", "dave@bob.example"]),
        ('"a, b"@bob.example', ['"a, b"@bob.example']),
        ("bob@[IPv6:2001:db8::7], <carol@[192.0.2.7]>", ["bob@[IPv6:2001:db8::7]", "carol@[192.0.2.7]"]),
        ("=?utf-8?q?B=C3=B6b?= <bob@bob.example>", ["bob@bob.example"]),
        ("Böb <böb@bob.example>", ["böb@bob.example"]),
        ("<@a.example:bob@bob.example>", ["bob@bob.example"]),
        ("Bob\r\n <bob@bob.example>", ["bob@bob.example"]),
        ('<"a>b"@bob.example>', ['"a>b"@bob.example']),
    ],
)  # fmt: skip
def test_address_lists(text: str, addresses: list[str]) -> None:
    assert [str(address) for address in parse_address_list(text)] == addresses


@pytest.mark.parametrize(
    "text",
    ["bob", "Bob bob@bob.example", "a@a.example b@b.example", "<>", "Bob <>", "Bob <bob>", "(open bob@bob.example", '"open bob@bob.example',
     "<bob@bob.example", "bob@bob.example>", "<a@a.example> <b@b.example>", "Team: bob; x", "\0@bob.example", "(" * 200_000,
     "<" * 200_000, '"' * 200_001, "[" * 200_000, "\\" * 200_000, "a@b.example (x)) "],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_address_lists_that_cannot_be_read(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(UsageError) as caught:
        parse_address_list(text)
    assert len(str(caught.value)) < 500
    assert time.perf_counter() - started < 8


def test_a_long_list_takes_no_time() -> None:
    started = time.perf_counter()
    assert len(parse_address_list("Bob <bob@bob.example>, " * 20_000)) == 20_000
    assert time.perf_counter() - started < 8
