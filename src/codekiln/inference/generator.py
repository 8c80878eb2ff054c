"""What every engine answers: the Generator protocol, its requests and its completions.

The protocol is synchronous: a call takes a whole batch and returns when the last answer is there. Engines that
live behind a network connection can run their own event loop inside `generate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from codekiln.formats import STOP_IDS

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Completion:
    """Tokens that a model added to a prompt.

    Attributes:
        token_ids: the new tokens, without the stop token.
        finish_reason: "stop" when the model ended by itself with a stop token, "length" at the limit.
    """

    token_ids: tuple[int, ...]
    finish_reason: FinishReason


@dataclass(frozen=True)
class GenerationRequest:
    """One thing to write: the continuation of `prompt`, or, with a `suffix` (even ""), what stands between them."""

    prompt: str
    suffix: str | None = None
    max_new_tokens: int = 64
    stop_ids: frozenset[int] = STOP_IDS


@dataclass(frozen=True)
class GenerationResponse:
    """The answer to one request: the text as the model wrote it, not truncated, and its tokens."""

    text: str
    completion: Completion


class Generator(Protocol):
    """Anything that answers prompts; responses come in the order of the requests."""

    def generate(self, requests: Sequence[GenerationRequest]) -> list[GenerationResponse]: ...
