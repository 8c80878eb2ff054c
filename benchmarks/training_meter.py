"""What the training benchmark measures inside an engine's process: time, memory, and whether documents leak."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training_rows import TokenRow, starts_of

#: A leak shows when it moves the loss by the first share; an engine isolates when it moves by less than the second
#: share of that.
_VISIBLE, _LEAK = 0.001, 0.25


class Meter:
    """CPU seconds of each step, all threads together, and the memory peak from the first step on."""

    def __init__(self) -> None:
        self.marks: list[float] = []
        self.losses: list[Any] = []
        self.base_gib = 0.0
        self.memory = ""

    def start(self) -> None:
        """The model stands and the first step begins."""
        try:
            # "5" resets the peak resident set size of this process (proc(5)).
            Path("/proc/self/clear_refs").write_text("5")
            self.base_gib = _status("VmRSS")
            self.memory = "VmHWM since the first step began"
        except OSError:
            self.memory = "ru_maxrss of the process, loading included"
        self.marks = [time.process_time()]

    def step(self) -> None:
        """A step has ended."""
        self.marks.append(time.process_time())

    def result(self) -> dict[str, Any]:
        """Losses and CPU seconds of every step (the first is the warm-up), memory in GiB."""
        peak = _status("VmHWM") if self.base_gib else _largest()
        return {
            "losses": [float(loss) for loss in self.losses],
            "cpu_seconds": [
                after - before for before, after in zip(self.marks, self.marks[1:], strict=False)
            ],
            "peak_gib": peak,
            "base_gib": self.base_gib or None,
            "memory": self.memory,
        }


def _largest() -> float:
    # ru_maxrss counts kilobytes on Linux and bytes on macOS (getrusage(2) of each).
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 2**20
    raise OSError(f"/proc/self/status has no {key}")


def isolates(packed: float, apart: float, crossed: float) -> bool | None:
    """Whether a row's documents are isolated, from its loss (nats a token); None where the losses cannot tell.

    packed: as trained; apart: every document in a forward pass of its own; crossed: the row as one document.
    """
    leak = abs(crossed - apart)
    if leak < _VISIBLE * apart:
        return None
    return abs(packed - apart) < _LEAK * leak


def compare_losses(row: TokenRow, packed: float, loss_of: Callable[..., float]) -> dict[str, Any]:
    """Compare the packed loss with that of the documents apart and of the row as a single document.

    loss_of(ids, lengths, inner) is a mean over targets, without gradients; where `inner` is given, the tokens that
    begin its pieces are no targets, so that all three losses have the same ones.
    """
    ids, lengths, total = row["input_ids"], row["lengths"], 0.0
    for start, size in zip(starts_of(lengths), lengths, strict=True):
        total += loss_of(ids[start : start + size], [size], None) * (size - 1)
    apart = total / sum(size - 1 for size in lengths)
    crossed = loss_of(ids, [len(ids)], lengths)
    return {
        "loss_packed": packed,
        "loss_documents_apart": apart,
        "loss_as_one_document": crossed,
        "isolates": isolates(packed, apart, crossed),
    }
