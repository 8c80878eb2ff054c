"""Progress of long work on stderr: one redrawn line on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO


def format_duration(seconds: float) -> str:
    """Seconds as `42s`, `3m05s` or `2h07m`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def format_count(number: float) -> str:
    """A count with a unit prefix: `950`, `21.4k`, `3.1M`."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(number) >= limit:
            return f"{number / (1e3 if unit == 'k' else limit):.1f}{unit}"
    return f"{number:.0f}"


class Progress:
    """Counts items of one stage; use as a context manager.

    `update(n, loss=1.23)` adds n items and shows the keyword values behind the rate. On a terminal the
    line is redrawn at most ten times a second; elsewhere a line is printed every `every` seconds, so that
    a log stays readable.
    """

    def __init__(
        self,
        stage: str,
        total: float | None = None,
        unit: str = "items",
        *,
        start: float = 0,
        every: float = 10.0,
        stream: TextIO | None = None,
    ) -> None:
        self.stage, self.total, self.unit, self.done = stage, total, unit, float(start)
        self._start, self._stream = float(start), stream or sys.stderr
        self._tty = self._stream.isatty()
        self._every = 0.1 if self._tty else every
        self._begun = self._shown = time.monotonic()
        self._values: dict[str, str] = {}
        self._width = 0
        self._logged: float | None = None

    def __enter__(self) -> Progress:
        if self._tty:
            self._show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A log that has the last figure already needs no second line of it.
        if (kind is None or self.done > self._start) and (self._tty or self._logged != self.done):
            self._show(final=True)

    def update(self, n: float = 1, **values: object) -> None:
        """Add n items; keyword values (numbers or short strings) are shown at the end of the line."""
        self.done += n
        for key, value in values.items():
            self._values[key] = f"{value:.3f}" if isinstance(value, float) else str(value)
        if time.monotonic() - self._shown >= self._every:
            self._show()

    def _line(self) -> str:
        elapsed = max(time.monotonic() - self._begun, 1e-9)
        rate = (self.done - self._start) / elapsed
        parts = [f"{self.stage}:"]
        if self.total:
            share = min(self.done / self.total, 1.0)
            parts.append(f"{share:4.0%} {format_count(self.done)}/{format_count(self.total)} {self.unit}")
        else:
            parts.append(f"{format_count(self.done)} {self.unit}")
        parts.append(f"{format_count(rate) if rate >= 10 else f'{rate:.1f}'}/s")
        parts.append(f"{format_duration(elapsed)}")
        if self.total and rate > 0 and self.done < self.total:
            parts.append(f"{format_duration((self.total - self.done) / rate)} left")
        parts += [f"{key} {value}" for key, value in self._values.items()]
        return "  ".join(parts)

    def _show(self, final: bool = False) -> None:
        self._shown = time.monotonic()
        line = self._line()
        if self._tty:
            self._stream.write("\r" + line.ljust(self._width) + ("\n" if final else ""))
            self._width = len(line)
        else:
            self._stream.write(line + "\n")
            self._logged = self.done
        self._stream.flush()


def say(message: str) -> None:
    """One line of narration on stderr."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()
