"""The proof: what a model makes of held-out files, as two datasets on disk.

Text windows are scored; each infilling probe's prompt is read once, for the score of its reference and for the
greedy completion. Probes, windows and batches depend on the held-out files, the configuration and the seed
alone, so a killed proof goes on where it was, and a second run gives the same bytes on the same machine with the
same number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa

from codekiln import formats
from codekiln.errors import RunError, UserError
from codekiln.evaluation.config import ProofConfig
from codekiln.evaluation.probes import BLOCK, LINE, FimProbe, HeldOutFile, choose_probes
from codekiln.evaluation.truncate import truncate_block, truncate_line
from codekiln.evaluation.windows import Window, choose_windows
from codekiln.formats import CONTROL_IDS, END_OF_TEXT, STOP_IDS
from codekiln.inference.transformers_engine import Probe, TransformersEngine
from codekiln.shards import Dataset, Stage, build
from codekiln.shards.disk import hash_file, hash_json
from codekiln.shards.tables import GENERATIONS, TEXT_SCORES

TEXT, PROBES = "text", "generations"
#: Padded tokens of text in one forward pass; larger passes are no faster and a kill loses more.
_TEXT_BATCH_TOKENS = 2048
#: Settings that `compare` and `samples` use; changing them measures nothing again.
_LATER = {"resamples", "samples"}


def run_proof(
    folder: Path,
    checkpoint: Path,
    heldout: Dataset,
    config: ProofConfig,
    *,
    seed: int,
    dtype: str,
    threads: int,
) -> None:
    """Measure one model: writes `folder/text` (TEXT_SCORES) and `folder/generations` (GENERATIONS).

    Args:
        checkpoint: a Hugging Face checkpoint folder with its tokenizer.
        heldout: rows of `files`, the held-out ones only.
        dtype: "bfloat16" or "float32".

    Raises:
        UserError: no checkpoint in that folder.
        RunError: the checkpoint cannot be read, or the disk is full; a second run goes on.
    """
    from codekiln.modeling.tokenizer import load_tokenizer

    inputs = {"heldout": heldout.content_hash, "checkpoint": checkpoint_hash(checkpoint)}
    tokenizer = load_tokenizer(checkpoint)
    files = heldout_files(heldout)
    settings = {**config.model_dump(exclude=_LATER), "dtype": dtype, "threads": threads}
    # Loaded when the first batch needs it: a proof that is already there never reads the weights.
    engine = cache(
        lambda: TransformersEngine.load(
            checkpoint, dtype=dtype, threads=threads, batch_size=config.batch_size
        )
    )

    windows = choose_windows(files, config, seed, tokenizer.encode, tokenizer.decode)
    batches = _text_batches(windows, config.batch_size)
    build(
        folder / TEXT,
        Stage("proof-text", 1, settings, inputs, seed),
        TEXT_SCORES,
        partial(_score_windows, engine),
        batches,
        unit="tokens",
        sizes=[sum(len(window.target) for window in batch) for batch in batches],
    )
    probes = choose_probes(files, config, seed, tokenizer.encode)
    groups = _probe_batches(probes, config.batch_size)
    build(
        folder / PROBES,
        Stage("proof-probes", 1, settings, inputs, seed),
        GENERATIONS,
        partial(_answer_probes, engine, tokenizer, config),
        groups,
        unit="probes",
        sizes=[len(group) for group in groups],
    )


def heldout_files(heldout: Dataset) -> list[HeldOutFile]:
    """The rows of a `files` dataset, sorted by id."""
    columns = ["id", "repo", "path", "language", "content"]
    rows = (HeldOutFile(**row) for row in heldout.rows(columns))
    return sorted(rows, key=lambda file: file.id)


def checkpoint_hash(checkpoint: Path) -> str:
    """SHA-256 over the configuration, weight and tokenizer files of a checkpoint folder.

    Raises:
        UserError: the folder holds no checkpoint.
    """
    names = sorted(
        path.name
        for path in checkpoint.glob("*")
        if path.suffix == ".safetensors" or path.name in ("config.json", "tokenizer.json")
    )
    if "config.json" not in names or not any(name.endswith(".safetensors") for name in names):
        raise UserError(f"{checkpoint} is not a checkpoint: it needs config.json and *.safetensors")
    return hash_json({name: hash_file(checkpoint / name) for name in names})


def _text_batches(windows: Sequence[Window], batch_size: int) -> list[list[Window]]:
    """Windows of similar length together, longest first, so that what is too large fails at once."""
    batches: list[list[Window]] = []
    for window in sorted(windows, key=lambda w: (-len(w.target), w.file.id, w.number)):
        longest = len(batches[-1][0].target) if batches else 0
        full = not batches or len(batches[-1]) == batch_size
        if full or longest * (len(batches[-1]) + 1) > _TEXT_BATCH_TOKENS:
            batches.append([])
        batches[-1].append(window)
    return batches


def _probe_batches(probes: Sequence[FimProbe], batch_size: int) -> list[list[FimProbe]]:
    """Probes of one kind and similar length together; blocks, which take longest, first."""
    groups: list[list[FimProbe]] = []
    for kind in (BLOCK, LINE):
        members = [probe for probe in probes if probe.kind == kind]
        members.sort(key=lambda p: (-len(p.prefix) - len(p.suffix), p.id))
        count = -(-len(members) // batch_size)
        # Groups of equal size: a small last batch would cost nearly as much as a full one.
        groups += [members[len(members) * i // count : len(members) * (i + 1) // count] for i in range(count)]
    return groups


def _score_windows(engine: Callable[[], TransformersEngine], batch: Sequence[Window]) -> pa.Table:
    bits = engine().score([(window.context, window.target) for window in batch])
    if not all(map(isfinite, bits)):
        raise RunError(
            "the model's score of a held-out text is not finite: its weights are damaged, or training broke them; "
            "`codekiln models verify` checks a fetched model"
        )
    return _table(
        TEXT_SCORES,
        [
            {
                "id": window.file.id,
                "window": window.number,
                "line": window.line,
                "repo": window.file.repo,
                "path": window.file.path,
                "language": window.file.language,
                "nll_bits": value,
                "bytes": window.bytes,
                "tokens": len(window.target),
            }
            for window, value in zip(batch, bits)
        ],
    )


def _answer_probes(
    engine: Callable[[], TransformersEngine], tokenizer: Any, config: ProofConfig, group: Sequence[FimProbe]
) -> pa.Table:
    limit = config.block_new_tokens if group[0].kind == BLOCK else config.line_new_tokens
    asked = []
    for probe in group:
        prompt, _ = formats.flatten(formats.fim_prompt(tokenizer.encode, probe.prefix, probe.suffix))
        asked.append(Probe(tuple(prompt), tuple(tokenizer.encode(probe.reference)), CONTROL_IDS[END_OF_TEXT]))
    rows = []
    for probe, question, result in zip(group, asked, engine().probe(asked, limit, STOP_IDS)):
        completion = tokenizer.decode(list(result.completion.token_ids))
        rows.append(
            {
                "id": probe.id,
                "kind": probe.kind,
                "file": probe.file,
                "repo": probe.repo,
                "path": probe.path,
                "language": probe.language,
                "line": probe.line,
                "prefix": probe.prefix,
                "suffix": probe.suffix,
                "reference": probe.reference,
                "completion": completion,
                "truncated": truncate_line(completion)
                if probe.kind == LINE
                else truncate_block(completion, probe.prefix, probe.suffix),
                "stopped": result.completion.finish_reason == "stop",
                "nll_bits": result.answer_bits,
                "end_bits": result.end_bits,
                "reference_bytes": len(probe.reference.encode("utf-8")),
                "reference_tokens": len(question.answer),
                "new_tokens": len(result.completion.token_ids),
            }
        )
    return _table(GENERATIONS, rows)


def _table(schema: pa.Schema, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)
