"""The token formats of Qwen2.5-Coder (report sections 1.3 and 3.1), spelled here and nowhere else.

Source text never contains control tokens: it is encoded with special tokens off, and the control tokens are
added by id in these functions. Every sample is a list of (token ids, kind) segments, so that training can mask
and log by kind, and so that inference stops exactly before the part the model has to write.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

END_OF_TEXT = "<|endoftext|>"
IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
FIM_PREFIX = "<|fim_prefix|>"
FIM_MIDDLE = "<|fim_middle|>"
FIM_SUFFIX = "<|fim_suffix|>"
FIM_PAD = "<|fim_pad|>"
REPO_NAME = "<|repo_name|>"
FILE_SEP = "<|file_sep|>"

#: Ids of the Qwen2.5 vocabulary (report section 1.3).
CONTROL_IDS = {
    END_OF_TEXT: 151643,
    IM_START: 151644,
    IM_END: 151645,
    FIM_PREFIX: 151659,
    FIM_MIDDLE: 151660,
    FIM_SUFFIX: 151661,
    FIM_PAD: 151662,
    REPO_NAME: 151663,
    FILE_SEP: 151664,
}

#: A completion ends at any of these (repository example of the Qwen2.5-Coder repository).
STOP_IDS = frozenset(CONTROL_IDS[t] for t in CONTROL_IDS if t not in (IM_START, FIM_PAD))


class Kind(IntEnum):
    """What a token of a training row is, for masks and for losses logged apart."""

    PLAIN = 0  # left-to-right text of a whole file
    CONTEXT = 1  # prefix or suffix of a FIM sample
    MIDDLE = 2  # the part between prefix and suffix
    END = 3  # end-of-text
    SENTINEL = 4  # FIM and repository control tokens: never a target
    REPOSITORY = 5  # other files of a repository sample, with their paths


class Encoder(Protocol):
    """Text to token ids, with special tokens off."""

    def __call__(self, text: str) -> list[int]: ...


@dataclass(frozen=True)
class Segment:
    ids: list[int]
    kind: Kind


Sample = list[Segment]


def _control(token: str) -> Segment:
    return Segment([CONTROL_IDS[token]], Kind.SENTINEL)


def end() -> Segment:
    """The end-of-text token, a live target: without it a model never learns to stop."""
    return Segment([CONTROL_IDS[END_OF_TEXT]], Kind.END)


def plain(encode: Encoder, text: str) -> Sample:
    """A file read left to right: `{text}<|endoftext|>`."""
    return [Segment(encode(text), Kind.PLAIN), end()]


def fim_prompt(encode: Encoder, prefix: str, suffix: str) -> Sample:
    """`<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>`, ready for the model to go on."""
    return [
        _control(FIM_PREFIX),
        Segment(encode(prefix), Kind.CONTEXT),
        _control(FIM_SUFFIX),
        Segment(encode(suffix), Kind.CONTEXT),
        _control(FIM_MIDDLE),
    ]


def fim(encode: Encoder, prefix: str, middle: str, suffix: str) -> Sample:
    """A file-level FIM sample in prefix-suffix-middle order, closed by end-of-text."""
    return [*fim_prompt(encode, prefix, suffix), Segment(encode(middle), Kind.MIDDLE), end()]


def repository_context(encode: Encoder, name: str, files: list[tuple[str, str]], path: str) -> Sample:
    """The head of a repository sample: name, whole files as (path, content), then the last file's path line.

    `<|repo_name|>{name}\\n<|file_sep|>{path}\\n{content}\\n…<|file_sep|>{path}\\n`
    """
    parts: Sample = [_control(REPO_NAME), Segment(encode(name + "\n"), Kind.REPOSITORY)]
    for other, content in files:
        parts += [_control(FILE_SEP), Segment(encode(f"{other}\n{content}\n"), Kind.REPOSITORY)]
    return [*parts, _control(FILE_SEP), Segment(encode(path + "\n"), Kind.REPOSITORY)]


def flatten(sample: Sample) -> tuple[list[int], list[int]]:
    """Token ids and, for each, its kind."""
    ids: list[int] = []
    kinds: list[int] = []
    for segment in sample:
        ids += segment.ids
        kinds += [int(segment.kind)] * len(segment.ids)
    return ids, kinds


def loss_mask(kinds: list[int], *, loss: str = "all") -> list[int]:
    """1 where the token is a target. Sentinels never are; `loss="middle"` keeps only middles, plain text and ends."""
    context = {int(Kind.SENTINEL)} | (
        {int(Kind.CONTEXT), int(Kind.REPOSITORY)} if loss == "middle" else set()
    )
    return [0 if kind in context else 1 for kind in kinds]
