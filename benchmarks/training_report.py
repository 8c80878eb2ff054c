"""Figures and tables of the training benchmark, from the raw numbers of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

#: Engines by the name a reader knows.
NAMES = {
    "codekiln": "codekiln",
    "hf_trainer": "transformers.Trainer + PEFT",
    "trl": "TRL SFTTrainer + PEFT",
}
#: First-step losses further apart than this share mean that the engines did not do the same work.
SAME_WORK = 0.01


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, smallest and largest of a figure over the rounds, and the rounds themselves."""
    return {"median": median(values), "min": min(values), "max": max(values), "rounds": list(values)}


def engine_figures(
    runs: list[dict[str, Any]], *, length: int, flops: float, peaks: list[float]
) -> dict[str, Any]:
    """Figures of one engine in one case.

    Args:
        runs: one a round, as `training_engines.Meter.result` gives them.
        flops: floating-point operations of one training token.
        peaks: bf16 matrix-product rate of one thread in each round, GFLOP/s.
    """
    steps = [median(run["cpu_seconds"][1:]) for run in runs]
    rates = [length / step for step in steps]
    # The peak is that of the fastest product of its round, so the fastest step stands against it.
    fastest = [length / min(run["cpu_seconds"][1:]) for run in runs]
    shares = [rate * flops / (peak * 1e9) for rate, peak in zip(fastest, peaks, strict=True)]
    figures = {
        "tokens_per_cpu_second": spread(rates),
        "cpu_seconds_per_step": spread(steps),
        "share_of_peak": spread(shares),
        "peak_gib": spread([run["peak_gib"] for run in runs]),
        "first_loss": runs[0]["losses"][0],
        "runs": runs,
    }
    checks = [run["isolation"] for run in runs if "isolation" in run]
    return {**figures, "isolation": checks[0]} if checks else figures


def case_figures(
    runs: dict[str, list[dict[str, Any]]], *, length: int, flops: float, peaks: list[float]
) -> dict[str, Any]:
    """Figures of one case: ratios of codekiln to each peer round by round, share of the peak, memory.

    A ratio is None where one of its engines did not run.
    """
    engines = {
        name: engine_figures(done, length=length, flops=flops, peaks=peaks) for name, done in runs.items()
    }
    own = engines.get("codekiln")
    ratios: dict[str, Any] = {}
    memory: dict[str, Any] = {}
    for name, figures in engines.items():
        if own is None or name == "codekiln":
            continue
        for table, key in ((ratios, "tokens_per_cpu_second"), (memory, "peak_gib")):
            pairs = zip(own[key]["rounds"], figures[key]["rounds"], strict=True)
            table[name] = spread([mine / theirs for mine, theirs in pairs])
    losses = [figures["first_loss"] for figures in engines.values()]
    apart = (max(losses) - min(losses)) / min(losses)
    return {
        "ratio_to_hf_trainer": ratios["hf_trainer"]["median"] if "hf_trainer" in ratios else None,
        "ratio_to_trl": ratios["trl"]["median"] if "trl" in ratios else None,
        "share_of_peak": own["share_of_peak"]["median"] if own else None,
        "peak_memory_ratio": memory["hf_trainer"]["median"] if "hf_trainer" in memory else None,
        "ratios": ratios,
        "peak_memory_ratios": memory,
        "first_loss_spread": apart,
        "same_work": apart <= SAME_WORK,
        "flops_per_token": flops,
        "engines": engines,
    }


def markdown(document: dict[str, Any], isolation: dict[str, str]) -> str:
    """The whole result as Markdown; it reads well in a terminal too."""
    settings, machine = document["settings"], document["machine"]
    peak = document["peak_gflops"]
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    lines = [
        f"# LoRA training on a CPU, {document['date']}",
        "",
        f"{settings['model']}, LoRA r={settings['rank']} on the seven linear layers, bf16, AdamW, one row of "
        f"{settings['length']} tokens a step, torch threads: {settings['threads']}, no activation checkpointing. Rounds: "
        f"{settings['rounds']}, engines in turns, each in a process of its own; timed steps of a run: "
        f"{settings['steps']}, after one warm-up step. CPU seconds are those of all threads of the process.",
        "",
        f"Machine: {machine['cpu']}, {machine['cores']} cores. Versions: {versions}.",
        f"bf16 matrix product, one thread: {_range(peak, 0)} GFLOP/s.",
    ]
    for case, title in (("single", "One document a row"), ("packed", "Several documents a row")):
        if case in document:
            sizes = document[case]["document_sizes"]
            lines += ["", f"## {title} ({', '.join(map(str, sizes))} tokens in the first row)", ""]
            lines += _table(document[case])
            lines += _remarks(document[case], isolation if case == "packed" else {})
    lines += [f"- Not measured: {line}" for line in document["missing"]]
    return "\n".join(lines) + "\n"


def _table(case: dict[str, Any]) -> list[str]:
    header = (
        "engine",
        "tokens per CPU-second",
        "CPU s per step",
        "codekiln / this",
        "share of bf16 peak",
        "peak memory, GiB",
        "first-step loss",
    )
    rows = [header, tuple("---" for _ in header)]
    for name, figures in case["engines"].items():
        ratio = case["ratios"].get(name)
        rows.append(
            (
                NAMES[name],
                _range(figures["tokens_per_cpu_second"], 1),
                f"{figures['cpu_seconds_per_step']['median']:.2f}",
                f"{_range(ratio, 2)}×" if ratio else "",
                f"{100 * figures['share_of_peak']['median']:.0f} %",
                f"{figures['peak_gib']['median']:.2f}",
                f"{figures['first_loss']:.4f}",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return [
        "| "
        + " | ".join(
            cell.ljust(width) if cell != "---" else "-" * width
            for cell, width in zip(row, widths, strict=True)
        )
        + " |"
        for row in rows
    ]


def _remarks(case: dict[str, Any], isolation: dict[str, str]) -> list[str]:
    lines = [""]
    if len(case["engines"]) > 1:
        verdict = "they do the same work" if case["same_work"] else "THEY DO NOT DO THE SAME WORK"
        lines.append(f"- First-step losses differ by {100 * case['first_loss_spread']:.2f} %: {verdict}.")
    if case["peak_memory_ratio"] is not None:
        lines.append(
            f"- codekiln's peak memory is {case['peak_memory_ratio']:.2f} of transformers.Trainer's."
        )
    for name, figures in case["engines"].items():
        if name in isolation and "isolation" in figures:
            check = figures["isolation"]
            lines.append(
                f"- {NAMES[name]}: {isolation[name]}. Loss {check['loss_packed']:.4f} packed, "
                f"{check['loss_documents_apart']:.4f} document by document, {check['loss_as_one_document']:.4f} "
                f"without borders: {_VERDICTS[check['isolates']]}."
            )
    return lines


_VERDICTS = {
    True: "it isolates the documents",
    False: "it does NOT isolate the documents",
    None: "the losses cannot tell whether it isolates",
}


def _range(figure: dict[str, Any], digits: int) -> str:
    """Median and, with more than one round, the range."""
    text = f"{figure['median']:.{digits}f}"
    if len(figure["rounds"]) > 1:
        text += f" ({figure['min']:.{digits}f}–{figure['max']:.{digits}f})"
    return text
