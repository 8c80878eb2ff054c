"""What each stage of a recipe reads, depends on and runs. The order stands in `codekiln.pipeline.run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codekiln.corpus.build import build_corpus, test_index
from codekiln.corpus.sources.resolved import RECORD as RESOLVED
from codekiln.corpus.sources.stage import build_sources, find
from codekiln.errors import UserError
from codekiln.machine import cpu_model
from codekiln.modeling.checkpoint_folder import read_config, side_files
from codekiln.modeling.fetch import Checkpoint
from codekiln.pipeline.runner import Stage, output_hash
from codekiln.progress import say
from codekiln.recipe import Recipe
from codekiln.shards import Dataset, Executor
from codekiln.shards.disk import hash_file, hash_json, read_json, write_json
from codekiln.shards.folders import finished_folder

#: Minutes of training when a recipe gives no budget.
DEFAULT_MINUTES = 4.0


def checkpoint_inputs(checkpoint: Checkpoint) -> str:
    """Content hash of a checkpoint: weights, configuration and tokenizer, wherever they lie."""
    sides = {path.name: hash_file(path) for path in side_files(checkpoint.path)}
    return hash_json([checkpoint.sha256, sides])


def check_lengths(recipe: Recipe, checkpoint: Checkpoint) -> None:
    """Refuse rows longer than the model's context (UserError)."""
    limit = read_config(checkpoint.path).get("max_position_embeddings")
    for key in ("length", "repository_length"):
        asked = getattr(recipe.dataset, key)
        if isinstance(limit, int) and asked > limit:
            raise UserError(
                f"dataset.{key} is {asked}, but {checkpoint.name} has {limit} positions; set it to {limit} or less"
            )


def sources_stage(
    recipe: Recipe, executor: Executor, beside: Path | None = None, *, fetch: bool = True
) -> Stage:
    """Repositories, folders, archives, packages, tables -> `files` and `skipped`.

    What packages without a version are resolved to is kept in the folder `beside`. With `fetch=False` nothing is
    looked up or downloaded: RunError where something would have to be.
    """
    config, seed = recipe.sources, recipe.seed
    found = find(config, beside / RESOLVED if beside else None, fetch=fetch)
    return Stage(
        "sources",
        5,
        # What is read counts by its content, not by where it lies.
        {**config.model_dump(mode="json", exclude={"paths", "opt_out"}), "seed": seed},
        {"code": found.fingerprint},
        lambda work: build_sources(
            work, config, seed=seed, executor=executor, found=found, earlier=finished_folder(work)
        ),
    )


def corpus_stage(recipe: Recipe, sources: Path, executor: Executor) -> Stage:
    """`files` -> `signals`, `decisions`, `train`, `heldout`."""
    config, seed = recipe.corpus, recipe.seed
    index = test_index(config)
    tests = {"tests": index.stem} if index else {}
    return Stage(
        "corpus",
        5,
        # Test sets count by their content, not by where they lie.
        {**config.model_dump(mode="json", exclude={"against"}), "seed": seed},
        {"sources": output_hash(sources), **tests},
        lambda work: build_corpus(
            work, sources, config, seed=seed, executor=executor, earlier=finished_folder(work)
        ),
    )


def plan_stage(recipe: Recipe, checkpoint: Checkpoint, threads: int) -> Stage:
    """What is decided by measuring this machine, once: dtype, and the tokens that fit into the minutes."""
    check_lengths(recipe, checkpoint)
    training = recipe.training
    config: dict[str, Any] = training.model_dump(
        mode="json", include={"method", "rank", "tokens", "minutes", "dtype"}
    )
    config |= {"length": recipe.dataset.length, "threads": threads}
    config["processor"] = cpu_model()

    def run(work: Path) -> None:
        from codekiln.modeling.precision import choose_dtype, measure_gemm
        from codekiln.training.budget import measure_rate, tokens_for

        dtype, rates = choose_dtype(2.0) if training.dtype == "auto" else (training.dtype, {})
        plan: dict[str, Any] = {"dtype": dtype, "threads": threads, "tokens": training.tokens}
        measured: dict[str, Any] = {
            "gemm_gflops_one_thread": rates,
            "gemm_gflops": measure_gemm(dtype, 0.5, threads),
        }
        if training.tokens is None:
            say("measuring a training step")
            rate = measure_rate(
                checkpoint.path,
                training,
                length=recipe.dataset.length,
                dtype=dtype,
                threads=threads,
                seed=recipe.seed,
            )
            plan["tokens"] = tokens_for(training.minutes or DEFAULT_MINUTES, rate)
            measured["tokens_per_second"] = rate
        write_json(work / "run.json", measured)
        write_json(work / "plan.json", plan)
        say(f"at least {plan['tokens']} training tokens, {dtype}, {threads} threads")

    return Stage("plan", 1, config, {"model": checkpoint_inputs(checkpoint)}, run)


def read_plan(folder: Path) -> dict[str, Any]:
    """dtype, threads and tokens as the plan stage recorded them."""
    plan: dict[str, Any] = read_json(folder / "plan.json")
    return plan


def proof_stage(
    name: str, recipe: Recipe, model: Path, model_hash: str, corpus: Path, *, dtype: str, threads: int
) -> Stage:
    """Held-out files and a checkpoint folder -> `text` and `generations`."""
    config, seed = recipe.proof, recipe.seed
    heldout = Dataset.open(corpus / "heldout")

    def run(work: Path) -> None:
        from codekiln.evaluation.proof import run_proof

        run_proof(work, model, heldout, config, seed=seed, dtype=dtype, threads=threads)

    settings: dict[str, Any] = config.model_dump(mode="json", exclude={"resamples", "samples"})
    settings |= {"seed": seed, "dtype": dtype, "threads": threads}
    return Stage(name, 1, settings, {"heldout": heldout.content_hash, "model": model_hash}, run)


def dataset_stage(
    recipe: Recipe, corpus: Path, checkpoint: Checkpoint, tokens: int, executor: Executor
) -> Stage:
    """`train` files -> packed rows, `file` and `repository`."""
    check_lengths(recipe, checkpoint)
    config, seed = recipe.dataset, recipe.seed

    def run(work: Path) -> None:
        from codekiln.dataset.build import build_dataset

        build_dataset(work, corpus, checkpoint.path, config, tokens=tokens, seed=seed, executor=executor)

    inputs = {
        "train": Dataset.open(corpus / "train").content_hash,
        "tokenizer": hash_file(checkpoint.path / "tokenizer.json"),
    }
    return Stage(
        "dataset", 1, {**config.model_dump(mode="json"), "tokens": tokens, "seed": seed}, inputs, run
    )


def training_stage(recipe: Recipe, dataset: Path, checkpoint: Checkpoint, plan: dict[str, Any]) -> Stage:
    """Packed rows and a checkpoint -> `adapter/` or `weights.safetensors`, and `metrics.jsonl`."""
    config, seed, share = recipe.training, recipe.seed, recipe.dataset.repository_share

    def run(work: Path) -> None:
        from codekiln.training.engine import train

        train(
            work,
            checkpoint.path,
            dataset,
            config,
            tokens=plan["tokens"],
            repository_share=share,
            dtype=plan["dtype"],
            threads=plan["threads"],
            seed=seed,
            base_model=checkpoint.hub_id or str(checkpoint.path.resolve()),
            revision=checkpoint.revision,
            note=_adapter_note(checkpoint),
        )

    settings: dict[str, Any] = config.model_dump(
        mode="json", exclude={"checkpoint_seconds", "dtype", "minutes", "tokens"}
    )
    settings |= {**plan, "repository_share": share, "seed": seed}
    inputs = {"dataset": output_hash(dataset), "model": checkpoint_inputs(checkpoint)}
    return Stage("training", 1, settings, inputs, run)


def _adapter_note(checkpoint: Checkpoint) -> str:
    """What a user of the adapter has to know about its base, as Markdown."""
    base = f"`{checkpoint.hub_id or checkpoint.name}`"
    text = (
        f"A LoRA adapter in PEFT's format, trained on {base}, weights with SHA-256 `{checkpoint.sha256}`.\n"
    )
    if checkpoint.origin:
        text += (
            f"\nThese weights were dequantized from `{checkpoint.origin}`. On the original checkpoint the adapter "
            "works, but what the run's report measured holds for the dequantized one.\n"
        )
    return text


def export_stage(recipe: Recipe, training: Path, checkpoint: Checkpoint, threads: int) -> Stage:
    """Trained tensors -> `model/`, `adapter/`, GGUF files, `checks.json`."""
    config, name = recipe.export, f"{checkpoint.name}-{recipe.name}"

    def run(work: Path) -> None:
        from codekiln.pipeline.export import export

        export(work, checkpoint.path, training, gguf=config.gguf, name=name, threads=threads)

    inputs = {"training": output_hash(training), "model": checkpoint_inputs(checkpoint)}
    return Stage("export", 1, {**config.model_dump(mode="json"), "name": name}, inputs, run)
