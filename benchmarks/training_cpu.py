"""Training speed on a CPU against the peers a user would pick instead.

    python benchmarks/training_cpu.py                        # a table
    python benchmarks/training_cpu.py --json                 # one JSON document
    python benchmarks/training_cpu.py --out result.md        # or .json

The measure is training tokens per CPU-second, which other work on the machine disturbs less than wall time; the
engines run in turns, each in a process of its own, so that what disturbs it anyway meets all alike. See README.md.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from training_engines import ENGINES, ISOLATION, PACKAGES, Job
from training_report import case_figures, markdown, spread
from training_rows import TokenRow, make_rows, token_stream

from codekiln.errors import CodekilnError, RunError, UserError

_VERSIONS = ("codekiln", "torch", "transformers", "peft", "trl", "accelerate", "datasets")
#: Documents of a row in each case; None is the choice of --documents.
_CASES: dict[str, int | None] = {"single": 1, "packed": None}


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code (2: a wrong argument, 1: an engine failed)."""
    options = _parser().parse_args(arguments)
    try:
        if options.out is not None:
            _check_out(options.out)
        document = measure(options)
        text = json.dumps(document, indent=2, sort_keys=True) + "\n"
        table = markdown(document, ISOLATION)
        print(text if options.json else table, end="")
        if options.out is not None:
            options.out.write_text(text if options.out.suffix == ".json" else table, encoding="utf-8")
    except CodekilnError as error:
        print(f"training_cpu.py: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"training_cpu.py: cannot write {options.out}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All rounds of all engines in both cases; the document that `--json` prints.

    Raises:
        UserError: an option is wrong or names an engine or a model that does not exist.
        RunError: an engine failed.
    """
    from codekiln.machine import available_cores, cpu_model
    from codekiln.modeling.fetch import resolve
    from codekiln.modeling.qwen2 import Qwen2Config
    from codekiln.modeling.tokenizer import load_tokenizer
    from codekiln.training.budget import flops_per_token
    from codekiln.training.config import TrainingConfig

    engines, missing = _engines(options.engines)
    if options.documents < 2 or options.length < 8 * options.documents:
        raise UserError("--documents is at least 2 and --length at least 8 tokens a document")
    checkpoint = resolve(options.model).path
    config, training = Qwen2Config.from_folder(checkpoint), TrainingConfig(rank=options.rank)
    count = options.steps + 1
    stream = token_stream(load_tokenizer(checkpoint).encode, count * options.length)
    rows = {
        case: make_rows(stream, length=options.length, rows=count, documents=documents or options.documents)
        for case, documents in _CASES.items()
    }
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {case: {name: [] for name in engines} for case in rows}
    peaks: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            peaks.append(_run("peak", [], checkpoint, options, False, Path(folder))["gflops"])
            for case, name in ((case, name) for case in rows for name in engines):
                check = case == "packed" and number == 0
                result = _run(name, rows[case], checkpoint, options, check, Path(folder))
                runs[case][name].append(result)
                _say(f"round {number + 1}/{options.rounds}, {case}, {name}: {_seconds(result)} CPU s a step")
    cases = {}
    for case, done in runs.items():
        # Attention's share of the work follows from the documents' sizes: a token's context averages sum n^2 / sum n.
        sizes = [size for row in rows[case][1:] for size in row["lengths"]]
        flops = flops_per_token(config, training, sum(size * size for size in sizes) / sum(sizes))
        figures = case_figures(done, length=options.length, flops=flops, peaks=peaks)
        cases[case] = {**figures, "document_sizes": rows[case][0]["lengths"]}
    single = cases["single"]
    headline = ("ratio_to_hf_trainer", "ratio_to_trl", "share_of_peak", "peak_memory_ratio")
    return {
        **{key: single[key] for key in headline},
        **cases,
        "peak_gflops": spread(peaks),
        "isolation": ISOLATION,
        "missing": missing,
        "settings": {
            "model": Path(options.model).name,
            "length": options.length,
            "documents": options.documents,
            "rank": options.rank,
            "alpha": training.alpha,
            "learning_rate": training.learning_rate,
            "steps": options.steps,
            "rounds": options.rounds,
            "threads": options.threads,
            "engines": engines,
            "dtype": "bfloat16",
        },
        "versions": _versions(),
        "machine": {"cpu": cpu_model(), "cores": available_cores()},
        "date": datetime.date.today().isoformat(),
    }


def _run(
    engine: str,
    rows: list[TokenRow],
    checkpoint: Path,
    options: argparse.Namespace,
    check: bool,
    folder: Path,
) -> dict[str, Any]:
    from codekiln.training.config import TrainingConfig

    training = TrainingConfig(rank=options.rank)
    job: Job = {
        "engine": engine,
        "checkpoint": str(checkpoint),
        "rows": rows,
        "rank": options.rank,
        "alpha": training.alpha,
        "learning_rate": training.learning_rate,
        "threads": options.threads,
        "check": check,
    }
    asked, answered = folder / "job.json", folder / "result.json"
    asked.write_text(json.dumps(job), encoding="utf-8")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(options.threads),
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("training_engines.py")), str(asked), str(answered)],
        env=environment,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        if done.returncode < 0:
            raise RunError(
                f"engine {engine} was killed by signal {-done.returncode} (9: the machine ran out of memory); "
                "lower --length and run again"
            )
        raise RunError(f"engine {engine} failed (exit code {done.returncode}); its own message stands above")
    result: dict[str, Any] = json.loads(answered.read_text(encoding="utf-8"))
    answered.unlink()
    return result


def _engines(wanted: str) -> tuple[list[str], list[str]]:
    """Engines to run, in order, and one line for each that is not installed."""
    names = list(dict.fromkeys(name.strip() for name in wanted.split(",") if name.strip()))
    known = [name for name in ENGINES if name in PACKAGES]
    for name in names:
        if name not in known:
            raise UserError(f"--engines: there is no engine {name!r}; choose from {','.join(known)}")
    if not names:
        raise UserError(f"--engines is empty; choose from {','.join(known)}")
    present, missing = [], []
    for name in names:
        absent = [package for package in PACKAGES[name] if importlib.util.find_spec(package) is None]
        if absent:
            missing.append(f"{name} needs {', '.join(absent)}: pip install 'codekiln[bench]'")
            _say(missing[-1])
        else:
            present.append(name)
    if not present:
        raise UserError("none of the engines can run; " + "; ".join(missing))
    return present, missing


def _versions() -> dict[str, str]:
    versions = {}
    for name in _VERSIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _check_out(path: Path) -> None:
    if path.suffix not in (".json", ".md"):
        raise UserError(f"--out {path}: the name ends in .json or .md")
    if not path.parent.is_dir():
        raise UserError(f"--out {path}: there is no folder {path.parent}; make it first")


def _seconds(result: dict[str, Any]) -> str:
    return ", ".join(f"{seconds:.2f}" for seconds in result["cpu_seconds"][1:])


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="LoRA training speed on a CPU: codekiln, transformers.Trainer + PEFT, TRL SFTTrainer + PEFT."
    )
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct", help="a catalogue name or a folder")
    parser.add_argument("--length", type=_positive, default=1024, help="tokens of a row")
    parser.add_argument("--documents", type=_positive, default=4, help="documents of a packed row")
    parser.add_argument("--rank", type=_positive, default=16, help="LoRA rank")
    parser.add_argument("--steps", type=_positive, default=3, help="timed steps of a run")
    parser.add_argument("--rounds", type=_positive, default=3, help="runs of each engine")
    parser.add_argument("--threads", type=_positive, default=1, help="torch threads of an engine")
    parser.add_argument("--engines", default=",".join(PACKAGES), help="which, separated by commas")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    parser.add_argument("--out", type=Path, help="also write the result here: .json, or .md for the table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
