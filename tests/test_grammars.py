"""Hostile text ends the process that parses, and nothing else; ordinary text has its nodes and rows whatever happens to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from codekiln.errors import RunError
from codekiln.evaluation.syntax import outline
from codekiln.fim import choose_span, document_rng, syntax_nodes
from codekiln.grammars import Grammars, process

PYTHON = b"def f(a):\n    return g(a)\n"
#: Ended the process that parsed it, or took minutes, with grammars of 2026.
HOSTILE = [
    ("kotlin", '"${' * 4_000),
    ("perl", '"${' * 4_000),
    ("agda", "\0" * 10_000),
    ("python", "<!--" * 5_000),
]


@pytest.fixture
def grammars() -> Iterator[Grammars]:
    one = Grammars()
    yield one
    one.close()


@pytest.mark.parametrize(("language", "text"), HOSTILE)
def test_hostile_text_is_cut_and_outlined_without_its_grammar(language: str, text: str) -> None:
    begun = time.monotonic()
    assert syntax_nodes(text, language) == []
    span = choose_span(text, language, document_rng(0, 0, "x"), {"node": 1.0})
    assert span.kind != "node"
    assert outline(text, language).blocks == ()
    assert time.monotonic() - begun < 60
    assert ("return", 14, 25) in syntax_nodes(PYTHON.decode(), "python")
    assert outline(PYTHON.decode(), "python").blocks == ((1, 1),)


def test_a_process_killed_from_outside_changes_no_answer(grammars: Grammars) -> None:
    answer = grammars.ask("nodes", "python", PYTHON)
    assert answer
    for sent in (signal.SIGKILL, signal.SIGTERM):
        assert grammars._process is not None
        os.kill(grammars._process.pid, sent)
        assert grammars.ask("nodes", "python", PYTHON) == answer


def test_a_process_that_cannot_start_is_an_error_and_no_answer(
    grammars: Grammars, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_PROGRAM", "raise SystemExit(7)")
    with pytest.raises(RunError, match="exit status 7"):
        grammars.ask("nodes", "python", PYTHON)


def test_the_process_ends_with_the_one_that_asks() -> None:
    script = (
        "from codekiln import fim, grammars; fim.syntax_nodes('a = 1', 'python');"
        "from codekiln.grammars import process; print(next(iter(process._OWN.values()))._process.pid)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)
