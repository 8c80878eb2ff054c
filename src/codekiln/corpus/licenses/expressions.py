"""SPDX licence expressions and what they permit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from codekiln.corpus.licenses.prints import prints

_TOKEN = re.compile(r"[()]|[A-Za-z0-9.+:_-]+|\S")
_WORD = re.compile(r"[A-Za-z0-9.+:_-]+")
#: What is said to be in the public domain, without one of the texts of the list; permissive as in ScanCode.
PUBLIC_DOMAIN = "LicenseRef-public-domain"
_MAX_DEPTH = 20
_MAX_TOKENS = 200
#: What the licence list once called licences and now calls a licence with an exception, and other former names.
_FORMER = {
    "bsd-2-clause-freebsd": "BSD-2-Clause",
    "bsd-2-clause-netbsd": "BSD-2-Clause",
    "standardml-nj": "SMLNJ",
    "zlib/libpng": "Zlib",
}


@cache
def permissive_ids() -> frozenset[str]:
    """SPDX ids that count as permissive: `permissive.txt`.

    Those that the Blue Oak Council rates (model to lead), and those that ScanCode's licence list calls permissive
    or public domain (the two sources of The Stack v2), without exceptions and without licences that restrict use.
    """
    return frozenset(Path(__file__).with_name("permissive.txt").read_text(encoding="ascii").split())


@dataclass(frozen=True)
class Expression:
    """Ids in order of appearance, whether it permits free use, the expression in canonical spelling."""

    ids: tuple[str, ...]
    permissive: bool
    text: str


def canonical_id(name: str) -> str | None:
    """An SPDX id in the spelling of the list, `LicenseRef-…` as it is; None for what the list does not have."""
    if name.startswith(("LicenseRef-", "DocumentRef-")):
        return name
    ids, lower = prints().ids, name.lower()
    base = ids.get(lower[:-1]) if lower.endswith("+") else None
    if base:
        return ids.get(f"{base.lower()}-or-later") or f"{base}+"
    return ids.get(lower) or _FORMER.get(lower)


def is_permissive(name: str) -> bool:
    return name == PUBLIC_DOMAIN or name.removesuffix("+") in permissive_ids()


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.place, self.ids = tokens, 0, list[str]()

    def peek(self) -> str:
        return self.tokens[self.place].upper() if self.place < len(self.tokens) else ""

    def either(self, depth: int) -> tuple[bool, str]:
        found = [self.both(depth)]
        while self.peek() == "OR":
            self.place += 1
            found.append(self.both(depth))
        return any(value for value, _ in found), " OR ".join(text for _, text in found)

    def both(self, depth: int) -> tuple[bool, str]:
        found = [self.atom(depth)]
        while self.peek() == "AND":
            self.place += 1
            found.append(self.atom(depth))
        return all(value for value, _ in found), " AND ".join(text for _, text in found)

    def word(self) -> str:
        token = self.tokens[self.place] if self.place < len(self.tokens) else ""
        if not _WORD.fullmatch(token) or token.upper() in ("AND", "OR", "WITH"):
            raise ValueError
        self.place += 1
        return token

    def atom(self, depth: int) -> tuple[bool, str]:
        if depth > _MAX_DEPTH:
            raise ValueError
        if self.peek() == "(":
            self.place += 1
            value, text = self.either(depth + 1)
            if self.peek() != ")":
                raise ValueError
            self.place += 1
            return value, f"({text})" if " " in text else text
        token = self.word()
        name = canonical_id(token) or token
        self.ids.append(name)
        if self.peek() == "WITH":
            self.place += 1
            return is_permissive(name), f"{name} WITH {canonical_id(exception := self.word()) or exception}"
        return is_permissive(name), name


def parse(expression: str) -> Expression | None:
    """An expression's meaning (OR: the best side, AND: the worst; an exception changes nothing), or None.

    Ids are case-insensitive as the standard says; one that the list does not have is kept and is not permissive.
    """
    tokens = _TOKEN.findall(expression[:20_000])
    if len(tokens) > _MAX_TOKENS or len(expression) > 20_000:
        return None
    parser = _Parser(tokens)
    try:
        permissive, text = parser.either(0)
    except ValueError:
        return None
    if parser.place != len(tokens):
        return None
    return Expression(tuple(dict.fromkeys(parser.ids)), permissive, text)


def parse_expression(expression: str) -> tuple[tuple[str, ...], bool] | None:
    """Ids of an SPDX expression and whether it is permissive; None when malformed."""
    found = parse(expression)
    return (found.ids, found.permissive) if found else None


def classify(expression: str) -> str:
    """`permissive`, `non_permissive` or (for an empty or malformed expression) `no_license`."""
    found = parse(expression)
    if found is None:
        return "no_license"
    return "permissive" if found.permissive else "non_permissive"


def base_id(name: str) -> str:
    """An id without `-only`, `-or-later` and `+`: what a licence text alone can tell."""
    for ending in ("-only", "-or-later", "+"):
        name = name.removesuffix(ending)
    return name
