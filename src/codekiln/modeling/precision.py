"""Which number format trains fastest on this processor, by measuring the matrix product instead of guessing.

A processor with AVX512-BF16 or AMX multiplies bfloat16 matrices two to eight times faster than float32; one
without them emulates bfloat16 and is slower. Flags alone do not tell (a virtual machine may hide them or
forward them slowly), so both are timed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

DTYPES = ("float32", "bfloat16")
# Rounding to 8 bits of mantissa costs some accuracy, so a small gain in speed is not worth it.
BF16_MIN_GAIN = 1.2
_SIZES = (256, 512, 1024, 2048)


@contextmanager
def _torch_threads(threads: int | None) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measure_gemm(dtype: str, seconds: float = 0.5, threads: int | None = None) -> float:
    """Best rate of a square matrix product on the CPU, in GFLOP/s (10^9 multiplications and additions).

    dtype: "float32" or "bfloat16". threads: torch threads for the measurement (None: as torch is set now);
    the setting is restored. Takes about `seconds`, and at least a handful of small products however slow the
    processor is. The best of the repetitions is returned, since other work on the machine only slows them;
    one thread is timed by its own CPU clock, which does not run while other work holds the core.
    Raises ValueError for another dtype and ModuleNotFoundError where torch is absent.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype is one of {', '.join(DTYPES)}, not {dtype!r}")
    import torch

    deadline = time.perf_counter() + seconds
    best = 0.0
    with _torch_threads(threads), torch.inference_mode():
        clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
        for size in _SIZES:
            left = torch.full((size, size), 0.5, dtype=getattr(torch, dtype))
            right = torch.full((size, size), 0.25, dtype=getattr(torch, dtype))
            torch.mm(left, right)
            # Smaller sizes only warm up and tell whether the next one fits into the time left.
            share = 1.0 if size == _SIZES[-1] else 0.2
            end = time.perf_counter() + share * max(0.0, deadline - time.perf_counter())
            fastest, repetitions = float("inf"), 0
            while repetitions < 2 or time.perf_counter() < end:
                begun = clock()
                torch.mm(left, right)
                fastest = min(fastest, max(clock() - begun, 1e-9))
                repetitions += 1
            best = max(best, 2.0 * size**3 / fastest / 1e9)
            # The next size costs eight times as much and runs at least three times.
            if time.perf_counter() + 24 * fastest > deadline:
                break
    return best


def choose_dtype(seconds: float = 2.0, threads: int | None = None) -> tuple[str, dict[str, float]]:
    """The dtype to train with on this CPU ("bfloat16" or "float32") and both measured rates in GFLOP/s.

    bfloat16 is chosen when its products run at least `BF16_MIN_GAIN` times as fast as float32. threads: of
    the measurement; None means one, which is the steady choice, because several threads wait for each other
    whenever other work takes a core and may then favour either format. The two formats are measured in turns.
    A run records the choice once and a resumed run reads the record.
    """
    rates = dict.fromkeys(DTYPES, 0.0)
    for _ in range(2):
        for dtype in DTYPES:
            rates[dtype] = max(rates[dtype], measure_gemm(dtype, seconds / 4, threads or 1))
    faster = rates["bfloat16"] >= BF16_MIN_GAIN * rates["float32"]
    return ("bfloat16" if faster else "float32"), rates
