"""No pattern of ours takes more than linear time, whatever is in a file: each meets texts that are made against it."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import codekiln.corpus
import codekiln.dataset
import codekiln.downloads
from codekiln.corpus.languages.rules import RULES

ROOMS: tuple[ModuleType, ...] = (codekiln.corpus, codekiln.dataset, codekiln.downloads)

#: The longest text that the callers hand to a pattern, by the beginning of its name; all others see whole files.
LONGEST = {
    "corpus.languages.detector.RULES": 50_000,
    "corpus.languages.detector._": 1_000,
    "corpus.licenses.mentions._LATER": 120,
    "corpus.licenses.mentions._ALL": 8_000,
    "corpus.flags": 4_096,
    "corpus.flag_patterns": 4_096,
    "corpus.secrets.personal._PRODUCT_BEFORE": 32,
    "corpus.secrets.personal._VERSION_BEFORE": 16,
    "corpus.sources.names": 4_096,
    "corpus.decontamination.testsets": 4_096,
}
#: These end after 1,024 characters and are only asked for behind the name of a secret.
AT_A_PLACE = ("corpus.secrets.fields._VALUES", "corpus.secrets.fields._ESCAPED")
#: Seconds that one text may take where what a pattern sees is limited.
AT_MOST = 0.1
#: Linear time grows fourfold from the third length to the fourth, quadratic time sixteenfold.
LENGTHS, RATIO = (2_000, 8_000, 16_000, 64_000), 8.0
#: Seconds below which nothing grows fast enough to matter; what the clock says of less is noise.
NOTHING = (0.002, 0.03)

PIECES = [
    *"aA0 \t\"'`()[]{}<>/*\n=-_.#@\\:;$%,é中!?|+\r",
    *("a=", "a.", "a ", "a,", "a/", "a:", "a-", "(a", "\\a", "\n ", " \n", "a\n", "\n\n ", "\r\n", '="', "a("),
    *("[a", "<a", "{a", "0.", "0,", "Aa", "A_", "aA1", "/*", "//", "--", "# ", ": ", ";;", "::", "a a", "a = a;\n"),
]  # fmt: skip


def modules() -> Iterator[ModuleType]:
    for room in ROOMS:
        for found in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
            yield importlib.import_module(found.name)


def patterns() -> dict[str, re.Pattern[Any]]:
    """Every compiled pattern that is reachable from a module's names, by one of its names."""
    found: dict[re.Pattern[Any], str] = {}
    seen: set[int] = set()

    def look(value: Any, name: str) -> None:
        if isinstance(value, re.Pattern):
            found.setdefault(value, name)
            return
        if id(value) in seen or isinstance(value, str | bytes | int | type | ModuleType):
            return
        seen.add(id(value))
        if isinstance(value, dict):
            for key, one in value.items():
                look(one, f"{name}[{key!r:.20}]")
        elif isinstance(value, list | tuple | set | frozenset):
            for at, one in enumerate(value):
                look(one, f"{name}[{at}]")
        elif is_dataclass(value):
            for field in fields(value):
                look(getattr(value, field.name, None), f"{name}.{field.name}")
        elif isinstance(value, partial):
            look([value.args, value.keywords], name)

    for module in modules():
        for name, value in vars(module).items():
            look(value, f"{module.__name__.removeprefix('codekiln.')}.{name}")
    return {name: pattern for pattern, name in found.items()}


def only_matched() -> set[str]:
    """Patterns, by module and name, that are asked for at one place of a text alone: `match`, never `search`."""
    used: dict[str, dict[str, set[str]]] = {}
    for module in modules():
        own = used.setdefault(module.__name__.removeprefix("codekiln."), {})
        for name, way in re.findall(r"\b(_?[A-Z][A-Z_0-9]*)(?:\[\w+\])?\.([a-z]+)\(", _text(module)):
            own.setdefault(name, set()).add(way)
    anywhere: dict[str, set[str]] = {}
    for ways_of in used.values():
        for name, ways in ways_of.items():
            anywhere.setdefault(name, set()).update(ways)
    return {
        f"{module}.{name}"
        for module in used
        for name in anywhere
        # A private name is used where it is made.
        if (ways := used[module].get(name, set()) if name.startswith("_") else anywhere[name])
        and ways <= {"match", "fullmatch"}
    }


def _text(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text()


def literals(pattern: re.Pattern[Any]) -> list[str]:
    """What a pattern asks for letter by letter, the longest first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from re import _constants as ops  # type: ignore[attr-defined]
        from re import _parser as parser  # type: ignore[attr-defined]
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    found: set[str] = set()

    def walk(tree: Any) -> None:
        run, whole = "", ""
        for op, value in tree:
            if op is ops.LITERAL:
                run += chr(value)
                whole += chr(value)
                continue
            found.update((run, whole))
            run = ""
            if op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
                walk(value[2])
            elif op is ops.SUBPATTERN:
                walk(value[3])
            elif op is ops.BRANCH:
                for branch in value[1]:
                    walk(branch)
            elif op in (ops.ASSERT, ops.ASSERT_NOT):
                walk(value[1])
            elif op is ops.ATOMIC_GROUP:
                walk(value)
        found.update((run, whole))

    walk(parser.parse(source, pattern.flags & re.VERBOSE | re.IGNORECASE))
    return sorted(found - {""}, key=lambda text: (-len(text), text))[:10]


def hostile(pattern: re.Pattern[Any], share: int = 1) -> Iterator[tuple[str, str]]:
    """(beginning, what is repeated after it), one in `share` of them."""
    number = 0
    for piece in PIECES:
        for begin in ("", "\n", *literals(pattern)):
            for pair in {(begin, piece), ("", begin + piece)}:
                number += 1
                if number % share == 0:
                    yield pair


def seconds(pattern: re.Pattern[Any], once: bool, begin: str, piece: str, length: int) -> float:
    text: str | bytes = (begin + piece * (length // len(piece)))[:length]
    if isinstance(pattern.pattern, bytes):
        text = str(text).encode()
    start = time.process_time()
    if once:
        pattern.match(text)
    else:
        for _ in pattern.finditer(text):
            pass
    return time.process_time() - start


def complaint(name: str, pattern: re.Pattern[Any], once: bool, begin: str, piece: str) -> str:
    """Why a pattern is not linear on a text, or "" where it is."""
    took = partial(seconds, pattern, once, begin, piece)
    longest = next((most for start, most in LONGEST.items() if name.startswith(start)), 0)
    if name.endswith("mentions._ALL"):  # white space is collapsed before
        begin, piece = " ".join(begin.split()), " ".join(piece.split()) or "-"
        took = partial(seconds, pattern, once, begin, piece)
    short, middle, long, very_long = LENGTHS
    if took(min(short, longest or short)) < NOTHING[0]:
        return ""
    if longest and longest < very_long:
        spent = took(longest)
        spent = spent if spent < AT_MOST else min(took(longest) for _ in range(3))
        return f"{name}: {spent:.2f} s for {longest} characters" if spent > AT_MOST else ""
    if took(middle) < NOTHING[1]:
        return ""
    ratio = took(very_long) / took(long)
    if ratio > RATIO / 2 + 1:  # something else may have run meanwhile, while either was measured
        ratio = min(took(very_long) for _ in range(3)) / min(took(long) for _ in range(3))
    return f"{name}: {ratio:.1f} times as long for 4 times the text" if ratio > RATIO else ""


def complaints(share: int, chosen: Callable[[int], bool]) -> list[str]:
    """One line for each chosen pattern that takes more than linear time on one in `share` of the texts against it."""
    found: list[str] = []
    anchored = only_matched()
    for number, (name, pattern) in enumerate(sorted(patterns().items())):
        if not chosen(number):
            continue
        once = name.partition("[")[0] in anchored or name.startswith(AT_A_PLACE)
        for begin, piece in hostile(pattern, share):
            if text := complaint(name, pattern, once, begin, piece):
                found.append(f"{text}: {begin!r} and then {piece!r} ({pattern.pattern!r:.200})")
                break
    return found


def test_patterns_are_found() -> None:
    names = set(patterns())
    assert len(names) > 350
    for name in ("corpus.signals._BASE64", "corpus.languages.detector.RULES", "corpus.secrets.finder.RULES"):
        assert any(found.startswith(name) for found in names), name
    assert "corpus.licenses.mentions._LATER" in only_matched()
    assert "corpus.opencoder.constructs._CLASS" in only_matched()


def test_a_quadratic_pattern_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_linear.LENGTHS", (1_000, 2_000, 2_000, 8_000))
    monkeypatch.setattr("test_linear.NOTHING", (0.0, 0.0))
    assert "for 4 times the text" in complaint("x", re.compile("a+b"), False, "", "a")
    assert complaint("x", re.compile("a++b"), False, "", "b") == ""
    assert complaint("x", re.compile("a+b"), True, "", "a") == ""


def test_some_patterns_are_linear() -> None:
    # The text that took half a minute, and a part of all others.
    rules = RULES["inc"]
    assert all(not complaint("x", rule, False, "", "_") for _, rule in rules if rule is not None)
    assert complaints(300, lambda number: number % 40 == 0) == []


@pytest.mark.slow
def test_every_pattern_is_linear() -> None:
    assert complaints(8, lambda number: True) == []
