"""The Generator over a local Hugging Face checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from codekiln.formats import fim_prompt, flatten
from codekiln.inference.generator import Completion, GenerationRequest, GenerationResponse
from codekiln.inference.transformers_engine import TransformersEngine


class TextTokenizer(Protocol):
    """Text to ids and back, special tokens off."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: list[int]) -> str: ...


@dataclass(frozen=True)
class TransformersGenerator:
    """Answers requests greedily with one engine and its tokenizer."""

    engine: TransformersEngine
    tokenizer: TextTokenizer

    @classmethod
    def load(
        cls, path: Path, *, dtype: str = "bfloat16", threads: int = 1, batch_size: int = 8
    ) -> TransformersGenerator:
        """Load weights and tokenizer of a checkpoint folder; errors as `TransformersEngine.load`."""
        from codekiln.modeling.tokenizer import load_tokenizer

        engine = TransformersEngine.load(path, dtype=dtype, threads=threads, batch_size=batch_size)
        return cls(engine, load_tokenizer(path))

    def generate(self, requests: Sequence[GenerationRequest]) -> list[GenerationResponse]:
        """Completions in the order of the requests; those with the same limits share batches."""
        groups: dict[tuple[int, frozenset[int]], list[int]] = {}
        for i, request in enumerate(requests):
            groups.setdefault((request.max_new_tokens, request.stop_ids), []).append(i)
        completions: dict[int, Completion] = {}
        for (limit, stops), members in groups.items():
            prompts = [self._prompt(requests[i]) for i in members]
            completions.update(zip(members, self.engine.complete(prompts, limit, stops)))
        return [
            GenerationResponse(self.tokenizer.decode(list(completions[i].token_ids)), completions[i])
            for i in range(len(requests))
        ]

    def _prompt(self, request: GenerationRequest) -> list[int]:
        if request.suffix is None:
            return self.tokenizer.encode(request.prompt)
        return flatten(fim_prompt(self.tokenizer.encode, request.prompt, request.suffix))[0]
