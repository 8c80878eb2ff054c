"""The rules that drop files, as a table: which signal, which languages, which threshold, whose rule.

Thresholds are those of report section 2.1: StarCoder2 for all languages, with DeepSeek-Coder's size rules for
JSON and YAML and its XML and HTML rules. `CorpusConfig.rules` overrides a threshold by the rule's name,
`CorpusConfig.rulesets` chooses among tables of rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from codekiln.corpus.opencoder.rules import OPENCODER
from codekiln.corpus.rule import Rule
from codekiln.errors import UserError
from codekiln.shards import Dataset

__all__ = ["PARSE_ERRORS", "RULES", "Rule", "rules_of", "with_thresholds"]

# StarCoder2 lets long lines pass in these (and in Roff, SMT, Text and XML, which are none of the 92).
_LONG_LINES = frozenset(["html", "json", "markdown", "tex"])
_DATA = frozenset(["json", "yaml"])
_HTML = frozenset(["html"])

#: In the order in which a dropped file's reason is chosen.
RULES: tuple[Rule, ...] = (
    Rule("generated", "says that it is generated", "generated", ">=", 1, "StarCoder2, more banners"),
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


#: Grammars that do not know the language as it is written (dialects, macros, templates): they would lose 2 to 15 % of good files.
_WEAK_GRAMMARS = "assembly f# fortran html makefile shell sql systemverilog tcl verilog vhdl"
#: The threshold is ours, by measurement (benchmarks/results/2026-11-23-parse-errors.md): 0.3 % of 5,274 real files of the
#: other languages have more, and half of the files in another language than the grammar's.
PARSE_ERRORS = Rule(
    "parse_errors", "share of parse errors", "parse_errors", ">", 0.2, "ours, measured",
    excepts=frozenset(_WEAK_GRAMMARS.split()),
)  # fmt: skip

#: The tables that `CorpusConfig.rulesets` chooses among.
RULESETS: dict[str, tuple[Rule, ...]] = {"starcoder2": RULES, "opencoder": OPENCODER}


def with_thresholds(
    overrides: Mapping[str, float], rulesets: Iterable[str] = ("starcoder2",)
) -> tuple[Rule, ...]:
    """The rules of some tables, one behind the other, and `PARSE_ERRORS`, with some thresholds replaced.

    Raises:
        UserError: an override names no rule of them, or is no number.
    """
    chosen = [*dict.fromkeys(rulesets)]
    rules = (*(rule for name in chosen for rule in RULESETS[name]), PARSE_ERRORS)
    for name, value in overrides.items():
        if math.isnan(value):
            raise UserError(
                f"corpus.rules.{name}: {value} is no threshold; give a number; .inf switches an upper limit off"
            )
    known = {rule.name for rule in rules}
    unknown = sorted(set(overrides) - known)
    if unknown:
        for table, others in RULESETS.items():
            if unknown[0] in {rule.name for rule in others}:
                raise UserError(
                    f"corpus.rules: {unknown[0]} is a rule of {table}, which is not in corpus.rulesets ({', '.join(chosen)})"
                )
        raise UserError(
            f"corpus.rules: no rule is called {unknown[0]!r}; the rules are {', '.join(sorted(known))}"
        )
    return tuple(
        replace(rule, threshold=float(overrides[rule.name]), origin="configuration")
        if rule.name in overrides
        else rule
        for rule in rules
    )


def rules_of(decisions: Dataset, changes: Mapping[str, float] | None = None) -> tuple[Rule, ...]:
    """The rules that a corpus was built with, with some thresholds changed.

    Raises:
        UserError: as `with_thresholds`.
    """
    config = decisions.manifest.config
    overrides = {**config.get("rules", {}), **(changes or {})}
    return with_thresholds(overrides, config.get("rulesets", ["starcoder2"]))
