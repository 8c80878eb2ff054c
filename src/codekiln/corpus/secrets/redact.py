"""Putting typed placeholders where secrets and personal data stood."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

#: Every placeholder begins so; it is one plain word, which is a name, a string's content, an unquoted value or
#: running text in any language, so that code parses as before.
MARK = "REDACTED_"

_PLACEHOLDERS = {
    "key": "KEY",
    "token": "TOKEN",
    "secret": "SECRET",
    "password": "PASSWORD",
    "private key": "PRIVATE_KEY",
    "email": "EMAIL",
    "ip": "IP_ADDRESS",
}
#: In the body of a key in PEM: escapes stay, runs of base64 go.
_PEM_PARTS = re.compile(r"\\[nrt]|[A-Za-z0-9+/=]{8,}")


class Span(Protocol):
    """What `redact` needs of a finding."""

    @property
    def kind(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


def placeholder(kind: str) -> str:
    """The word that stands for a value of this kind, such as `REDACTED_EMAIL`."""
    return MARK + _PLACEHOLDERS[kind]


def redact(text: str, findings: Sequence[Span]) -> str:
    """The text with every finding replaced by its placeholder.

    findings: of this very text, in its order and without overlaps, as `codekiln.corpus.secrets.find` gives them.
    Quotes, line breaks and the frame of a key in PEM stay as they are.
    """
    parts: list[str] = []
    done = 0
    for one in findings:
        parts.append(text[done : one.start])
        inside = text[one.start : one.end]
        parts.append(_body(inside) if one.kind == "private key" else placeholder(one.kind))
        done = one.end
    parts.append(text[done:])
    return "".join(parts)


def _body(inside: str) -> str:
    """The body of a key: the placeholder, or where code stands between its lines, that in their first run's place."""
    if not any(mark in inside for mark in "\\\"'"):
        return placeholder("private key")
    seen = False

    def replaced(found: re.Match[str]) -> str:
        nonlocal seen
        if found[0].startswith("\\"):
            return found[0]
        word = "" if seen else placeholder("private key")
        seen = True
        return word

    return _PEM_PARTS.sub(replaced, inside)
