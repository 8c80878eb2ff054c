"""Comparison of what programs print with what they should."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from itertools import zip_longest
from typing import Literal, get_args

from codekiln.errors import UserError

#: "exact" byte for byte; "lines" without white space at the ends of lines and empty lines at the end; "unordered" the
#: same with lines in any order; "tokens" what is between white space, numbers by their value.
OutputCompare = Literal["exact", "lines", "unordered", "tokens"]
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_SHOWN = 200
#: Longer tokens are text.
_LONGEST_NUMBER = 400


def difference(
    got: bytes, expected: bytes, how: OutputCompare = "lines", rtol: float = 0.0, atol: float = 0.0
) -> str:
    """Where an output differs from what it should be, in a line; "" where it does not.

    Args:
        rtol, atol: with "tokens" numbers may differ by `atol + rtol * abs(expected)`.
    """
    if how not in get_args(OutputCompare):
        raise UserError(f"compare {how}: not one of {', '.join(get_args(OutputCompare))}")
    if how == "exact":
        return (
            ""
            if got == expected
            else _first(_lines(got, False), _lines(expected, False)) or "white space differs"
        )
    if how == "tokens":
        return _tokens(_text(got).split(), _text(expected).split(), rtol, atol)
    found, wanted = _lines(got), _lines(expected)
    if how == "unordered":
        missing, extra = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
        if missing:
            return f"expected a line {_shown(min(missing))}, got none"
        return f"got a line {_shown(min(extra))} that was not expected" if extra else ""
    return _first(found, wanted)


def _text(output: bytes) -> str:
    return output.decode("utf-8", "surrogateescape")


def _lines(output: bytes, bare: bool = True) -> list[str]:
    lines = _text(output).split("\n")
    if not bare:
        return lines
    lines = [line.rstrip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _first(found: list[str], wanted: list[str]) -> str:
    for number, (got, expected) in enumerate(zip_longest(found, wanted), 1):
        if got != expected:
            return f"line {number}: expected {_shown(expected)}, got {_shown(got)}"
    return ""


def _tokens(found: list[str], wanted: list[str], rtol: float, atol: float) -> str:
    for number, (got, expected) in enumerate(zip_longest(found, wanted), 1):
        if got is None or expected is None or not _same(got, expected, rtol, atol):
            return f"word {number}: expected {_shown(expected)}, got {_shown(got)}"
    return ""


def _same(got: str, expected: str, rtol: float, atol: float) -> bool:
    if got == expected:
        return True
    if max(len(got), len(expected)) > _LONGEST_NUMBER:
        return False
    if not (_NUMBER.fullmatch(got) and _NUMBER.fullmatch(expected)):
        return False
    one, other = Decimal(got), Decimal(expected)
    return one == other or abs(one - other) <= Decimal(atol) + Decimal(rtol) * abs(other)


def _shown(text: str | None) -> str:
    if text is None:
        return "nothing more"
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
