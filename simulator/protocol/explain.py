"""What a line means, in one or two plain sentences with the section of the RFC that says so."""

from __future__ import annotations

import re

from simulator.protocol.meanings import (
    FAMILIES,
    FIELDS,
    KEYWORDS,
    NULL_PATH,
    OTHER_KEYWORD,
    RECORDS,
    REPLIES,
    STATUS,
    VERBS,
)
from simulator.protocol.tls_records import HEADER_OCTETS, RECORD_OCTETS, tls_records

_REPLY = re.compile(r"([2-5][0-9]{2})(?:[ -](?:([245])\.([0-9]{1,3}\.[0-9]{1,3})(?!\S))?\s*(.*))?")
_EXPLAINED_OCTETS = 8192
"""Nothing that can be explained is longer; a big message is not searched for it."""
_CODE = re.compile(r"([245])\.([0-9]{1,3}\.[0-9]{1,3})")
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:")


def explain(said: bytes | str, *, verb: str | None = None) -> str:
    """Say what a command, a reply, an enhanced code, an EHLO keyword, a header field or a TLS record means.

    `verb` is that of the trace event, if there is one: of a reply, the command that it answers ("" for the greeting).
    Of several lines only the first is explained. Returns "" for what means nothing special. It does not know where a
    line stands: in the text of a letter, "Help me" would be taken for a command.
    """
    octets = said.encode("utf-8", "surrogatepass") if isinstance(said, str) else said
    records = tls_records(octets[: HEADER_OCTETS + RECORD_OCTETS])
    if records:
        return f"TLS record, {records[0].size_octets} octets. {RECORDS[records[0].name]}"
    lines = octets[:_EXPLAINED_OCTETS].decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    reply = _REPLY.fullmatch(lines[0])
    if reply:
        return _explain_reply(*reply.groups(default=""), others=lines[1:], verb=verb)
    return _explain_line(lines[0], verb)


def explain_keyword(line: str) -> str:
    """Say what one line of an EHLO reply offers, such as "SIZE 1000000", also when the extension is not known here."""
    return str(KEYWORDS.get(_keyword(line), OTHER_KEYWORD))


def _explain_line(line: str, verb: str | None) -> str:
    if verb == "*AUTH":
        return str(VERBS["*" if line == "*" else "*AUTH"])
    word = line.partition(" ")[0].upper()
    if word in VERBS:
        null = word == "MAIL" and re.match(r"MAIL FROM:\s*<>", line, re.IGNORECASE)
        return f"{VERBS[word]} {NULL_PATH}" if null else str(VERBS[word])
    status, field = _CODE.fullmatch(line), _FIELD.match(line)
    if status:
        return _explain_status(status[1], status[2])
    if field:
        return str(FIELDS.get(field[1].upper(), ""))
    return str(KEYWORDS.get(_keyword(line), ""))


def _explain_reply(code: str, family: str, detail: str, text: str, *, others: list[str], verb: str | None) -> str:
    if code == "250" and not family and verb in ("EHLO", None):
        if _keyword(text) in KEYWORDS:  # one line of an EHLO reply by itself
            return explain_keyword(text)
        if any(_keyword(other[4:]) in KEYWORDS for other in others):
            verb = "EHLO"
    question = {None: "", "": "greeting", "*AUTH": "AUTH"}.get(verb, verb)
    meaning = REPLIES.get(f"{code} {question}") or REPLIES.get(code) or FAMILIES[code[0]]
    return f"{meaning} {_explain_status(family, detail)}" if family else str(meaning)


def _explain_status(family: str, detail: str) -> str:
    meaning = STATUS.get(detail) or STATUS.get(f"{detail.partition('.')[0]}.0") or STATUS["0.0"]
    return f"{family}.{detail}: {meaning}"


def _keyword(line: str) -> str:
    return re.split(r"[ =]", line.strip(), maxsplit=1)[0].upper()
