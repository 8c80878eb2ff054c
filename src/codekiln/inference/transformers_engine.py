"""Scoring and greedy generation by a Hugging Face causal language model, in batches, on a CPU.

Three rules keep it fast and small: logits exist only at positions that are asked for (never prompt x vocabulary),
a probe's prompt is read once for both its score and its completion, and rows that have ended leave the batch.
Bits are cross-entropy in fp32 over the logits, which have the model's own precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codekiln.errors import RunError, UserError, one_line
from codekiln.inference.generator import Completion

if TYPE_CHECKING:
    import torch

#: Rows of logits held at once: 64 x 152k in fp32 are 39 MB.
HEAD_ROWS = 64

#: Settings by which some families change the logits after the head; this engine applies the head alone.
_LOGIT_SETTINGS = ("final_logit_softcapping", "logits_scaling", "logit_scale")


@dataclass(frozen=True)
class Probe:
    """A prompt, the answer to score after it, and, when wanted, the token that should follow the answer."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...] = ()
    end_id: int | None = None


@dataclass(frozen=True)
class ProbeResult:
    """Bits of the answer given the prompt, bits of `end_id` after both (0 when not asked), greedy completion."""

    answer_bits: float
    end_bits: float
    completion: Completion


class TransformersEngine:
    """Batched scoring and greedy decoding over a loaded model. Make one with `load`.

    Results keep the order of the input. Inputs are sorted by length before they are cut into batches of
    `batch_size`, so a batch depends on the whole call and on nothing else.
    """

    def __init__(self, model: Any, *, batch_size: int = 8) -> None:
        for name in _LOGIT_SETTINGS:
            if getattr(model.config, name, None) not in (None, 1, 1.0):
                raise UserError(f"this engine does not support models with {name} in config.json")
        self.model = model.eval()
        self.batch_size = batch_size
        self._body = model.get_decoder()
        self._head = model.get_output_embeddings()

    @classmethod
    def load(
        cls, path: Path, *, dtype: str = "bfloat16", threads: int = 1, batch_size: int = 8
    ) -> TransformersEngine:
        """Load a checkpoint folder (config.json and safetensors; nothing in it is executed or unpickled).

        Args:
            dtype: "bfloat16" or "float32", the precision of weights and activations.
            threads: threads of torch in this process.

        Raises:
            UserError: the folder holds no checkpoint, or an unknown dtype.
            RunError: the weights cannot be read.
        """
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        if dtype not in ("bfloat16", "float32"):
            raise UserError(f"dtype {dtype!r} is not known; use bfloat16 or float32")
        if not (path / "config.json").is_file():
            raise UserError(f"{path} is not a checkpoint: it has no config.json")
        torch.set_num_threads(threads)
        logging.disable_progress_bar()
        try:
            model = AutoModelForCausalLM.from_pretrained(
                path,
                dtype=getattr(torch, dtype),
                attn_implementation="sdpa",
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
            )
        except Exception as error:
            raise RunError(f"cannot load the checkpoint {path}: {one_line(error)[:200]}") from error
        return cls(model, batch_size=batch_size)

    def score(self, sequences: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[float]:
        """Negative log-likelihood, in bits, of each target given its context.

        Args:
            sequences: (context ids, target ids); an empty target scores 0.0, a target needs some context.
        """
        lengths = [len(context) + len(target) for context, target in sequences]
        bits = [0.0] * len(sequences)
        for batch in self._batches(lengths):
            batch = [i for i in batch if len(sequences[i][1])]
            for i, value in zip(batch, self._score_batch([sequences[i] for i in batch])):
                bits[i] = value
        return bits

    def complete(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, stop_ids: Iterable[int]
    ) -> list[Completion]:
        """The most likely continuation of each prompt, token by token, up to a stop token or the limit."""
        results = self.probe([Probe(tuple(p)) for p in prompts], max_new_tokens, stop_ids)
        return [result.completion for result in results]

    def probe(
        self, probes: Sequence[Probe], max_new_tokens: int, stop_ids: Iterable[int]
    ) -> list[ProbeResult]:
        """Score each answer and complete each prompt, reading the prompt once.

        Raises:
            ValueError: a prompt is empty.
        """
        stops = frozenset(stop_ids)
        results: dict[int, ProbeResult] = {}
        for batch in self._batches([len(probe.prompt) for probe in probes]):
            made = self._probe_batch([probes[i] for i in batch], max_new_tokens, stops)
            results.update(zip(batch, made))
        return [results[i] for i in range(len(probes))]

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]

    def _score_batch(self, sequences: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[float]:
        import torch

        if not sequences:
            return []
        if any(not len(context) for context, _ in sequences):
            raise ValueError("a target needs at least one token of context")
        rows = [[*context, *target] for context, target in sequences]
        width = max(len(row) for row in rows) - 1
        ids = torch.tensor([row[:-1] + [0] * (width + 1 - len(row)) for row in rows])
        with torch.inference_mode():
            # Padding stands behind the text, where causal attention never looks: no mask is needed.
            hidden = self._body(input_ids=ids, use_cache=False).last_hidden_state
            spans = [(len(c) - 1, len(c) - 1 + len(t)) for c, t in sequences]
            wanted = torch.cat([hidden[i, start:stop] for i, (start, stop) in enumerate(spans)])
            targets = torch.tensor([token for _, target in sequences for token in target])
            bits = self._token_bits(wanted, targets)
        return [float(part.sum()) for part in bits.split([stop - start for start, stop in spans])]

    def _token_bits(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Bits of each target id [n] given the final hidden state [n, width] before it; float64 [n]."""
        import torch

        parts = []
        for rows, ids in zip(hidden.split(HEAD_ROWS), targets.split(HEAD_ROWS)):
            parts.append(torch.nn.functional.cross_entropy(self._head(rows).float(), ids, reduction="none"))
        return torch.cat(parts).double() / math.log(2)

    def _probe_batch(
        self, probes: Sequence[Probe], max_new_tokens: int, stops: frozenset[int]
    ) -> list[ProbeResult]:
        import torch
        from transformers import DynamicCache

        if any(not probe.prompt for probe in probes):
            raise ValueError("a prompt needs at least one token")
        prompt = max(len(probe.prompt) for probe in probes)
        answer = max(len(probe.answer) for probe in probes)
        # Prompts end at the same column (padding in front), answers begin there (padding behind).
        ids = torch.zeros(len(probes), prompt + answer, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, probe in enumerate(probes):
            row = torch.tensor([*probe.prompt, *probe.answer])
            start = prompt - len(probe.prompt)
            ids[i, start : start + len(row)] = row
            mask[i, start:] = 1
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        with torch.inference_mode():
            cache = DynamicCache(config=self.model.config)
            hidden = self._body(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
            ).last_hidden_state
            bits = self._answer_bits(probes, hidden[:, prompt - 1 :])
            if answer:
                cache.crop(-answer)
            completions = self._decode(
                hidden[:, prompt - 1],
                cache,
                mask[:, :prompt],
                positions[:, prompt - 1],
                max_new_tokens,
                stops,
            )
        return [ProbeResult(*pair, completion) for pair, completion in zip(bits, completions)]

    def _answer_bits(self, probes: Sequence[Probe], hidden: torch.Tensor) -> list[tuple[float, float]]:
        """(answer bits, end bits) from the hidden states [rows, 1 + answer, width] from the prompt's last token on."""
        import torch

        wanted = [
            [*probe.answer] if probe.end_id is None else [*probe.answer, probe.end_id] for probe in probes
        ]
        if not any(wanted):
            return [(0.0, 0.0)] * len(probes)
        states = torch.cat([hidden[i, : len(ids)] for i, ids in enumerate(wanted)])
        bits = self._token_bits(states, torch.tensor([token for ids in wanted for token in ids]))
        parts = bits.split([len(ids) for ids in wanted])
        cuts = [len(probe.answer) for probe in probes]
        return [(float(part[:cut].sum()), float(part[cut:].sum())) for part, cut in zip(parts, cuts)]

    def _decode(
        self,
        last: torch.Tensor,
        cache: Any,
        mask: torch.Tensor,
        position: torch.Tensor,
        max_new_tokens: int,
        stops: frozenset[int],
    ) -> list[Completion]:
        """Greedy decoding from the last hidden states [rows, width] over a filled cache."""
        import torch

        written: list[list[int]] = [[] for _ in range(len(last))]
        ended = [False] * len(last)
        alive = list(range(len(last)))
        for step in range(max_new_tokens):
            tokens = self._head(last).float().argmax(-1)
            keep = []
            for row, token in enumerate(tokens.tolist()):
                if token in stops:
                    ended[alive[row]] = True
                else:
                    written[alive[row]].append(token)
                    keep.append(row)
            if not keep or step == max_new_tokens - 1:
                break
            if len(keep) < len(alive):
                chosen = torch.tensor(keep)
                cache.batch_select_indices(chosen)
                tokens, mask, position = tokens[chosen], mask[chosen], position[chosen]
                alive = [alive[row] for row in keep]
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], -1)
            position = position + 1
            last = self._body(
                input_ids=tokens[:, None],
                attention_mask=mask,
                position_ids=position[:, None],
                past_key_values=cache,
                use_cache=True,
            ).last_hidden_state[:, -1]
        return [Completion(tuple(ids), "stop" if end else "length") for ids, end in zip(written, ended)]
