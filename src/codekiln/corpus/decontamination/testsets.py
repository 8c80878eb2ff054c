"""The test sets that decontamination knows: which files hold them, and which of their fields are test data.

One row a layout. `pattern` matches the end of a path (its last folder where the file's name says too little), without
`.gz`, `.xz` or `.zst`; `*` in it stands for `{}` in the benchmark's name. A field is a key, or a path of keys joined
by dots; `a+b` is the text of one followed by the other, as a solution follows its prompt. Lists and dictionaries give
the text of their values; numbers and flags are no text.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Layout(NamedTuple):
    benchmark: str
    pattern: str
    fields: tuple[str, ...]


_SOLVED = ("prompt+canonical_solution", "test")
_PACK = ("prompt+canonical_solution", "prompt+buggy_solution", "instruction", "test", "example_test")
_CHOICE = ("question", "choices")

LAYOUTS = (
    Layout("humaneval", "HumanEval.jsonl", _SOLVED),
    Layout("humaneval+", "HumanEvalPlus*.jsonl", ("prompt+canonical_solution",)),
    Layout("mbpp", "mbpp.jsonl", ("text", "code", "test_list", "challenge_test_list")),
    Layout("mbpp", "mbpp_sanitized.jsonl", ("prompt", "code", "test_list")),
    Layout("mbpp", "sanitized-mbpp.json", ("prompt", "code", "test_list")),
    Layout("mbpp+", "MbppPlus*.jsonl", ("prompt", "canonical_solution", "code", "assertion", "test_list")),
    Layout(
        "bigcodebench",
        "BigCodeBench*.jsonl",
        ("complete_prompt+canonical_solution", "instruct_prompt", "test"),
    ),
    Layout("livecodebench", "livecodebench/problems*.jsonl", ("question_content", "starter_code")),
    Layout("livecodebench", "livecodebench/lcb*.jsonl", ("question_content", "starter_code")),
    Layout("livecodebench", "livecodebench/test*.jsonl", ("question_content", "starter_code")),
    Layout("multipl-e-{}", "multipl-e/humaneval-*.jsonl", ("prompt", "tests", "test")),
    Layout("multipl-e-mbpp-{}", "multipl-e/mbpp-*.jsonl", ("prompt", "tests", "test")),
    Layout("mceval-{}", "mceval/generation-*.jsonl", ("prompt+canonical_solution", "instruction", "test")),
    Layout("cruxeval", "cruxeval.jsonl", ("code", "input", "output")),
    Layout("infilling-{}", "HumanEval-*Infilling.jsonl", ("prompt+canonical_solution+suffix",)),
    Layout("infilling-{}", "HumanEval-*InfillingLight.jsonl", ("prompt+canonical_solution+suffix",)),
    Layout("santacoder-fim", "qwen_hm_fim*.parquet", ("prompt+canonical_solution+suffix", "tests")),
    Layout("safim-{}", "safim/*_completion.jsonl", ("prompt", "ground_truth")),
    Layout("repoeval", "repoeval/*.jsonl", ("prompt+metadata.ground_truth",)),
    Layout("humanevalpack-{}", "humanevalpack-*.jsonl", _PACK),
    Layout("humanevalpack-{}", "humanevalpack/data/*/data/humanevalpack.jsonl", _PACK),
    Layout("mdeval", "mdeval-*.jsonl", ("docstring", "canonical_solution", "buggy_code", "test")),
    Layout("aider", "exercism-*.jsonl", ("docs", "files")),
    Layout("aider", "polyglot-*.jsonl", ("files",)),
    Layout("spider", "spider/dev.json", ("question", "query")),
    Layout("bird", "bird/dev.json", ("question", "evidence", "SQL")),
    Layout("bird-mini", "bird/mini_dev*.json", ("question", "evidence", "SQL")),
    Layout("tablebench", "TableBench.jsonl", ("question",)),
    Layout("gsm8k", "gsm8k/test.jsonl", ("question", "answer")),
    Layout("math", "math/math_test*.jsonl", ("problem", "solution")),
    Layout("math", "math/test*.jsonl", ("problem", "solution")),
    Layout("theoremqa", "theoremqa_test.json", ("Question", "explanation")),
    *(
        Layout(name, f"{name}.jsonl", ("problem", "question", "solution"))
        for name in ("aime24", "amc23", "college_math", "gaokao2023en", "minerva_math", "olympiadbench")
    ),
    Layout("sat_math", "sat_math.jsonl", ("question", "options")),
    Layout("svamp", "svamp.jsonl", ("Body+Question",)),
    Layout("asdiv", "asdiv.jsonl", ("body+question",)),
    Layout("mmlu", "mmlu-test.jsonl", _CHOICE),
    Layout("mmlu-pro", "mmlu_pro-test.parquet", ("question", "options")),
    Layout("hellaswag", "hellaswag-validation.jsonl", ("ctx", "endings")),
    Layout("arc-challenge", "arc_challenge-test.jsonl", _CHOICE),
    Layout("arc-easy", "arc_easy-test.jsonl", _CHOICE),
    Layout(
        "truthfulqa", "TruthfulQA.csv", ("Question", "Best Answer", "Correct Answers", "Incorrect Answers")
    ),
    Layout("winogrande", "winogrande_xl-validation.jsonl", ("sentence",)),
    Layout("boolq", "boolq-validation.jsonl", ("question", "passage")),
    Layout("piqa", "piqa-validation.jsonl", ("goal", "sol1", "sol2")),
    Layout("openbookqa", "openbookqa-validation.jsonl", ("question_stem", "choices.text")),
    Layout("commonsenseqa", "commonsense_qa-validation.jsonl", ("question", "choices.text")),
    Layout(
        "social-iqa", "social_iqa-validation.jsonl", ("context", "question", "answerA", "answerB", "answerC")
    ),
)

_PACKED = re.compile(r"\.(?:gz|xz|zst)$")
_COMPILED = tuple(
    (
        layout,
        re.compile("(?:^|/)" + "([^/]*)".join(re.escape(part) for part in layout.pattern.split("*")) + "$"),
    )
    for layout in LAYOUTS
)
#: Keys that name an item, the first that a row has.
_NAMES = ("task_id", "question_id", "id", "ID", "name", "native_id", "idx", "ind", "question_number")


def known_file(path: str) -> tuple[str, tuple[str, ...]] | None:
    """(benchmark, fields) of a file of a known test set, by its path with `/`; None for any other."""
    plain = _PACKED.sub("", path)
    for layout, pattern in _COMPILED:
        match = pattern.search(plain)
        if match:
            return layout.benchmark.replace("{}", "".join(match.groups()).lower()), layout.fields
    return None


def item_name(row: dict[str, object], number: int) -> str:
    """What a row calls itself, with its language where rows of several stand in one file; else its number."""
    metadata = row.get("metadata")
    inner = metadata if isinstance(metadata, dict) else {}
    name = next(
        (
            str(where[key])
            for key in _NAMES
            for where in (row, inner)
            if isinstance(where.get(key), str | int)
        ),
        f"row {number}",
    )
    language = row.get("language")
    return f"{language}/{name}" if isinstance(language, str) and language not in name else name
