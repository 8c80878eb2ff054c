"""Infilling probes: holes in held-out files, chosen by hash and spread evenly over the files.

A hole begins behind the indentation of its first line and ends before the newline of its last one, so its prefix
ends with the indentation and its suffix begins with the newline. Lines of probes never overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from codekiln.evaluation.chance import rank
from codekiln.evaluation.config import ProofConfig
from codekiln.evaluation.context import first_lines, last_lines
from codekiln.evaluation.syntax import Rows, outline
from codekiln.evaluation.truncate import truncate_block, truncate_line
from codekiln.formats import Encoder

LINE, BLOCK = "line", "block"
_LEAST_CHARACTERS = 8
_BLOCK_LINES = range(2, 13)


@dataclass(frozen=True)
class HeldOutFile:
    """The columns of a held-out row of `files` that the proof uses."""

    id: str
    repo: str
    path: str
    language: str
    content: str


@dataclass(frozen=True)
class FimProbe:
    """A hole with its context as shown to the model. `line` is 1-based; `file` is the id of the file."""

    kind: str
    file: str
    repo: str
    path: str
    language: str
    line: int
    prefix: str
    suffix: str
    reference: str

    @property
    def id(self) -> str:
        return f"{self.file}:{self.kind}:{self.line}"


def choose_probes(
    files: Sequence[HeldOutFile], config: ProofConfig, seed: int, encode: Encoder
) -> list[FimProbe]:
    """Block probes, then line probes, in a fixed order; fewer than asked when the files hold no more.

    A hole is eligible when its answer and the end-of-text token fit into the tokens that a model may write, and
    when the truncation rule leaves the right answer whole. A line has at least 8 non-space characters and is no
    comment; a block is the body of a function, loop or branch of 2 to 12 lines.
    """
    sources = {file.id: _Source(file) for file in sorted(files, key=lambda file: file.id)}
    made: list[FimProbe] = []
    for kind, count, new_tokens in (
        (BLOCK, config.block_probes, config.block_new_tokens),
        (LINE, config.line_probes, config.line_new_tokens),
    ):

        def probe(source: _Source, rows: Rows, kind: str = kind, limit: int = new_tokens) -> FimProbe | None:
            return source.probe(kind, rows, config, limit, encode)

        made += _spread(list(sources.values()), kind, count, seed, probe)
    return made


class _Source:
    """A file with the holes it offers, worked out when first asked, and the rows already taken."""

    def __init__(self, file: HeldOutFile) -> None:
        self.file = file
        self.taken: set[int] = set()

    def holes(self, kind: str, seed: int) -> Iterator[Rows]:
        """Holes of a kind in hash order."""
        lines = self.file.content.split("\n")
        found = outline(self.file.content, self.file.language)
        if kind == BLOCK:
            rows = [rows for rows in found.blocks if rows[1] - rows[0] + 1 in _BLOCK_LINES]
        else:
            rows = [
                (row, row)
                for row, line in enumerate(lines)
                if row not in found.comments and len("".join(line.split())) >= _LEAST_CHARACTERS
            ]
        return iter(sorted(rows, key=lambda rows: (rank(seed, kind, self.file.id, rows[0]), rows)))

    def probe(
        self, kind: str, rows: Rows, config: ProofConfig, new_tokens: int, encode: Encoder
    ) -> FimProbe | None:
        """The probe of a hole, or None when its lines are taken or it is not eligible."""
        if self.taken.intersection(range(rows[0], rows[1] + 1)):
            return None
        lines = self.file.content.split("\n")
        first, last = lines[rows[0]], lines[rows[1]]
        indentation = first[: len(first) - len(first.lstrip(" \t"))]
        ending = "\r" if last.endswith("\r") else ""
        before = "".join(line + "\n" for line in lines[: rows[0]]) + indentation
        hole = "\n".join(lines[rows[0] : rows[1] + 1])[len(indentation) :].removesuffix("\r")
        after = ending + "".join("\n" + line for line in lines[rows[1] + 1 :])
        prefix = last_lines(encode, before, config.prefix_tokens)
        suffix = first_lines(encode, after, config.suffix_tokens)
        cut = truncate_line(hole) if kind == LINE else truncate_block(hole, prefix, suffix)
        if cut != hole or len(encode(hole)) >= new_tokens:
            return None
        self.taken.update(range(rows[0], rows[1] + 1))
        file = self.file
        return FimProbe(kind, file.id, file.repo, file.path, file.language, rows[0] + 1, prefix, suffix, hole)


def _spread(
    sources: list[_Source],
    kind: str,
    count: int,
    seed: int,
    probe: Callable[[_Source, Rows], FimProbe | None],
) -> list[FimProbe]:
    """One probe a file and round, until there are enough or no file has another."""
    made: list[FimProbe] = []
    order = sorted(sources, key=lambda source: (rank(seed, kind, source.file.id), source.file.id))
    waiting: list[tuple[_Source, Iterator[Rows] | None]] = [(source, None) for source in order]
    while waiting and len(made) < count:
        again: list[tuple[_Source, Iterator[Rows] | None]] = []
        for source, holes in waiting:
            if len(made) == count:
                break
            # A file is parsed only when its turn comes: most files of a large held-out set never are.
            holes = holes or source.holes(kind, seed)
            found = next((p for rows in holes if (p := probe(source, rows)) is not None), None)
            if found:
                made.append(found)
                again.append((source, holes))
        waiting = again
    return made
