"""The libraries that a user would string together in place of `codekiln corpus build`, one step each."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import corpus_secrets

#: (path, text) -> anything; the work is what is measured.
Step = Callable[[str, str], object]


def pygments() -> AbstractContextManager[Step]:
    from pygments.lexers import guess_lexer_for_filename
    from pygments.util import ClassNotFound

    def step(path: str, text: str) -> object:
        try:
            return guess_lexer_for_filename(Path(path).name, text)
        except ClassNotFound:
            return None

    return nullcontext(step)


def detect_secrets() -> AbstractContextManager[Step]:
    import detect_secrets  # noqa: F401  # the ImportError names it

    return corpus_secrets.detect_secrets()


def datasketch() -> AbstractContextManager[Step]:
    """As BigCode's recipe has it: words, 5-grams, 250 permutations, an LSH index."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=250, params=(25, 10))
    number = iter(range(10**9))

    def step(path: str, text: str) -> object:
        words = re.findall(r"\w+", text.lower())
        grams = {" ".join(words[at : at + 5]).encode() for at in range(len(words) - 4)}
        sketch = MinHash(num_perm=250, seed=1)
        sketch.update_batch(list(grams))
        found = index.query(sketch)
        index.insert(next(number), sketch)
        return found

    return nullcontext(step)


def line_rules() -> AbstractContextManager[Step]:
    """The arithmetic of the usual filters, line by line and character by character."""

    def step(path: str, text: str) -> object:
        lines = text.splitlines()
        lengths = [len(line) for line in lines]
        letters = sum(one.isalpha() for one in text)
        digits = sum(one.isalnum() for one in text)
        encoded = sum(len(one) for one in re.findall(r"[A-Za-z0-9+/]{64,}={0,2}", text))
        return lengths, letters, digits, encoded

    return nullcontext(step)


def word_runs() -> AbstractContextManager[Step]:
    """Decontamination with joined strings of ten words in a set."""
    tests: set[str] = {"a " * 10}

    def step(path: str, text: str) -> object:
        words = re.findall(r"\w+", text.lower())
        return [gram for at in range(len(words) - 9) if (gram := " ".join(words[at : at + 10])) in tests]

    return nullcontext(step)


PEERS: dict[str, Callable[[], AbstractContextManager[Step]]] = {
    "Pygments, language": pygments,
    "detect-secrets, default plugins": detect_secrets,
    "datasketch MinHash LSH": datasketch,
    "plain Python, line and letter rules": line_rules,
    "plain Python, runs of ten words": word_runs,
}
