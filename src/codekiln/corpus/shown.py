"""Commits and conversations that show held-out files: what a model is tested on must not stand in their text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from codekiln.corpus.decided import HELDOUT, TRAIN, Files, Numbers
from codekiln.corpus.sources.texts import parse_commit
from codekiln.shards import Dataset
from codekiln.shards.store import read_shard

#: A line counts from so many characters on: shorter ones stand in every file.
LINE_CHARACTERS = 20
#: So large a share of a text's lines, and so many, from held-out files show them.
SHARE, LINES = 0.5, 3


def showing(files: Files, source: Dataset) -> dict[int, str]:
    """Number of each commit or conversation for training that shows held-out files -> what it shows, in words."""
    composed = np.flatnonzero((files.split == TRAIN) & files.composed)
    held = np.flatnonzero((files.split == HELDOUT) & ~files.composed)
    if not len(composed) or not len(held):
        return {}
    places = {(files.repo(number), files.path(number)) for number in held.tolist()}
    lines = all_marks(text for _, text in _texts(files, source, held))
    found = (
        (number, shows(files.kind_names[files.kinds[number]], files.repo(number), text, places, lines))
        for number, text in _texts(files, source, composed)
    )
    return {number: what for number, what in found if what}


def _texts(files: Files, source: Dataset, wanted: Numbers) -> Iterator[tuple[int, str]]:
    """Some rows' numbers with their contents, read shard by shard."""
    for shard, numbers in files.by_shard(wanted):
        content = read_shard(source.shard_paths[shard], ["content"]).column("content")
        for number in numbers.tolist():
            yield number, content[number - int(files.starts[shard])].as_py()


def marks(text: str) -> set[bytes]:
    """Hashes of the lines that tell one text from another, without their indentation and the marks of a diff."""
    stripped = {line.strip(" \t+-\r") for line in text.split("\n")}
    return {
        hashlib.blake2b(line.encode("utf-8", "replace"), digest_size=8).digest()
        for line in stripped
        if len(line) >= LINE_CHARACTERS
    }


def all_marks(texts: Iterable[str]) -> set[bytes]:
    """The marks of all of some texts."""
    found: set[bytes] = set()
    for text in texts:
        found |= marks(text)
    return found


def shows(kind: str, repo: str, text: str, places: set[tuple[str, str]], held: set[bytes]) -> str:
    """What of the held-out files a text shows, in words; "" when nothing.

    Args:
        places: (repo, path) of the held-out files.
        held: their marks.
    """
    if kind == "commit":
        for piece in parse_commit(text)[1]:
            for path in (piece.path, piece.old_path):
                if (repo, path) in places:
                    return f"changes held-out {repo}:{path}"
    own = marks(text)
    common = len(own & held)
    if common >= LINES and common >= SHARE * len(own):
        return f"{common} of its {len(own)} lines stand in held-out files"
    return ""
