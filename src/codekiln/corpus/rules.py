"""The rules that drop files, as a table: which signal, which languages, which threshold, whose rule.

Thresholds are those of report section 2.1: StarCoder2 for all languages, with DeepSeek-Coder's size rules for
JSON and YAML and its XML and HTML rules. `CorpusConfig.rules` overrides a threshold by the rule's name.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from codekiln.errors import UserError

# StarCoder2 lets long lines pass in these (and in Roff, SMT, Text and XML, which are none of the 92).
_LONG_LINES = frozenset(["html", "json", "markdown", "tex"])
_DATA = frozenset(["json", "yaml"])
_HTML = frozenset(["html"])

_COMPARE = {">": operator.gt, "<": operator.lt, ">=": operator.ge}


@dataclass(frozen=True)
class Rule:
    """Drops a file when `signal comparison threshold` holds.

    `only` limits it to some languages, `excepts` takes some out. `label` is what the signal is called in a
    reason; `origin` says where the rule is from.
    """

    name: str
    label: str
    signal: str
    comparison: str
    threshold: float
    origin: str
    only: frozenset[str] | None = None
    excepts: frozenset[str] = frozenset()

    def applies(self, language: str) -> bool:
        return language not in self.excepts and (self.only is None or language in self.only)

    def fires(self, value: float | bool | None) -> bool:
        """Whether the rule drops a file with this value; a signal that was not measured never does."""
        return value is not None and bool(_COMPARE[self.comparison](float(value), self.threshold))

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


#: In the order in which a dropped file's reason is chosen.
RULES: tuple[Rule, ...] = (
    Rule("generated", "says that it is generated", "generated", ">=", 1, "StarCoder2"),
    Rule("too_many_lines", "lines", "lines", ">", 100_000, "StarCoder2"),
    Rule(
        "mean_line_length", "mean line length", "mean_line_length", ">", 100,
        "StarCoder2, DeepSeek-Coder", excepts=_LONG_LINES,
    ),
    Rule(
        "max_line_length", "longest line", "max_line_length", ">", 1_000,
        "StarCoder2, DeepSeek-Coder", excepts=_LONG_LINES,
    ),
    Rule(
        "max_line_length_of_data", "longest line", "max_line_length", ">", 100_000, "StarCoder2", only=_LONG_LINES
    ),
    Rule(
        "alphabetic", "alphabetic share", "alphabetic_fraction", "<", 0.25,
        "StarCoder2, DeepSeek-Coder", excepts=frozenset(["assembly"]),
    ),
    # StarCoder2 says Motorola 68K assembly (and WebAssembly); the 92 names have one assembly.
    Rule(
        "alphanumeric", "alphanumeric share", "alphanumeric_fraction", "<", 0.25, "StarCoder2",
        only=frozenset(["assembly"]),
    ),
    Rule("encoded_run", "longest run of encoded data", "encoded_longest", ">", 1_024, "StarCoder2"),
    Rule("encoded_share", "share of encoded data", "encoded_fraction", ">", 0.5, "StarCoder2"),
    Rule(
        "xml_declaration", "XML declaration at the start", "xml_declaration", ">=", 1, "DeepSeek-Coder",
        excepts=frozenset(["xslt"]),
    ),
    Rule(
        "html_visible_characters", "characters of visible text", "visible_text_characters", "<", 100,
        "StarCoder2, DeepSeek-Coder", only=_HTML,
    ),
    Rule(
        "html_visible_share", "share of visible text", "visible_text_fraction", "<", 0.2,
        "StarCoder2, DeepSeek-Coder", only=_HTML,
    ),
    Rule("data_too_short", "characters", "characters", "<", 50, "DeepSeek-Coder", only=_DATA),
    Rule("data_too_long", "characters", "characters", ">", 5_000, "DeepSeek-Coder", only=_DATA),
    Rule("data_too_many_lines", "lines", "lines", ">", 512, "StarCoder2", only=_DATA),
)  # fmt: skip


def with_thresholds(overrides: Mapping[str, float]) -> tuple[Rule, ...]:
    """The rule table with some thresholds replaced.

    Raises:
        UserError: an override names no rule, or is no number.
    """
    for name, value in overrides.items():
        if math.isnan(value):
            raise UserError(
                f"corpus.rules.{name}: {value} is no threshold; give a number; .inf switches an upper limit off"
            )
    known = {rule.name for rule in RULES}
    unknown = sorted(set(overrides) - known)
    if unknown:
        raise UserError(
            f"corpus.rules: no rule is called {unknown[0]!r}; the rules are {', '.join(sorted(known))}"
        )
    return tuple(
        replace(rule, threshold=float(overrides[rule.name]), origin="configuration")
        if rule.name in overrides
        else rule
        for rule in RULES
    )


def first_fired(rules: tuple[Rule, ...], language: str, signals: Mapping[str, Any]) -> Rule | None:
    """The first rule that drops a file with these signals, or None."""
    for rule in rules:
        if rule.applies(language) and rule.fires(signals[rule.signal]):
            return rule
    return None
