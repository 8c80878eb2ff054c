"""Secrets and personal data in source text: one pass of a keyword automaton, rules only where a keyword stands.

A finding says where and of which kind, never what: no value is kept, logged or returned.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import ahocorasick_rs

from codekiln.corpus.secrets import personal
from codekiln.corpus.secrets.fields import KINDS, fields
from codekiln.corpus.secrets.names import KEYWORDS
from codekiln.corpus.secrets.redact import MARK, redact
from codekiln.corpus.secrets.rules import RULES, Rule

#: A placeholder may uncover what stood behind a secret; so often at most is looked again.
_ROUNDS = 8


@dataclass(frozen=True, order=True)
class Finding:
    """Where something stands that must not be in a corpus.

    start, end: characters of the text; line: 1-based line of `start`; kind: "key", "token", "secret", "password",
    "private key", "email" or "ip".
    """

    start: int
    end: int
    line: int
    rule: str
    kind: str


#: (start, end, rule, kind), before lines are counted and overlaps joined.
_Raw = tuple[int, int, str, str]

_NAME, _EMAIL, _IPV4, _IPV6, _PEM = object(), object(), object(), object(), object()


def _targets() -> dict[str, object]:
    targets: dict[str, object] = dict.fromkeys(KEYWORDS, _NAME)
    targets |= dict.fromkeys(personal.IPV4_KEYWORDS, _IPV4) | dict.fromkeys(personal.IPV6_KEYWORDS, _IPV6)
    targets |= {"@": _EMAIL, "-----begin ": _PEM}
    for rule in RULES:
        for keyword in rule.keywords:
            targets[keyword] = (*targets.get(keyword, ()), rule)  # type: ignore[misc]
    return targets


_TARGETS = _targets()
_ACTIONS = list(_TARGETS.values())
_AUTOMATON = ahocorasick_rs.BytesAhoCorasick(
    [keyword.encode() for keyword in _TARGETS],
    matchkind=ahocorasick_rs.MatchKind.Standard,
    implementation=ahocorasick_rs.Implementation.DFA,
)


def find(text: str, path: str = "", language: str | None = None) -> list[Finding]:
    """Secrets and personal data of a text, in order, without overlaps.

    path: as in its repository; translations and lock files are judged by it. language: codekiln's name of it, or
    None or "" where unknown, in which case bare words count as values.
    """
    # One byte a character, so that the automaton's offsets are those of the text; lower case for ASCII alone.
    haystack = text.encode("latin-1", "replace").lower()
    raw: list[_Raw] = []
    name_done = pem_done = rule_done = 0
    for number, start, end in _AUTOMATON.find_matches_as_indexes(haystack, overlapping=True):
        action = _ACTIONS[number]
        if action is _NAME:
            if start < name_done:
                continue
            name_done, family, spans = fields(text, start, end, path, language or "")
            raw += [(*span, f"{family.replace(' ', '-')}-field", KINDS[family]) for span in spans]
        elif action is _EMAIL:
            span = personal.email(text, start)
            if span:
                raw.append((*span, "email", "email"))
        elif action is _IPV4:
            span = personal.ipv4(text, start)
            if span:
                raw.append((*span, "ipv4", "ip"))
        elif action is _IPV6:
            span = personal.ipv6(text, start)
            if span:
                raw.append((*span, "ipv6", "ip"))
        elif action is _PEM:
            if start >= pem_done:
                span = _private_key(text, start)
                if span:
                    raw.append((*span, "pem-private-key", "private key"))
                    pem_done = span[1]
        else:
            if start < rule_done:
                continue
            for rule in action:  # type: ignore[attr-defined]
                found = rule.pattern.match(text, start)
                if found is not None:
                    rule_done = found.end()  # judged as a whole, whatever stands inside
                    span = _value(rule, found)
                    if span:
                        raw.append((*span, rule.name, rule.kind))
                    break
    return _joined(text, raw) if raw else []


def clean(
    text: str,
    path: str = "",
    language: str | None = None,
    *,
    personal_data: bool = True,
    secrets: bool = True,
) -> tuple[str, list[Finding]]:
    """The text with placeholders for all that `find` finds in it, again until it finds nothing; and the findings.

    A finding's place is that in the text of its round. `personal_data` and `secrets` say which kinds are replaced.
    """
    replaced: list[Finding] = []
    for _ in range(_ROUNDS):
        chosen = [
            one for one in find(text, path, language) if (personal_data if one.kind in _PERSONAL else secrets)
        ]
        if not chosen:
            break
        replaced += chosen
        text = redact(text, chosen)
    return text, replaced


_PERSONAL = frozenset(["email", "ip"])


def _value(rule: Rule, found: re.Match[str]) -> tuple[int, int] | None:
    group = "value" if "value" in rule.pattern.groupindex else 0
    value = found[group]
    if MARK in value or not rule.passes(value):
        return None
    return found.span(group)


_PEM_HEADER = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_INSIDE = re.compile(r"[A-Za-z0-9+/=]")
_MAX_PEM = 20_000


def _private_key(text: str, start: int) -> tuple[int, int] | None:
    """(start, end) of the body of a private key in PEM whose header is at `start`, or None where it has none."""
    header = _PEM_HEADER.match(text, start)
    if header is None:
        return None
    stop = text.find("-----", header.end(), header.end() + _MAX_PEM)
    limit = min(len(text), header.end() + _MAX_PEM)
    body = text[header.end() : stop if stop >= 0 else limit]
    if stop < 0:  # cut off: as far as it looks like one
        body = body[: len(body) - len(_CUT.sub("", body, count=1))]
    # Escaped line breaks are no part of the key.
    inner = _ESCAPE.sub("  ", body)
    runs = list(_RUN.finditer(inner))
    if sum(run.end() - run.start() for run in runs) < 40 or MARK in body:
        return None
    return header.end() + runs[0].start(), header.end() + runs[-1].end()


_ESCAPE = re.compile(r"\\[nrt]")
_RUN = re.compile(r"[A-Za-z0-9+/=]{8,}")
_CUT = re.compile(r"\A[A-Za-z0-9+/=\s\\\"',.;#*|-]*+")


#: Which of overlapping findings gives the name: the most telling form first.
_RANKS = {rule.name: rank for rank, rule in enumerate(RULES)} | {
    "pem-private-key": -1,
    "email": 9998,
    "ipv4": 9999,
}


def _joined(text: str, raw: list[_Raw]) -> list[Finding]:
    """In order, with overlapping findings made one that bears the name of the most telling."""
    raw.sort()
    merged: list[_Raw] = []
    for one in raw:
        if merged and one[0] < merged[-1][1]:
            other = merged[-1]
            first = min(one, other, key=lambda raw: _RANKS.get(raw[2], len(RULES)))
            merged[-1] = (other[0], max(one[1], other[1]), *first[2:])
        else:
            merged.append(one)
    findings: list[Finding] = []
    line, done = 1, 0
    for start, end, rule, kind in merged:
        line += text.count("\n", done, start)
        done = start
        findings.append(Finding(start, end, line, rule, kind))
    return findings
