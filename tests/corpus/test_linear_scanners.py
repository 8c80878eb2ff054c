"""What looks at whole files takes linear time, whatever is in them, and ends in no error of its own."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from test_linear import PIECES

from codekiln.corpus import languages, licenses, minhash, opencoder, secrets, signals
from codekiln.corpus.decontamination import notices, words
from codekiln.corpus.languages.rules import RULES
from codekiln.corpus.licenses import reuse
from codekiln.corpus.order import imports
from codekiln.corpus.order.pathindex import PathIndex
from codekiln.corpus.sources import conversations, decoding, events, ignoring, kaggle, notebooks
from codekiln.corpus.sources.registries import pages
from codekiln.dataset import documents

_INDEX = PathIndex(["a.py", "a/b.py", "a.js", "a.rs", "a.rb", "a.go", "a.dart", "a.h"])
_ORDERS = (
    imports.python,
    imports.scripts,
    imports.go,
    imports.rust,
    imports.includes,
    imports.dart,
    imports.ruby,
)
_METADATA = (
    "package.json",
    "Cargo.toml",
    "setup.py",
    "setup.cfg",
    "pom.xml",
    "x.gemspec",
    "pyproject.toml",
    "METADATA",
)

_SHEBANGS = ("#!", "#!/usr/bin/env", "#!/usr/bin/env -S", "#!/bin/x")


def _measure(language: str, text: str) -> Any:
    return signals.measure("a", language, text.encode(), text, ("starcoder2", "opencoder"))


def _notebook(text: str) -> Any:
    cells = [{"cell_type": kind, "source": text} for kind in ("code", "markdown")]
    document = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4})
    found = notebooks.parse(document, frozenset(["python"]))
    return found if isinstance(found, str) else (notebooks.as_script(found), notebooks.as_structured(found))


def _ignored(text: str) -> Any:
    rules = ignoring.parse(text.encode())
    return rules and ignoring.verdict(rules[:100], "a/" * 50 + "a" * 200, False)


def _declared(text: str) -> Any:
    told = json.dumps(text)
    found = [licenses.from_metadata(name, text) for name in _METADATA]
    found.append(licenses.from_metadata("package.json", f'{{"license": {told}}}'))
    found.append(licenses.from_metadata("pyproject.toml", f"[project]\nlicense = {told}"))
    return found, reuse.patterns(".reuse/dep5", text), reuse.patterns("REUSE.toml", text)


SCANNERS: dict[str, Callable[[str], Any]] = {
    **{
        f"signals of {name}": partial(_measure, name)
        for name in ("python", "c", "c#", "java", "go", "javascript")
    },
    **{
        f"signals of {name}": partial(_measure, name)
        for name in ("html", "lua", "haskell", "shell", "pascal")
    },
    "languages": lambda text: [languages.detect(f"a.{extension}", text) for extension in RULES],
    "language without a name": lambda text: languages.detect("a", text),
    "shebang": lambda text: [languages.by_shebang(start + text) for start in _SHEBANGS],
    "secrets": lambda text: secrets.clean(text, "a.py", "python", personal_data=True, secrets=True),
    "secrets of settings": lambda text: secrets.clean(
        text, "a.yaml", "yaml", personal_data=True, secrets=True
    ),
    "copyright": licenses.copyright_lines,
    "header": lambda text: licenses.from_header(text.encode()),
    "license": lambda text: licenses.identify(text.encode()),
    "expression": licenses.parse_expression,
    "metadata": _declared,
    "decoding": lambda text: decoding.decode(text.encode() + b"\xff"),
    "notebook": _notebook,
    "Kaggle's notebook": kaggle.parses,
    "mail": conversations.without_mail,
    "ignore file": _ignored,
    "event": lambda text: events.read_event(text.encode()),
    "index page": lambda text: pages.read_page(text.encode(), "text/html", "http://localhost/"),
    "words": lambda text: words.words_of([words.encode_text(text)]),
    "notices": notices.without_notices,
    "shingles": lambda text: minhash.shingles(text.encode()),
    "windows": lambda text: (documents.normalise(text), documents.line_units(text)),
    "order": lambda text: [list(order("a.py", text, _INDEX)) for order in _ORDERS],
}
_MORE = [
    "<!--", "'''", '"""', "import a\n", "from a import b\n", "use crate::a;\n", "#include <a>\n", "password = 'aaaa'\n",
    "-----BEGIN RSA PRIVATE KEY-----\n", "a@b.c ", "1.2.3.4 ", "http://a:b@c ", "eyJhbGciOi", "key: ", "<a href='x'>",
    "On x wrote:\n", "> ", "%matplotlib\n", "**/", "a*", "[a-z]*", '{"a":', "(MIT OR ", "MIT AND ", "License: MIT\n", "0x",
    "\\x41", "\\u0041", "AAAAAAAA\n", "copyright (c) ", "def a(): return 1\n", "class a:\n", "SPDX-License-Identifier: ",
    "# -*- ", "vim: ", "&#160;", "<script>", "return ", "#include <a_", "int a(int a, ", "{- ", "(* ", "--[[", "=begin\n",
]  # fmt: skip
#: Characters; seconds below which nothing matters; growth of linear time is 4, of quadratic time 16.
_SHORT, _LONG, _NOTHING, _RATIO = 5_000, 20_000, 0.1, 12.0


def _texts(pieces: list[str]) -> Iterator[tuple[str, str]]:
    for piece in pieces:
        yield "", piece
        yield "return", piece


def _complaint(scan: Callable[[str], Any], begin: str, piece: str) -> str:
    def took(length: int) -> float:
        text = (begin + piece * (length // len(piece)))[:length]
        gc.disable()  # what it takes goes by the objects of the whole process
        try:
            start = time.process_time()
            scan(text)
            return time.process_time() - start
        finally:
            gc.enable()

    if took(_SHORT) < _NOTHING / 10 or took(_LONG) < _NOTHING:
        return ""
    ratio = min(took(4 * _LONG) for _ in range(3)) / min(took(_LONG) for _ in range(3))
    return f"{begin!r} and then {piece!r}: {ratio:.1f} times as long" if ratio > _RATIO else ""


@pytest.mark.parametrize("name", ["signals of c", "languages", "secrets", "notebook", "metadata", "order"])
def test_a_scanner_is_linear(name: str) -> None:
    pieces = [" ", "\n", "(", '"', "a=", "a."]
    assert [
        text for begin, piece in _texts(pieces) if (text := _complaint(SCANNERS[name], begin, piece))
    ] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SCANNERS)
def test_every_scanner_is_linear(name: str) -> None:
    pairs = _texts([*PIECES, *_MORE])
    assert [text for begin, piece in pairs if (text := _complaint(SCANNERS[name], begin, piece))] == []


def test_comments_that_are_never_closed_are_read_once() -> None:
    for language in ("c", "haskell", "lua", "pascal", "julia", "python", "xslt"):
        text = "/* {- --[[ (* <!-- #= ''' \"\"\" " * 3_000
        start = time.process_time()
        opencoder.measure("a", language, text.encode(), text, 1)
        assert time.process_time() - start < 2
