"""The token rows that every engine of the training benchmark is given."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from codekiln.errors import UserError
from codekiln.formats import CONTROL_IDS, END_OF_TEXT

#: Modules of the standard library whose source is read, in this order, until there are enough tokens.
_MODULES = (
    "argparse",
    "subprocess",
    "tarfile",
    "inspect",
    "typing",
    "zipfile",
    "doctest",
    "difflib",
    "pickletools",
    "pdb",
    "turtle",
    "statistics",
    "fractions",
    "datetime",
    "mailbox",
    "smtplib",
)
#: Relative sizes of the documents of a packed row; each row starts at another one.
_SIZES = (1.24, 0.88, 1.12, 0.76)


class TokenRow(TypedDict):
    """One training row: tokens of all its documents, one behind the other, and tokens per document."""

    input_ids: list[int]
    lengths: list[int]


def token_stream(encode: Callable[[str], list[int]], count: int) -> list[int]:
    """The first `count` tokens of the standard library's source.

    Raises:
        UserError: the modules hold fewer tokens.
    """
    stream: list[int] = []
    for name in _MODULES:
        if len(stream) >= count:
            break
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None and Path(spec.origin).suffix == ".py":
            stream += encode(Path(spec.origin).read_text(encoding="utf-8"))
    if len(stream) < count:
        raise UserError(
            f"the benchmark's source text has {len(stream)} tokens and --steps x --length asks for {count}; "
            "lower one of them"
        )
    return stream[:count]


def document_sizes(length: int, documents: int, row: int) -> list[int]:
    """Sizes of the documents of packed row number `row`: unequal, around length / documents, summing to `length`."""
    weights = [_SIZES[(row + number) % len(_SIZES)] for number in range(documents)]
    sizes = [int(length * weight / sum(weights)) for weight in weights]
    sizes[-1] += length - sum(sizes)
    return sizes


def make_rows(stream: list[int], *, length: int, rows: int, documents: int) -> list[TokenRow]:
    """Cut a token stream into `rows` rows of `length` tokens, each of `documents` documents.

    The documents of a row are consecutive pieces of one text, each closed by end-of-text. So a model that sees
    across a border predicts better than one that does not, and an engine that leaks shows in its loss.
    """
    made: list[TokenRow] = []
    for number in range(rows):
        ids = stream[number * length : (number + 1) * length]
        lengths = document_sizes(length, documents, number)
        last = -1
        for size in lengths:
            last += size
            ids[last] = CONTROL_IDS[END_OF_TEXT]
        made.append({"input_ids": ids, "lengths": lengths})
    return made


def starts_of(lengths: list[int]) -> list[int]:
    """Position of the first token of each document of a row."""
    return [sum(lengths[:number]) for number in range(len(lengths))]
