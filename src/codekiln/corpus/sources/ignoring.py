"""The rules of a `.gitignore` file, with git's own meaning (gitignore(5)), matched without backtracking.

A path is matched as bytes, as git does. Every `*` takes the shortest stretch that lets what follows it match, and
is never tried again (an atomic group): what stands between two stars has a fixed length, so that the first place
where it fits is as good as any later one. Only the last piece before a `/` or the end is bound to its place, and
there the longest stretch is taken. So the time grows with the length of pattern times path and no faster.
"""

from __future__ import annotations

import os
import re
import string
from dataclasses import dataclass

#: A `.gitignore` above these is not used at all (each file below it would be compared with each rule).
MAX_BYTES = 256 * 1024
MAX_RULES = 10_000

_CLASSES = {
    b"alnum": string.ascii_letters + string.digits,
    b"alpha": string.ascii_letters,
    b"blank": " \t",
    b"cntrl": "".join(map(chr, [*range(32), 127])),
    b"digit": string.digits,
    b"graph": "".join(map(chr, range(33, 127))),
    b"lower": string.ascii_lowercase,
    b"print": "".join(map(chr, range(32, 127))),
    b"punct": string.punctuation,
    b"space": string.whitespace,
    b"upper": string.ascii_uppercase,
    b"xdigit": string.hexdigits,
}

# One step of a pattern: a regular expression for one byte, or one of these.
_SLASH, _STAR, _FOLDERS, _FOLDERS_THEN_SLASH, _REST = b"/", b"*", b"**/", b"**\\/", b"**"


class _Never(Exception):
    """A pattern that git matches with nothing: an open bracket, an unknown class, a lone backslash at its end."""


@dataclass(frozen=True)
class Rule:
    """One line: does it take a path out of what is ignored, folders only, match by name alone, the pattern."""

    negated: bool
    only_folders: bool
    by_name: bool
    pattern: re.Pattern[bytes]


def parse(data: bytes) -> list[Rule] | None:
    """The rules of a file, last line first (it is the one that decides); None when there are too many."""
    if len(data) > MAX_BYTES:
        return None
    rules = []
    for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        try:
            rule = _rule(line.removesuffix(b"\r").split(b"\0")[0])
        except _Never:
            continue
        if rule:
            rules.append(rule)
    return rules[::-1] if len(rules) <= MAX_RULES else None


def verdict(rules: list[Rule], path: str, is_folder: bool) -> bool | None:
    """Whether a path below the rules' folder is ignored; None when no rule speaks of it."""
    raw = os.fsencode(path)
    name = raw.rpartition(b"/")[2]
    for rule in rules:
        if (is_folder or not rule.only_folders) and rule.pattern.match(name if rule.by_name else raw):
            return not rule.negated
    return None


def _rule(line: bytes) -> Rule | None:
    if line.startswith(b"#"):
        return None
    line = _without_trailing_spaces(line)
    negated = line.startswith(b"!")
    line = line[negated:]
    only_folders = line.endswith(b"/")
    line = line[: len(line) - only_folders]
    by_name = b"/" not in line
    line = line.removeprefix(b"/")
    if not line:
        return None
    return Rule(negated, only_folders, by_name, re.compile(_regex(_steps(line, by_name)), re.DOTALL))


def _without_trailing_spaces(line: bytes) -> bytes:
    bare = line.rstrip(b" ")
    escaped = (len(bare) - len(bare.rstrip(b"\\"))) % 2
    return line[: len(bare) + 1] if escaped else bare


def _steps(pattern: bytes, by_name: bool) -> list[bytes]:
    steps: list[bytes] = []
    place = 0
    while place < len(pattern):
        char = pattern[place : place + 1]
        if char == b"*":
            end = place + 1
            while pattern[end : end + 1] == b"*":
                end += 1
            whole = not by_name and end - place > 1 and (place == 0 or pattern[place - 1 : place] == b"/")
            place, step = _stars(pattern, end, whole)
            steps.append(step)
        elif char == b"[":
            place, step = _bracket(pattern, place + 1)
            steps.append(step)
        elif char == b"\\":
            if place + 1 == len(pattern):
                raise _Never
            steps.append(_literal(pattern[place + 1 : place + 2]))
            place += 2
        else:
            steps.append(b"[^/]" if char == b"?" else _literal(char))
            place += 1
    return steps


def _stars(pattern: bytes, end: int, whole: bool) -> tuple[int, bytes]:
    """(where to go on, the step) of a run of stars that ends before `end`; `whole`: it begins a component."""
    if whole and end == len(pattern):
        return end, _REST
    if whole and pattern.startswith(b"/", end):
        return end + 1, _FOLDERS
    if whole and pattern.startswith(b"\\/", end):
        return end + 2, _FOLDERS_THEN_SLASH
    return end, _STAR


def _literal(char: bytes) -> bytes:
    return _SLASH if char == b"/" else b"\\x%02x" % char[0]


def _bracket(pattern: bytes, place: int) -> tuple[int, bytes]:
    """(where to go on, the step) of a bracket expression whose content begins at `place`."""
    negated = pattern[place : place + 1] in (b"!", b"^")
    place += negated
    chosen: set[int] = set()
    before, first, close = -1, True, 0
    while first or pattern[place : place + 1] != b"]":
        first = False
        if close < place + 2:
            close = pattern.find(b"]", place + 2) % (len(pattern) + 1)  # the end where there is none
        if (
            pattern.startswith(b"[:", place)
            and pattern.endswith(b":", place + 2, close)
            and close < len(pattern)
        ):
            name = pattern[place + 2 : close - 1]
            if name not in _CLASSES:
                raise _Never
            chosen.update(_CLASSES[name].encode())
            place, before = close + 1, -1
        elif (
            pattern[place : place + 1] == b"-"
            and before >= 0
            and pattern[place + 1 : place + 2] not in (b"", b"]")
        ):
            place, last = _one(pattern, place + 1)
            chosen.update(range(before, last + 1))
            before = -1
        else:
            place, before = _one(pattern, place)
            chosen.add(before)
    taken = (set(range(256)) - chosen if negated else chosen) - {ord("/")}
    return place + 1, _one_of(taken)


def _one_of(taken: set[int]) -> bytes:
    """An expression for one of some bytes, by ranges: as long as what it was written as."""
    ranges: list[list[int]] = []
    for byte in sorted(taken):
        if ranges and ranges[-1][1] == byte - 1:
            ranges[-1][1] = byte
        else:
            ranges.append([byte, byte])
    inside = b"".join(b"\\x%02x-\\x%02x" % (first, last) for first, last in ranges)
    return b"[" + inside + b"]" if taken else b"(?!)"


def _one(pattern: bytes, place: int) -> tuple[int, int]:
    """(where to go on, the byte) of one perhaps escaped byte of a bracket expression."""
    place += pattern[place : place + 1] == b"\\"
    if place >= len(pattern):
        raise _Never
    return place + 1, pattern[place]


def _regex(steps: list[bytes]) -> bytes:
    """An expression for `match`: groups of components between `**`, each found at the first place it fits."""
    parts: list[bytes] = []
    opened = b""
    group: list[bytes] = []
    for step in steps:
        if step in (_FOLDERS, _FOLDERS_THEN_SLASH):
            parts.append(_group(opened, group, b""))
            opened, group = b"(?:[^/]*/)*?" if step == _FOLDERS else b"(?:[^/]*/)+?", []
        elif step == _REST:
            return b"".join([*parts, _group(opened, group, b"")])
        else:
            group.append(step)
    return b"".join([*parts, _group(opened, group, rb"\Z")])


def _group(opened: bytes, steps: list[bytes], end: bytes) -> bytes:
    if not opened and not steps:
        return end
    components: list[list[bytes]] = [[]]
    for step in steps:
        if step == _SLASH:
            components.append([])
        else:
            components[-1].append(step)
    return b"(?>" + opened + b"/".join(map(_component, components)) + end + b")"


def _component(steps: list[bytes]) -> bytes:
    split: list[list[bytes]] = [[]]
    for step in steps:
        if step == _STAR:
            split.append([])
        else:
            split[-1].append(step)
    pieces = [b"".join(piece) for piece in split]
    if len(pieces) == 1:
        return pieces[0]
    middle = b"".join(b"(?>[^/]*?" + piece + b")" for piece in pieces[1:-1])
    return pieces[0] + middle + b"(?>[^/]*" + pieces[-1] + rb")(?=/|\Z)"
