"""Zones: reading, writing, judging and searching them."""

from __future__ import annotations

import dns.name
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.dns.answering import Finding, Kind
from simulator.dns.zones import DelegatingZone, Zone, delegating_zone_text, lint
from simulator.errors import PlanError

HEAD = "$TTL 3600\n@ IN SOA ns hostmaster 1 7200 900 1209600 300\n@ IN NS ns\nns IN A 192.0.2.53\n"


def find(zone: Zone | DelegatingZone, name: str, rdtype: str) -> Finding:
    return zone.find(dns.name.from_text(name), dns.rdatatype.from_text(rdtype))


def texts(found: Finding) -> list[str]:
    return [line for rrset in found.rrsets for line in rrset.to_text().splitlines()]


# --- reading and writing ---------------------------------------------------------------------------------------------

def test_A04_every_record_type_of_the_course_survives_reading_and_printing() -> None:
    text = HEAD + r"""
@           IN MX    10 mx              ; the comment goes
            900 IN MX 20 backup.provider.test.
mx          IN A     192.0.2.25
            IN AAAA  2001:db8::25
www         IN CNAME mx
@           IN TXT   "v=spf1 mx -all" "; not a comment \"quoted\""
_submissions._tcp IN SRV 0 1 465 mail
_25._tcp.mx IN TLSA  3 1 1 ( 0123456789abcdef0123456789abcdef
                             0123456789abcdef0123456789abcdef )
$ORIGIN deeper.bob.example.
host        60 A     198.51.100.7
*           IN MX    10 mx.bob.example.
"""
    zone = Zone.from_text(text, "bob.example")
    printed = zone.to_text()
    assert Zone.from_text(printed, "bob.example").to_text() == printed
    assert printed.splitlines()[1].split("\t")[3] == "SOA"
    assert "bob.example.\t900\tIN\tMX\t10 mx.bob.example." in printed  # RFC 2181 section 5.2: one TTL for the set
    assert "host.deeper.bob.example.\t60\tIN\tA\t198.51.100.7" in printed
    assert '"v=spf1 mx -all" "; not a comment \\"quoted\\""' in printed
    assert len(printed.splitlines()) == 14


def test_A04_reverse_zones_hold_ptr_records() -> None:
    zone = Zone.from_text("$TTL 60\n@ SOA ns.bob.example. h.bob.example. 1 1 1 1 1\n25 PTR mx.bob.example.\n",
                          "2.0.192.in-addr.arpa")
    assert texts(find(zone, "25.2.0.192.in-addr.arpa", "PTR")) == ["25.2.0.192.in-addr.arpa. 60 IN PTR mx.bob.example."]


label = st.from_regex(r"[a-z0-9_]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
host = st.lists(label, min_size=1, max_size=3).map(lambda labels: ".".join(labels) + ".bob.example.")
string = st.binary(max_size=255).map(lambda octets: '"' + "".join(f"\\{octet:03d}" for octet in octets) + '"')
record = st.one_of(
    st.tuples(host, st.just("A"), st.integers(0, 255).map("192.0.2.{}".format)),
    st.tuples(host, st.just("AAAA"), st.integers(0, 65535).map("2001:db8::{:x}".format)),
    st.tuples(host, st.just("MX"), st.tuples(st.integers(0, 65535), host).map(lambda pair: f"{pair[0]} {pair[1]}")),
    st.tuples(host, st.just("TXT"), st.lists(string, min_size=1, max_size=3).map(" ".join)),
    st.tuples(host, st.sampled_from(("NS", "PTR")), host),
)


@given(st.lists(st.tuples(record, st.integers(0, 2**31 - 1)), max_size=12))
@settings(max_examples=60, deadline=None)
def test_A04_any_zone_reads_back_as_it_was_printed(records: list[tuple[tuple[str, str, str], int]]) -> None:
    text = HEAD + "".join(f"{name} {ttl_s} IN {kind} {data}\n" for (name, kind, data), ttl_s in records)
    zone = Zone.from_text(text, "bob.example")
    again = Zone.from_text(zone.to_text(), "bob.example")
    assert again.nodes == zone.nodes
    assert again.to_text() == zone.to_text()


@given(st.text(alphabet=st.sampled_from('abn01 \t\n"();$@.*\\INATXMOSTLRG'), max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_zone_or_a_plan_error_with_its_line(text: str) -> None:
    try:
        Zone.from_text(text, "bob.example")
    except PlanError as error:
        assert str(error).startswith("Zone bob.example., line ")


@pytest.mark.parametrize(("line", "sentence"), [
    ("mx IN B 192.0.2.1", "'B' is not a record type"),
    ("mx IN A 192.0.2.300", "Text input is malformed"),
    ("mx IN MX mx", "Expecting an integer"),
    ("mx IN A 192.0.2.1 192.0.2.2", "expected EOL|Expected EOL"),
    ("mx ANY x", "cannot stand in a zone"),
    ("$INCLUDE other.zone", r"\$INCLUDE is not understood here"),
    ("$TTL soon", "(?i)ttl|soon"),
    ("mx.carol.example. IN A 192.0.2.1", "does not lie in this zone"),
    ("mx IN SOA ns h 1 1 1 1 1", "belongs to the zone's own name"),
    ("a..b IN A 192.0.2.1", "label is empty"),
    ("@ SOA ns h 2 1 1 1 1", "bob.example. has a second SOA record"),
])
def test_what_is_wrong_is_told_with_its_line(line: str, sentence: str) -> None:
    with pytest.raises(PlanError, match=sentence) as caught:
        Zone.from_text(HEAD + line + "\n", "bob.example")
    assert str(caught.value).startswith("Zone bob.example., line 5: ")


def test_a_zone_must_say_how_long_it_holds() -> None:
    with pytest.raises(PlanError, match="line 1: There is no TTL yet"):
        Zone.from_text("mx A 192.0.2.1", "bob.example")
    with pytest.raises(PlanError, match="must begin with a name"):
        Zone.from_text(" A 192.0.2.1", "bob.example")
    without = Zone.from_text("@ SOA ns h 1 1 1 1 77\nmx A 192.0.2.1\n", "bob.example")
    assert find(without, "mx.bob.example", "A").rrsets[0].ttl == 77


@pytest.mark.parametrize(("line", "named"), [
    ("mx A 127.0.0.1", "127.0.0.1"), ("mx A 10.0.0.1", "10.0.0.1"), ("mx AAAA fe80::1", "fe80::1"),
    ("@ MX 10 mx.somebody.invalid.", "mx.somebody.invalid."), ("@ NS ns.somebody.invalid.", "ns.somebody.invalid."),
    ("www CNAME localhost.", "localhost."),
])
def test_A05_names_and_addresses_of_real_people_are_refused(line: str, named: str) -> None:
    with pytest.raises(PlanError, match="line 5") as caught:
        Zone.from_text(HEAD + line + "\n", "bob.example")
    assert f"{named} might be somebody's real" in str(caught.value)


def test_A05_a_zone_of_a_real_name_is_refused() -> None:
    with pytest.raises(PlanError, match="somebody's real name"):
        Zone.from_text("@ 60 A 192.0.2.1", "somebody.invalid")


def test_a_zone_is_parsed_when_it_is_first_looked_into() -> None:
    written: list[str] = []

    def text() -> str:
        written.append("now")
        return HEAD + "mx A 192.0.2.25\n"
    zone = Zone("bob.example", text)
    assert written == []
    assert texts(find(zone, "mx.bob.example", "A")) == ["mx.bob.example. 3600 IN A 192.0.2.25"]
    find(zone, "mx.bob.example", "AAAA")
    assert written == ["now"]
    late = Zone("bob.example", "nonsense")
    with pytest.raises(PlanError):
        find(late, "bob.example", "MX")


# --- the linter ------------------------------------------------------------------------------------------------------

def test_a_good_zone_has_no_warnings() -> None:
    good = HEAD + """@ MX 10 mx
@ MX 20 mx.provider.test.
@ MX 30 six
mx A 192.0.2.25
six AAAA 2001:db8::25
silent MX 0 .
sub NS ns.sub
ns.sub A 192.0.2.54
www CNAME mx
"""
    assert lint(Zone.from_text(good, "bob.example")) == []


@pytest.mark.parametrize(("lines", "warning"), [
    ("@ MX 10 www\nwww CNAME mx\nmx A 192.0.2.25", "which is an alias"),
    ("@ MX 10 mx", "mx.bob.example., which has no address"),
    ("@ MX 10 mx.bob.example\nmx A 192.0.2.25", "a final dot is missing after mx.bob.example"),
    ("@ MX 10 192.0.2.25", "looks like an address"),
    ("@ MX 10 ns\n@ MX 0 .", "must stand alone"),
    ("@ NS nowhere", "nowhere.bob.example., which has no address"),
    ("sub NS ns.sub", "needs its address here, as glue"),
])
def test_the_linter_finds_what_is_allowed_and_yet_wrong(lines: str, warning: str) -> None:
    warnings = lint(Zone.from_text(HEAD + lines + "\n", "bob.example"))
    assert len(warnings) == 1
    assert warning in warnings[0]


def test_R07_the_linter_warns_of_a_mail_host_that_is_an_alias() -> None:
    zone = Zone.from_text(HEAD + "@ MX 10 www\nwww CNAME mx\nmx A 192.0.2.25\n", "bob.example")
    assert "RFC 2181 section 10.3" in lint(zone)[0]


def test_A02_an_alias_has_no_other_records() -> None:
    zone = Zone.from_text(HEAD + "www CNAME ns\nwww TXT hello\n", "bob.example")
    assert lint(zone) == ["www.bob.example. is an alias (CNAME) and so must have no other records, but has TXT "
                          "(RFC 2181 section 10.1)."]


def test_A02_an_alias_has_one_target() -> None:
    with pytest.raises(PlanError, match=r"line 6: www.bob.example. has a second CNAME record"):
        Zone.from_text(HEAD + "www CNAME a.test.\nwww CNAME b.test.\n", "bob.example")
    Zone.from_text(HEAD + "www CNAME a.test.\nwww CNAME a.test.\n", "bob.example")


def test_the_linter_misses_soa_and_ns() -> None:
    assert [warning.split(",")[0] for warning in lint(Zone.from_text("mx 60 A 192.0.2.25", "bob.example"))] == [
        "bob.example. has no SOA record", "bob.example. has no NS record"]


# --- searching -------------------------------------------------------------------------------------------------------

WILD = """
*.wild   IN MX  10 mx.provider.test.
host.wild IN A  192.0.2.7
a.b.c    IN TXT "deep"
*.any    IN CNAME mx.provider.test.
"""


def test_A03_a_wildcard_answers_for_names_that_do_not_exist() -> None:
    zone = Zone.from_text(HEAD + WILD, "bob.example")
    assert texts(find(zone, "x.wild.bob.example", "MX")) == ["x.wild.bob.example. 3600 IN MX 10 mx.provider.test."]
    assert texts(find(zone, "x.y.wild.bob.example", "MX")) == ["x.y.wild.bob.example. 3600 IN MX 10 mx.provider.test."]
    assert find(zone, "x.wild.bob.example", "A").kind is Kind.NODATA
    assert find(zone, "x.any.bob.example", "A").kind is Kind.CNAME


def test_A03_a_name_that_exists_hides_the_wildcard() -> None:
    zone = Zone.from_text(HEAD + WILD, "bob.example")
    assert find(zone, "host.wild.bob.example", "MX").kind is Kind.NODATA  # the surprise: it has an A record only
    assert find(zone, "x.host.wild.bob.example", "MX").kind is Kind.NXDOMAIN  # RFC 4592 section 2.2.1
    assert find(zone, "wild.bob.example", "MX").kind is Kind.NODATA


def test_names_between_exist_although_they_are_empty() -> None:
    zone = Zone.from_text(HEAD + WILD, "bob.example")
    assert find(zone, "c.bob.example", "TXT").kind is Kind.NODATA
    assert find(zone, "b.c.bob.example", "TXT").kind is Kind.NODATA
    assert find(zone, "x.c.bob.example", "TXT").kind is Kind.NXDOMAIN


def test_names_are_found_in_any_case() -> None:
    zone = Zone.from_text(HEAD + "Mail A 192.0.2.25\n", "Bob.Example")
    assert texts(find(zone, "MAIL.bob.EXAMPLE", "A"))[0].lower() == "mail.bob.example. 3600 in a 192.0.2.25"


# --- zones that delegate ---------------------------------------------------------------------------------------------

CHILDREN = {"bob.example": ("ns.bob.example", "192.0.2.53"), "carol.example": ("ns.provider.test", "198.51.100.53"),
            "six.example": ("ns.six.example", "2001:db8::53"), "deep.er.example": ("ns.bob.example", "192.0.2.53")}
LAZY = DelegatingZone("example", "top-level.example", "203.0.113.2", CHILDREN)
WRITTEN = Zone.from_text(delegating_zone_text("example", "top-level.example", "203.0.113.2", [
    (child, *server) for child, server in CHILDREN.items()]), "example")


@pytest.mark.parametrize("rdtype", ["A", "AAAA", "NS", "SOA", "MX", "DS"])
@pytest.mark.parametrize("name", [
    "example", "bob.example", "mx.bob.example", "ns.bob.example", "carol.example", "a.carol.example", "six.example",
    "deep.er.example", "er.example", "nobody.example", "top-level.example", "x.top-level.example"])
def test_the_lazy_and_the_written_delegating_zone_say_the_same(name: str, rdtype: str) -> None:
    assert find(LAZY, name, rdtype) == find(WRITTEN, name, rdtype)


def test_children_are_handed_over_with_glue_when_it_is_ours_to_give() -> None:
    found = find(LAZY, "mx.bob.example", "A")
    assert (found.kind, texts(found)) == (Kind.REFERRAL, ["bob.example. 3600 IN NS ns.bob.example."])
    assert [rrset.to_text() for rrset in found.glue] == ["ns.bob.example. 3600 IN A 192.0.2.53"]
    assert find(LAZY, "carol.example", "MX").glue == ()
    assert lint(WRITTEN) == []


def test_the_root_is_a_zone_like_any_other() -> None:
    root = Zone.from_text(delegating_zone_text("", "root-server.test", "203.0.113.1", [
        ("example", "top-level.example", "203.0.113.2"), ("test", "top-level.test", "203.0.113.3")]), "")
    assert find(root, "mx.bob.example", "A").kind is Kind.REFERRAL
    assert find(root, "somebody", "A").kind is Kind.NXDOMAIN
    assert find(root, ".", "NS").kind is Kind.DATA
