"""Notebooks: a script that parses, cells as a reader sees them, and no trouble with odd ones."""

from __future__ import annotations

import ast
import json
import time
from pathlib import Path
from typing import Any

import pytest
from corpus_kit import corpus, program, reasons, sources, write
from hypothesis import given
from hypothesis import strategies as st

from codekiln.corpus.languages import LANGUAGES
from codekiln.corpus.sources.notebooks import OUTPUT_CHARACTERS, Notebook, as_script, as_structured, parse
from codekiln.shards import Dataset

KNOWN = frozenset(LANGUAGES) - {"jupyter-notebook"}


def code(source: str | list[str], *outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "source": source,
        "outputs": list(outputs),
        "metadata": {},
        "execution_count": 1,
    }


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def notebook(*cells: dict[str, Any], **metadata: Any) -> str:
    return json.dumps({"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


WORK = notebook(
    markdown("# Prices\n\nWe load them."),
    code(["%matplotlib inline\n", "import math\n", "!pip install x\n", "x = (math.pi\n", "  % 2)\n", "math.floor?\n"]),
    code("%%bash\nls -l | head"),
    code("print(x)\nx", {"output_type": "stream", "text": ["\x1b[31m3.14", "\n"]}, {"output_type": "execute_result", "data": {"text/plain": "3.14", "image/png": "aGk="}}),
    code("1/0", {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "division by zero", "traceback": ["x"]}),
    code("   "),
    kernelspec={"name": "python3", "language": "python"},
    language_info={"name": "python"},
)  # fmt: skip


def test_the_script_of_a_notebook_is_a_program() -> None:
    found = parse(WORK, KNOWN)
    assert isinstance(found, Notebook)
    assert found.language == "python"
    script = as_script(found)
    ast.parse(script)
    assert script == (
        "# %% [markdown]\n# # Prices\n#\n# We load them.\n\n"
        "# %%\n# %matplotlib inline\nimport math\n# !pip install x\nx = (math.pi\n  % 2)\n# math.floor?\n\n"
        "# %%\n# %%bash\n# ls -l | head\n\n# %%\nprint(x)\nx\n\n# %%\n1/0\n"
    )


def test_the_structured_form_shows_what_was_printed() -> None:
    found = parse(WORK, KNOWN)
    assert isinstance(found, Notebook)
    text = as_structured(found)
    assert text.startswith("# Prices\n\nWe load them.\n\n```python\n%matplotlib inline\n")
    assert "```output\n3.14\n3.14\n```" in text
    assert "```output\nZeroDivisionError: division by zero\n```" in text
    assert "aGk" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("metadata", "language", "line"),
    [
        ({"kernelspec": {"name": "ir", "language": "R"}}, "r", "# note"),
        ({"language_info": {"name": "C++17"}}, "c++", "// note"),
        ({"kernelspec": {"name": "haskell"}}, "haskell", "-- note"),
        ({"language_info": {"name": "octave"}}, "matlab", "% note"),
        ({}, "python", "# note"),
        ({"kernelspec": []}, "python", "# note"),
    ],
)
def test_the_kernel_tells_the_language(metadata: dict[str, Any], language: str, line: str) -> None:
    found = parse(notebook(markdown("note"), code("x"), **metadata), KNOWN)
    assert isinstance(found, Notebook)
    assert found.language == language
    assert line in as_script(found).splitlines()


def test_format_3_and_a_fence_inside_a_cell() -> None:
    sheet = {
        "cells": [
            {"cell_type": "heading", "source": "Top"},
            {"cell_type": "code", "input": ["s = '''```'''\n", "s"]},
        ]
    }
    found = parse(json.dumps({"worksheets": [sheet], "nbformat": 3}), KNOWN)
    assert isinstance(found, Notebook)
    assert as_structured(found) == "# Top\n\n````python\ns = '''```'''\ns\n````\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "no list of cells"),
        ('{"cells": 3}', "no list of cells"),
        (notebook(markdown("only prose")), "no code"),
        (notebook(*[code("x")] * 5001), "too many cells"),
        (notebook(code("x"), language_info={"name": "brainfuck"}), "in none of the languages"),
    ],
)
def test_what_is_no_notebook_has_a_reason(text: str, reason: str) -> None:
    assert parse(text, KNOWN) == f"notebook: {reason}"


def test_output_without_end_is_cut_and_half_characters_go() -> None:
    outputs = [{"output_type": "stream", "text": "x" * 700}] * 2000
    begun = time.process_time()
    found = parse(notebook(code("print('\ud800')", *outputs)), KNOWN)
    assert time.process_time() - begun < 1
    assert isinstance(found, Notebook)
    assert len(found.cells[0].output) <= OUTPUT_CHARACTERS
    as_structured(found).encode()


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "cells",
                    "cell_type",
                    "source",
                    "outputs",
                    "data",
                    "text/plain",
                    "metadata",
                    "text",
                    "worksheets",
                ]
            ),
            inner | st.sampled_from(["code", "markdown"]),
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(_values)
def test_any_json_is_a_notebook_or_has_a_reason(value: Any) -> None:
    found = parse(json.dumps(value), KNOWN)
    if isinstance(found, Notebook):
        as_script(found).encode()
        as_structured(found).encode()
    else:
        assert found.startswith("notebook: ")


def test_sources_read_the_forms_asked_for(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.ipynb": WORK, "bad.ipynb": "{}", "b.py": program(1), "LICENSE": "MIT"}
    folder = write(tmp_path / "x", files)

    def kinds(out: Path) -> list[tuple[str, str, str]]:
        return [(row["path"], row["kind"], row["language"]) for row in Dataset.open(out / "files").rows()]

    script = sources(tmp_path / "script", folder)
    assert kinds(script) == [("a.ipynb", "notebook script", "python"), ("b.py", "file", "python")]
    assert reasons(script / "skipped")["bad.ipynb"] == "notebook: no list of cells"
    both = sources(
        tmp_path / "both",
        folder,
        notebooks=("script", "structured"),
        languages=("python", "jupyter-notebook"),
    )
    assert [row[1] for row in kinds(both)] == ["notebook script", "structured notebook", "file"]
    assert len({row["id"] for row in Dataset.open(both / "files").rows()}) == 3
    raw = sources(tmp_path / "raw", folder, notebooks=("raw",))
    assert kinds(raw)[0][1:] == ("file", "jupyter-notebook")
    only = sources(tmp_path / "only", folder, languages=("python",))
    assert kinds(only) == kinds(script)


def test_forms_of_one_notebook_are_never_on_both_sides_of_the_split(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        f"n{number}.ipynb": notebook(markdown(f"Step {number}"), code(program(number)))
        for number in range(30)
    }
    source = sources(tmp_path, write(tmp_path / "x", files), notebooks=("script", "structured"))
    built = corpus(tmp_path, source, near_jaccard=1.0)
    sides: dict[str, set[str]] = {}
    for row in Dataset.open(built / "decisions").rows():
        if row["kept"]:
            sides.setdefault(row["path"], set()).add(row["split"])
    assert {frozenset(found) for found in sides.values()} == {frozenset(["train"]), frozenset(["heldout"])}
