"""Repository-level documents: other training files of the same repository, then the target file.

`<|repo_name|>name <|file_sep|>path content … <|file_sep|>path target`, where only the target may be a FIM
sample (report section 3.1). The context is chosen by nearness to the target; the nearest file stands last,
right before the target, where a completion looks first, unless another file of the context needs it.
"""

from __future__ import annotations

import hashlib
import posixpath
import re

import numpy as np

from codekiln import formats
from codekiln.corpus.order.graph import order
from codekiln.dataset.config import DatasetConfig
from codekiln.dataset.documents import (
    RESERVE,
    Document,
    Tokenizer,
    Window,
    encode_checked,
    encoder,
    line_units,
    window_sample,
)
from codekiln.dataset.files import TrainFiles, one_line_name

#: Files looked at, files taken, and the fewest tokens worth a file's head.
MAX_CANDIDATES = 32
MAX_FILES = 12
MIN_TOKENS = 48

_IMPORT = re.compile(
    r"^[ \t]*(?:import|from|#[ \t]*include|using|use|require|require_relative|include|mod|package|load|source|"
    r"export|extern|open|@import)\b[^\r\n]*|\b(?:require|import)[ \t]*\([^)\r\n]*\)",
    re.MULTILINE,
)
#: File names that stand for their folder in an import.
_FOLDER_FILES = frozenset({"__init__", "index", "mod", "main", "lib"})


def target_room(config: DatasetConfig) -> int:
    """Tokens of a repository row that its target may take: half; what it leaves goes to the context."""
    return config.repository_length // 2


def has_context(files: TrainFiles, number: int) -> bool:
    """Whether a file's repository has another training file."""
    folders = files.around(number)
    return len(folders) > 1 or len(next(iter(folders.values()))) > 1


def rank_context(files: TrainFiles, target: int, text: str) -> list[int]:
    """The other training files of the target's repository, nearest first, at most MAX_CANDIDATES.

    Same folder first, then the longest shared path, then files that the target's imports mention, then a hash
    of (target, file), so that equals do not always come in the same order.
    """
    folders = files.around(target)
    own = posixpath.dirname(files.paths[target])
    near = sorted(
        folders, key=lambda folder: (folder != own, -_shared(folder, own), folder.count("/"), folder)
    )
    words = _imported_words(text)
    ranked: list[int] = []
    for folder in near:
        others = [number for number in folders[folder] if number != target]
        others.sort(
            key=lambda number: (not _is_mentioned(files.paths[number], words), _tie(files, target, number))
        )
        ranked += others[: MAX_CANDIDATES - len(ranked)]
        if len(ranked) >= MAX_CANDIDATES:
            break
    return ranked


def _shared(folder: str, own: str) -> int:
    """Number of leading path parts that two folders share."""
    parts, others = folder.split("/") if folder else [], own.split("/") if own else []
    return next((n for n, (a, b) in enumerate(zip(parts, others)) if a != b), min(len(parts), len(others)))


def _imported_words(text: str) -> frozenset[str]:
    return frozenset(word for match in _IMPORT.finditer(text) for word in re.findall(r"\w+", match.group()))


def _is_mentioned(path: str, words: frozenset[str]) -> bool:
    stem = posixpath.basename(path).split(".")[0]
    return stem in words or (stem in _FOLDER_FILES and posixpath.basename(posixpath.dirname(path)) in words)


def _tie(files: TrainFiles, target: int, other: int) -> bytes:
    return hashlib.blake2b(f"{files.ids[target]}\0{files.ids[other]}".encode(), digest_size=8).digest()


def choose_context(
    files: TrainFiles, target: int, text: str, ranked: list[int], tokenizer: Tokenizer, room: int
) -> list[tuple[int, str]]:
    """Context files as (number, content), nearest first, that take at most about `room` tokens together.

    A file is taken whole, or its head up to a line start. While others wait, no file takes more than half of
    the room. No two contents are equal, and none equals the target's.
    """
    chosen: list[tuple[int, str]] = []
    seen = {text}
    left = room
    for place, number in enumerate(ranked):
        if left < MIN_TOKENS or len(chosen) == MAX_FILES:
            break
        content = files.text(number)
        if content in seen or not content.strip():
            continue
        most = left if place == len(ranked) - 1 else min(left, max(room // 2, MIN_TOKENS))
        head = one_line_name(files.paths[number]) + "\n"
        overhead = 3 + len(encoder(tokenizer)(head))
        seen.add(content)
        content, tokens = _head(content, tokenizer, most - overhead)
        # Two different files may still have the same head.
        if content.strip() and content not in (other for _, other in chosen):
            chosen.append((number, content))
            left -= tokens + overhead
    return chosen


def _head(text: str, tokenizer: Tokenizer, room: int) -> tuple[str, int]:
    """A head of whole lines of at most `room` tokens (and eight characters a token), and its tokens."""
    units: list[str] = []
    characters = 0
    for unit in line_units(text[: 8 * max(room, 0)]):
        units.append(unit)
        characters += len(unit)
    if characters < len(text) and units:
        units.pop()
    counts = np.cumsum([len(ids) for ids in encode_checked(tokenizer, units)] or [0])
    keep = int(np.searchsorted(counts, room, side="right"))
    return "".join(units[:keep]), int(counts[keep - 1]) if keep and units else 0


def arrange(files: TrainFiles, chosen: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Context files, given nearest first, in the order of the row: the nearest last, yet each after what it imports."""
    members = [(files.paths[number], files.languages[number], content) for number, content in chosen]
    return [chosen[place] for place in order(members, ranks=range(len(chosen), 0, -1))]


def repository_document(
    files: TrainFiles,
    target: int,
    text: str,
    window: Window,
    ranked: list[int],
    tokenizer: Tokenizer,
    rng: np.random.Generator,
    config: DatasetConfig,
) -> Document:
    """One repository sample around a window of the target file; `text` is the whole target.

    Where no context is left (every other file is a copy or too long in its first line), the result is a
    file-level document, and its form says so by lacking the `repository:` prefix.
    """
    sample, form = window_sample(
        window,
        files.languages[target],
        tokenizer,
        rng,
        config,
        rate=config.repository_fim_rate,
        room=target_room(config),
    )
    encode = encoder(tokenizer)
    name, path = one_line_name(files.repos[target]), one_line_name(files.paths[target])
    bare = _tokens(sample) + _tokens(formats.repository_context(encode, name, [], path))
    room = config.repository_length - bare
    chosen = choose_context(files, target, text, ranked, tokenizer, room - RESERVE)
    while chosen:
        arranged = arrange(files, chosen) if config.order == "dependency" else chosen[::-1]
        context = [(one_line_name(files.paths[number]), content) for number, content in arranged]
        whole = [*formats.repository_context(encode, name, context, path), *sample]
        if _tokens(whole) <= config.repository_length:
            sources = [files.source(number) for number, _ in arranged] + [files.source(target)]
            return Document(window.id, whole, f"repository:{form}", "\n".join(sources))
        chosen.pop()
    return Document(window.id, sample, form, files.source(target))


def _tokens(sample: formats.Sample) -> int:
    return sum(len(segment.ids) for segment in sample)
