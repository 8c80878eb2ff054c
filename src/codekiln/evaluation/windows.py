"""Windows of held-out text for bits per byte: whole lines, spread evenly over the held-out files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from codekiln.evaluation.chance import rank
from codekiln.evaluation.config import ProofConfig
from codekiln.evaluation.context import lines_of
from codekiln.evaluation.probes import HeldOutFile
from codekiln.formats import Encoder

#: Tokens a file gives at least, so that a large held-out set is not scored in scraps without context.
_LEAST_SHARE = 256


@dataclass(frozen=True)
class Window:
    """A run of lines of one file. `context` ids are shown, not scored; `bytes` are those of `target` in UTF-8."""

    file: HeldOutFile
    number: int
    line: int
    context: tuple[int, ...]
    target: tuple[int, ...]
    bytes: int


def choose_windows(
    files: Sequence[HeldOutFile],
    config: ProofConfig,
    seed: int,
    encode: Encoder,
    decode: Callable[[list[int]], str],
) -> list[Window]:
    """Windows of at most `text_window` tokens, about `text_tokens` in all, in order of (file, window).

    Files are taken by hash, as many as can give 256 tokens each; what short files leave is shared by the longer
    ones. A file that is longer than its share is entered at a line chosen by hash. The first token of a window
    has no context and is not scored (with it every further one until a whole character is complete), and its
    bytes are not counted.
    """
    order = sorted((file for file in files if file.content), key=lambda f: (rank(seed, "text", f.id), f.id))
    least = min(_LEAST_SHARE, config.text_window)
    chosen = order[: max(1, config.text_tokens // least)] if config.text_tokens else []
    measured = [(file, [len(encode(line)) for line in lines_of(file.content)]) for file in chosen]
    windows: list[Window] = []
    left = config.text_tokens
    by_length = sorted(measured, key=lambda pair: (sum(pair[1]), pair[0].id))
    for position, (file, counts) in enumerate(by_length):
        share = left // (len(by_length) - position)
        made = _file_windows(file, counts, share, config.text_window, seed, encode, decode)
        left -= sum(len(window.context) + len(window.target) for window in made)
        windows += made
    return sorted(windows, key=lambda window: (window.file.id, window.number))


def _file_windows(
    file: HeldOutFile,
    counts: list[int],
    share: int,
    limit: int,
    seed: int,
    encode: Encoder,
    decode: Callable[[list[int]], str],
) -> list[Window]:
    lines = lines_of(file.content)
    row = _entry(counts, share, rank(seed, "entry", file.id))
    wanted = min(share, sum(counts[row:]))
    parts = -(-wanted // limit)
    windows: list[Window] = []
    for _ in range(parts):
        # Equal parts: a window of leftovers would be text without context.
        size = -(-wanted // parts)
        end, count = row + 1, counts[row]
        while end < len(lines) and count + counts[end] <= size:
            count += counts[end]
            end += 1
        text, ids = _fit(encode, "".join(lines[row:end]), size)
        hidden = _first_character(ids, decode)
        scored = len(text.encode("utf-8")) - len(decode(ids[:hidden]).encode("utf-8"))
        if hidden < len(ids) and scored > 0:
            place = (file, len(windows), row + 1)
            windows.append(Window(*place, tuple(ids[:hidden]), tuple(ids[hidden:]), scored))
        row = end
        if row == len(lines):
            break
    return windows


def _entry(counts: list[int], share: int, chance: int) -> int:
    """A row from which at least `share` tokens follow; row 0 when the whole file has no more."""
    rest, last = 0, len(counts)
    while last > 0 and rest < share:
        last -= 1
        rest += counts[last]
    return chance % (last + 1)


def _fit(encode: Encoder, text: str, limit: int) -> tuple[str, list[int]]:
    """The text, or, when it is one line too long for a window, as much of its start as fits; and its ids."""
    ids = encode(text)
    while len(ids) > limit and len(text) > 1:
        text = text[: max(1, min(len(text) - 1, len(text) * limit // len(ids)))]
        ids = encode(text)
    return text, ids


def _first_character(ids: list[int], decode: Callable[[list[int]], str]) -> int:
    """How many tokens it takes until a whole character is complete (1, save for characters of several tokens)."""
    count = 1
    while count < len(ids) and decode(ids[:count]).endswith("\ufffd"):
        count += 1
    return count
