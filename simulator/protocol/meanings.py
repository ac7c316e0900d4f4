"""The words of SMTP and what they mean: verbs, EHLO keywords, reply codes, status codes, header fields, TLS records.

Each meaning is one sentence with the section of the RFC that says so. `simulator.protocol.explain` finds the right one
for a line; lessons print whole tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Meaning(NamedTuple):
    """What something means, and where this is written."""

    text: str
    source: str

    def __str__(self) -> str:
        return f"{self.text} ({self.source})."


VERBS: Mapping[str, Meaning] = {
    "EHLO": Meaning("The client says its name and asks which extensions the server offers", "RFC 5321 section 4.1.1.1"),
    "HELO": Meaning("The old hello: the client says its name and wants no extensions", "RFC 5321 section 4.1.1.1"),
    "MAIL": Meaning(
        "Begins a message and says where to report a failure; this is the envelope, not the From field that people see",
        "RFC 5321 section 4.1.1.2",
    ),
    "RCPT": Meaning(
        "Names one recipient in the envelope; the server answers for each one, and the To field does not count",
        "RFC 5321 section 4.1.1.3",
    ),
    "DATA": Meaning(
        "Asks to send the message itself; the client waits for 354 before it does", "RFC 5321 section 4.1.1.4"
    ),
    "BDAT": Meaning("Sends so many octets of the message at once; no dots are doubled", "RFC 3030 section 2"),
    "RSET": Meaning(
        "Forget the sender, the recipients and the message; the login and TLS stay", "RFC 5321 section 4.1.1.5"
    ),
    "VRFY": Meaning(
        "Asks whether a mailbox exists; servers do not tell, because spammers would ask too", "RFC 5321 section 4.1.1.6"
    ),
    "EXPN": Meaning("Asks who is on a mailing list; most servers do not tell", "RFC 5321 section 4.1.1.7"),
    "HELP": Meaning("Asks for help; the answer is for people", "RFC 5321 section 4.1.1.8"),
    "NOOP": Meaning("Does nothing but get an answer", "RFC 5321 section 4.1.1.9"),
    "QUIT": Meaning("The client has finished; it waits for 221 before it closes", "RFC 5321 section 4.1.1.10"),
    "STARTTLS": Meaning(
        "Asks to begin TLS on this connection; until the handshake is done everybody on the path can read and change "
        "what is said",
        "RFC 3207 section 4",
    ),
    "AUTH": Meaning(
        "The client signs in with the mechanism that it names; an initial response behind it is only coded in base64, "
        "which hides nothing",
        "RFC 4954 section 4",
    ),
    "*AUTH": Meaning(
        "The client's answer to a challenge, in base64, which hides nothing by itself", "RFC 4954 section 4"
    ),
    ".": Meaning("A line with only a dot ends the message", "RFC 5321 section 4.1.1.4"),
    "*": Meaning("The client cancels the login", "RFC 4954 section 4"),
}
"""Verb of a command -> meaning; "*AUTH" is a line of a login, "." and "*" stand for themselves."""

NULL_PATH = Meaning(
    "The empty path <> says that this is itself a report: should it fail, nobody is told", "RFC 5321 section 4.5.5"
)
"""What `MAIL FROM:<>` means in addition."""

KEYWORDS: Mapping[str, Meaning] = {
    "SIZE": Meaning(
        "The largest message, in octets, that the server takes; 0 says that there is no fixed limit",
        "RFC 1870 section 4",
    ),
    "8BITMIME": Meaning("The text of messages may have octets over 127", "RFC 6152 section 2"),
    "PIPELINING": Meaning("The client may send several commands without waiting for each reply", "RFC 2920 section 3"),
    "STARTTLS": Meaning(
        "The server can go over to TLS. This line travels in clear, so that somebody on the path can remove it",
        "RFC 3207 section 4",
    ),
    "AUTH": Meaning("One can sign in, by one of these mechanisms", "RFC 4954 section 3"),
    "ENHANCEDSTATUSCODES": Meaning("Replies carry a second, finer code such as 5.1.1", "RFC 2034 section 3"),
    "SMTPUTF8": Meaning("Addresses and header fields may be in any script", "RFC 6531 section 3.1"),
    "CHUNKING": Meaning("The message can be sent by BDAT, in pieces of known size", "RFC 3030 section 2"),
    "BINARYMIME": Meaning("The message may be any octets, without lines, if BDAT sends it", "RFC 3030 section 3"),
    "DSN": Meaning("The sender can say which reports about the delivery it wants", "RFC 3461 section 4"),
    "HELP": Meaning("The server answers HELP", "RFC 5321 section 4.1.1.8"),
    "VRFY": Meaning("The server knows the command VRFY, which need not mean that it tells", "RFC 5321 section 4.1.1.6"),
    "EXPN": Meaning("The server knows the command EXPN, which need not mean that it tells", "RFC 5321 section 4.1.1.7"),
}
"""Keyword of an EHLO reply -> meaning."""

OTHER_KEYWORD = Meaning(
    "An extension that is not used here: client and server use what both know", "RFC 5321 section 2.2.1"
)
"""What any other keyword means."""

REPLIES: Mapping[str, Meaning] = {
    "211": Meaning("The state of the server, or help", "RFC 5321 section 4.2.3"),
    "214": Meaning("Help, for people", "RFC 5321 section 4.2.3"),
    "220": Meaning("The server is ready", "RFC 5321 section 4.2.3"),
    "220 greeting": Meaning("The server speaks first, says its name, and is ready", "RFC 5321 section 3.1"),
    "220 STARTTLS": Meaning(
        "The server is ready for the TLS handshake; both sides forget all that was said in clear", "RFC 3207 section 4"
    ),
    "221": Meaning("The server says goodbye and closes the connection", "RFC 5321 section 4.1.1.10"),
    "235": Meaning("The login worked", "RFC 4954 section 6"),
    "250": Meaning("Done", "RFC 5321 section 4.2.3"),
    "250 EHLO": Meaning(
        "The server greets back with its own name; every further line offers an extension", "RFC 5321 section 4.1.1.1"
    ),
    "250 HELO": Meaning("The server greets back; without EHLO there are no extensions", "RFC 5321 section 4.1.1.1"),
    "250 MAIL": Meaning("The sender is accepted for now", "RFC 5321 section 3.3"),
    "250 RCPT": Meaning("This recipient is accepted", "RFC 5321 section 3.3"),
    "250 DATA": Meaning(
        "The server has the message and is responsible from now on: it delivers it, passes it on, or reports a failure",
        "RFC 5321 section 4.1.1.4",
    ),
    "250 BDAT": Meaning(
        "The piece has arrived; with the last one the server becomes responsible for the message", "RFC 3030 section 2"
    ),
    "251": Meaning("The mailbox has moved; the server passes the message on to it", "RFC 5321 section 3.4"),
    "252": Meaning("The server does not say whether the mailbox exists; just try to send", "RFC 5321 section 3.5.3"),
    "334": Meaning(
        "The server wants a line of the login; behind the code is its challenge, in base64", "RFC 4954 section 4"
    ),
    "354": Meaning("Send the message now, and end it with a line that has only a dot", "RFC 5321 section 4.1.1.4"),
    "421": Meaning("The server has to close the connection; the client tries again later", "RFC 5321 section 3.8"),
    "432": Meaning("The user has to change the password in another way first", "RFC 4954 section 6"),
    "450": Meaning("The mailbox is not available now; the client tries again later", "RFC 5321 section 4.2.3"),
    "451": Meaning("Something went wrong inside the server; the client tries again later", "RFC 5321 section 4.2.3"),
    "452": Meaning(
        "There is no room now, or there are too many recipients at a time; the client tries again later",
        "RFC 5321 section 4.2.3",
    ),
    "454 AUTH": Meaning(
        "The server cannot check passwords now. The password may be right: do not ask for another", "RFC 4954 section 6"
    ),
    "454 STARTTLS": Meaning("TLS is not possible at the moment", "RFC 3207 section 4"),
    "454": Meaning("Logging in, or TLS, is not possible at the moment", "RFC 4954 section 6"),
    "455": Meaning("A parameter cannot be honoured now; the client tries again later", "RFC 5321 section 4.1.1.11"),
    "500": Meaning("The server does not know this command, or the line is too long", "RFC 5321 section 4.2.3"),
    "501": Meaning("The command is known, but what stands behind it is wrong", "RFC 5321 section 4.2.3"),
    "502": Meaning("The server knows the command but does not do it", "RFC 5321 section 4.2.4"),
    "503": Meaning("The command is right, but not now: commands have an order", "RFC 5321 section 4.1.4"),
    "504": Meaning(
        "The server does not do what stands behind the command, such as this login mechanism", "RFC 5321 section 4.2.3"
    ),
    "530": Meaning("Sign in first", "RFC 4954 section 6"),
    "534": Meaning("This mechanism is too weak for this user; another one may do", "RFC 4954 section 6"),
    "535": Meaning("The login failed: the name or the password is wrong", "RFC 4954 section 6"),
    "538": Meaning("This mechanism needs TLS first; the code is historical", "RFC 4954 section 6"),
    "550": Meaning("No: there is no such mailbox, or the server's rules forbid it", "RFC 5321 section 4.2.3"),
    "551": Meaning("The mailbox has moved, and the server does not pass the message on", "RFC 5321 section 3.4"),
    "552": Meaning("The message is too big, or the mailbox is full", "RFC 5321 section 4.2.3"),
    "552 RCPT": Meaning(
        "Too many recipients, or a full mailbox; a client takes this one for temporary", "RFC 5321 section 4.5.3.1.10"
    ),
    "553": Meaning("An address that cannot be used here", "RFC 5321 section 4.2.3"),
    "554": Meaning("The message is refused, for a reason that no other code names", "RFC 5321 section 4.2.3"),
    "554 greeting": Meaning("There is no mail service for this client", "RFC 5321 section 3.1"),
    "555": Meaning("A parameter behind MAIL or RCPT is not known", "RFC 5321 section 4.1.1.11"),
    "556": Meaning("The recipient's domain takes no mail at all", "RFC 7505 section 3"),
}
"""Reply code -> meaning; "250 RCPT" is 250 as an answer to RCPT, where that means something else."""

FAMILIES: Mapping[str, Meaning] = {
    "2": Meaning("Done", "RFC 5321 section 4.2.1"),
    "3": Meaning("So far so good: the server waits for more", "RFC 5321 section 4.2.1"),
    "4": Meaning("Not now: the same may work later", "RFC 5321 section 4.2.1"),
    "5": Meaning("No: the same will not work later either", "RFC 5321 section 4.2.1"),
}
"""First digit of a reply code -> meaning; it is what counts when a client does not know the code."""

STATUS: Mapping[str, Meaning] = {
    "0.0": Meaning("nothing finer to say", "RFC 3463 section 3.1"),
    "1.0": Meaning("about the address", "RFC 3463 section 3.2"),
    "1.1": Meaning("there is no such mailbox at this domain", "RFC 3463 section 3.2"),
    "1.2": Meaning("there is no such domain, or it takes no mail", "RFC 3463 section 3.2"),
    "1.3": Meaning("the recipient's address is not well formed", "RFC 3463 section 3.2"),
    "1.4": Meaning("the address fits several mailboxes", "RFC 3463 section 3.2"),
    "1.5": Meaning("the recipient's address is valid", "RFC 3463 section 3.2"),
    "1.6": Meaning("the mailbox has moved", "RFC 3463 section 3.2"),
    "1.7": Meaning("the sender's address is not well formed", "RFC 3463 section 3.2"),
    "1.8": Meaning("the sender's domain does not exist or takes no mail", "RFC 3463 section 3.2"),
    "1.10": Meaning("the recipient's domain says in the DNS that it takes no mail (null MX)", "RFC 7505 section 3"),
    "2.0": Meaning("about the mailbox", "RFC 3463 section 3.3"),
    "2.1": Meaning("the mailbox is switched off", "RFC 3463 section 3.3"),
    "2.2": Meaning("the mailbox is full; its owner can make room", "RFC 3463 section 3.3"),
    "2.3": Meaning("the message is too big for this mailbox", "RFC 3463 section 3.3"),
    "2.4": Meaning("the mailing list could not be read", "RFC 3463 section 3.3"),
    "3.0": Meaning("about the mail system", "RFC 3463 section 3.4"),
    "3.1": Meaning("the mail system has no room left", "RFC 3463 section 3.4"),
    "3.2": Meaning("the server takes no mail now", "RFC 3463 section 3.4"),
    "3.3": Meaning("the server lacks something that the message needs", "RFC 3463 section 3.4"),
    "3.4": Meaning("the message is too big for this server", "RFC 3463 section 3.4"),
    "3.5": Meaning("the server is not set up correctly", "RFC 3463 section 3.4"),
    "4.0": Meaning("about the network", "RFC 3463 section 3.5"),
    "4.1": Meaning("the next host does not answer", "RFC 3463 section 3.5"),
    "4.2": Meaning("the connection broke", "RFC 3463 section 3.5"),
    "4.3": Meaning("the DNS did not answer", "RFC 3463 section 3.5"),
    "4.4": Meaning("there is no way to the recipient's domain", "RFC 3463 section 3.5"),
    "4.5": Meaning("there is too much mail at the moment", "RFC 3463 section 3.5"),
    "4.6": Meaning("the message goes round in a circle", "RFC 3463 section 3.5"),
    "4.7": Meaning("the message could not be delivered in time", "RFC 3463 section 3.5"),
    "5.0": Meaning("about the dialogue", "RFC 3463 section 3.6"),
    "5.1": Meaning("this command is not possible, or not now", "RFC 3463 section 3.6"),
    "5.2": Meaning("the command is not well formed", "RFC 3463 section 3.6"),
    "5.3": Meaning("there are too many recipients", "RFC 3463 section 3.6"),
    "5.4": Meaning("what stands behind the command is wrong", "RFC 3463 section 3.6"),
    "5.5": Meaning("the two sides speak different versions of the protocol", "RFC 3463 section 3.6"),
    "5.6": Meaning("a line of the login is too long", "RFC 4954 section 6"),
    "6.0": Meaning("about the content", "RFC 3463 section 3.7"),
    "6.1": Meaning("the server does not take this kind of content", "RFC 3463 section 3.7"),
    "6.2": Meaning("the content would have to be converted, which is forbidden", "RFC 3463 section 3.7"),
    "6.3": Meaning("the content would have to be converted, which the server cannot do", "RFC 3463 section 3.7"),
    "6.4": Meaning("something was lost when the content was converted", "RFC 3463 section 3.7"),
    "6.5": Meaning("the content could not be converted", "RFC 3463 section 3.7"),
    "6.7": Meaning("an address beyond ASCII is not possible here", "RFC 6531 section 3.5"),
    "7.0": Meaning("about security or the server's rules", "RFC 3463 section 3.8"),
    "7.1": Meaning("the server's rules forbid it for this sender or recipient", "RFC 3463 section 3.8"),
    "7.2": Meaning("this sender may not write to this mailing list", "RFC 3463 section 3.8"),
    "7.3": Meaning("the message cannot be converted without breaking its protection", "RFC 3463 section 3.8"),
    "7.4": Meaning("the server lacks the security that the message asks for", "RFC 3463 section 3.8"),
    "7.5": Meaning("a cryptographic step failed", "RFC 3463 section 3.8"),
    "7.6": Meaning("the server lacks the cryptographic algorithm", "RFC 3463 section 3.8"),
    "7.7": Meaning("the message was damaged on its way", "RFC 3463 section 3.8"),
    "7.8": Meaning("the name or the password is wrong", "RFC 4954 section 6"),
    "7.9": Meaning("the login mechanism is too weak", "RFC 4954 section 6"),
    "7.11": Meaning("the login mechanism needs TLS", "RFC 4954 section 6"),
    "7.12": Meaning("the password has to be changed first", "RFC 4954 section 6"),
}
"""Enhanced status code without its first digit -> meaning (the first digit says: done, not now, no)."""

FIELDS: Mapping[str, Meaning] = {
    "RECEIVED": Meaning(
        "A server's stamp: from whom, by whom, how and when; each server puts its own on top, so read them from below",
        "RFC 5321 section 4.4",
    ),
    "RETURN-PATH": Meaning(
        "The sender of the envelope, written by the last server when it files the message", "RFC 5321 section 4.4"
    ),
    "DATE": Meaning("When the author finished the message, by the author's clock", "RFC 5322 section 3.6.1"),
    "FROM": Meaning(
        "Who wrote it, according to the message itself; the transport does not check it", "RFC 5322 section 3.6.2"
    ),
    "SENDER": Meaning("Who sent it, where that is not the author", "RFC 5322 section 3.6.2"),
    "REPLY-TO": Meaning("Where answers are to go", "RFC 5322 section 3.6.2"),
    "TO": Meaning("For whom it is, for people to read; the envelope decides where it goes", "RFC 5322 section 3.6.3"),
    "CC": Meaning("Who else is meant to read it", "RFC 5322 section 3.6.3"),
    "BCC": Meaning(
        "Recipients whom the others must not see; taken out before the message leaves", "RFC 5322 section 3.6.3"
    ),
    "MESSAGE-ID": Meaning("A name for this message that no other message has", "RFC 5322 section 3.6.4"),
    "IN-REPLY-TO": Meaning("The message that this one answers", "RFC 5322 section 3.6.4"),
    "REFERENCES": Meaning("The messages of the conversation so far", "RFC 5322 section 3.6.4"),
    "SUBJECT": Meaning("What it is about", "RFC 5322 section 3.6.5"),
    "COMMENTS": Meaning("Remarks about the message", "RFC 5322 section 3.6.5"),
    "KEYWORDS": Meaning("Words to find it by", "RFC 5322 section 3.6.5"),
    "MIME-VERSION": Meaning("The message follows MIME", "RFC 2045 section 4"),
    "CONTENT-TYPE": Meaning("What kind of content this is, and in which character set", "RFC 2045 section 5"),
    "CONTENT-TRANSFER-ENCODING": Meaning(
        "How the content was put into lines that travel everywhere", "RFC 2045 section 6"
    ),
    "DKIM-SIGNATURE": Meaning("A domain's signature over the body and some fields", "RFC 6376 section 3.5"),
    "AUTHENTICATION-RESULTS": Meaning(
        "What a server found out about the sender; only that of one's own server counts", "RFC 8601 section 2"
    ),
    "RECEIVED-SPF": Meaning("Whether the sending host may use the domain of the envelope", "RFC 7208 section 9.1"),
}
"""Name of a header field in capitals -> meaning."""

RECORDS: Mapping[str, Meaning] = {
    "change_cipher_spec": Meaning(
        "From here on the sender encrypts; in TLS 1.3 it means nothing and only calms old boxes on the path",
        "RFC 8446 section 5",
    ),
    "alert": Meaning("A warning, an error, or the orderly end of TLS", "RFC 8446 section 6"),
    "handshake": Meaning(
        "The two sides agree on keys; the first message of each side is readable", "RFC 8446 section 4"
    ),
    "application_data": Meaning(
        "Encrypted: a listener sees the size and the time, not what it says", "RFC 8446 section 5.2"
    ),
}
"""Content type of a TLS record -> meaning."""
