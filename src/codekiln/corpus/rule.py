"""One rule that drops files: which signal, which languages, which threshold, whose rule."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_COMPARE = {">": operator.gt, "<": operator.lt, ">=": operator.ge}


@dataclass(frozen=True)
class Rule:
    """Drops a file when `signal comparison threshold` holds.

    `only` limits it to some languages, `excepts` takes some out. `label` is what the signal is called in a
    reason; `origin` says where the rule is from. A share `spares` of the files that it fires on is kept all the same:
    the same ones whenever their content is the same.
    """

    name: str
    label: str
    signal: str
    comparison: str
    threshold: float
    origin: str
    only: frozenset[str] | None = None
    excepts: frozenset[str] = frozenset()
    spares: float = 0.0

    def applies(self, language: str) -> bool:
        return language not in self.excepts and (self.only is None or language in self.only)

    def fires(self, value: float | bool | None) -> bool:
        """Whether the rule drops a file with this value; a signal that was not measured never does."""
        return value is not None and bool(_COMPARE[self.comparison](float(value), self.threshold))

    def spared(self, content_hash: str) -> bool:
        """Whether a file of this content (hexadecimal digits) is one of those that the rule spares."""
        return self.spares > 0 and int(content_hash[:8], 16) < self.spares * 2**32

    def drops(self, language: str, signals: Mapping[str, Any]) -> bool:
        """Whether the rule drops a file with these signals."""
        return (
            self.applies(language)
            and self.fires(signals.get(self.signal))
            and not self.spared(signals["content_hash"])
        )

    def unmeasured(self, language: str, signals: Mapping[str, Any]) -> bool:
        """Whether the rule is for this file and its signal is not known."""
        return self.applies(language) and signals.get(self.signal) is None

    def compare(self, values: Any) -> Any:
        """`fires` over an array of float64, where NaN stands for a signal that was not measured."""
        return _COMPARE[self.comparison](values, self.threshold)

    def detail(self, value: float | bool | None) -> str:
        """The reason in words: `mean line length 143.2 > 100 (StarCoder2)`."""
        if isinstance(value, bool):
            return f"{self.label} ({self.origin})"
        return f"{self.label} {_number(value)} {self.comparison} {_number(self.threshold)} ({self.origin})"


def _number(value: float | None) -> str:
    if value is None:
        return "none"
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
