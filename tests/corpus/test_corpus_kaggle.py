"""Kaggle's notebooks: rules, template text, and the description of their data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_kit import commit, git, reasons, repository, rows, sources, tar, write, zipped
from hypothesis import given
from hypothesis import strategies as st
from test_corpus_notebooks import code, markdown, notebook

from codekiln.corpus.sources import kinds
from codekiln.corpus.sources.kaggle import About, clean, find_about, parses
from codekiln.corpus.sources.limits import with_limits
from codekiln.corpus.sources.notebooks import Cell, Notebook

TEMPLATE = """# This Python 3 environment comes with many helpful analytics libraries installed
# It is defined by the kaggle/python Docker image: https://github.com/kaggle/docker-python
# For example, here's several helpful packages to load

import numpy as np # linear algebra
import pandas as pd # data processing, CSV file I/O (e.g. pd.read_csv)

# Input data files are available in the read-only "../input/" directory
# For example, running this (by clicking run or pressing Shift+Enter) will list all files under the input directory

import os
for dirname, _, filenames in os.walk('/kaggle/input'):
    for filename in filenames:
        print(os.path.join(dirname, filename))

# You can write up to 20GB to the current directory (/kaggle/working/) that gets preserved as output
# You can also write temporary files to /kaggle/temp/, but they won't be saved outside of the current session"""
READ = "orders = pd.read_csv('/kaggle/input/orders.csv')\norders.groupby('day').total.sum().plot()"
MORE = "from sklearn.linear_model import Ridge\nmodel = Ridge().fit(orders[['day']], orders.total)"
FAILED = {"output_type": "error", "ename": "ValueError", "evalue": "no"}
KAGGLE: dict[str, Any] = {"kaggle": {"accelerator": "none"}}


def made(*cells: Cell, language: str = "python") -> Notebook:
    return Notebook(language, cells, kaggle=True)


def cell(source: str, failed: bool = False) -> Cell:
    return Cell("code", source, "", failed)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([cell(READ), cell(MORE)], ""),
        ([cell(TEMPLATE), cell(READ)], ""),
        ([cell(READ)], "too few cells of code"),
        ([cell("x = 1"), cell("y = 2")], "too short"),
        ([cell(READ), cell(MORE + "\nx = (1,\n")], "syntax error"),
        ([cell(READ, True), cell(MORE, True), cell("orders")], "too many cells ended in an error"),
        ([cell(READ + "\nfiles = !ls\n%time x = 1"), cell("%%bash\nls |"), cell("await orders")], ""),
    ],
)
def test_rules(cells: list[Cell], reason: str) -> None:
    found = clean(made(*cells), About(), with_limits({}))
    assert (found.split(": ")[1] if isinstance(found, str) else "") == reason


def test_the_template_goes_and_the_data_comes_in_front() -> None:
    found = clean(
        made(cell(TEMPLATE), cell(READ)), About("Orders of a shop", "One row a day.\n"), with_limits({})
    )
    assert isinstance(found, Notebook)
    assert found.cells[0] == Cell("markdown", "# Data set: Orders of a shop\n\nOne row a day.")
    assert found.cells[1].source == (
        "import numpy as np # linear algebra\nimport pandas as pd # data processing, CSV file I/O (e.g. pd.read_csv)"
    )


def test_a_folder_with_metadata(tmp_path: Path) -> None:
    kernel = {"id": "ada/x", "kernel_type": "notebook", "dataset_sources": ["bob/orders"]}
    write(
        tmp_path / "k",
        {
            "one/one.ipynb": notebook(code(TEMPLATE), code(READ), code(MORE)),
            "one/kernel-metadata.json": json.dumps(kernel),
            "data/dataset-metadata.json": json.dumps(
                {"id": "Bob/orders", "title": "Orders", "description": "A row a day."}
            ),
            "two/two.ipynb": notebook(code(READ), **KAGGLE),
            "three/three.ipynb": notebook(code(READ)),
            "four/four.ipynb": notebook(code(READ), code(MORE, FAILED), markdown("The end."), **KAGGLE),
            "five/kernel-metadata.json": "[broken",
            "five/five.ipynb": notebook(code("x = (")),
        },
    )
    built = sources(tmp_path, tmp_path / "k", notebooks=("script", "structured"))
    found: dict[tuple[str, str], str] = {}
    from codekiln.shards import Dataset

    for row in Dataset.open(built / "files").rows():
        found[row["path"], row["kind"]] = row["content"]
    assert found["one/one.ipynb", "notebook script"].startswith(
        "# %% [markdown]\n# # Data set: Orders\n#\n# A row a day.\n"
    )
    assert found["one/one.ipynb", "structured notebook"].startswith(
        "# Data set: Orders\n\nA row a day.\n\n```python\n"
    )
    assert "helpful" not in found["one/one.ipynb", "notebook script"]
    assert ("three/three.ipynb", "notebook script") in found  # no rule of Kaggle's for another notebook
    assert ("four/four.ipynb", "notebook script") in found
    skipped = reasons(built / "skipped")
    assert skipped["two/two.ipynb"] == skipped["five/five.ipynb"] == "kaggle notebook: too few cells of code"


@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz", "bare", "revision"])
def test_every_kind_of_source_tells_of_the_data(tmp_path: Path, kind: str) -> None:
    """Also where files of metadata are themselves in a language that is not selected."""
    files: dict[str, str | bytes] = {
        "k/one.ipynb": notebook(code(TEMPLATE), code(READ), code(MORE)),
        "k/kernel-metadata.json": json.dumps({"dataset_sources": ["bob/orders"]}),
        "data/dataset-metadata.json": json.dumps({"id": "bob/orders", "title": "Orders"}),
        "other/three.ipynb": notebook(code(READ)),
    }
    members = [
        (f"top/{name}", content.encode()) for name, content in files.items() if isinstance(content, str)
    ]
    if kind == "folder":
        path = write(tmp_path / "k", files)
    elif kind == "zip":
        path = zipped(tmp_path / "k.zip", members)
    elif kind == "tar.gz":
        path = tar(tmp_path / "k.tar.gz", members, "w:gz")
    else:
        path = repository(tmp_path / "k", files)
    if kind == "bare":
        git(tmp_path, "clone", "-q", "--bare", "k", "k.git")
        path = tmp_path / "k.git"
    settings: dict[str, Any] = {"languages": ("python",)}
    if kind == "revision":
        commit(path, {"k/kernel-metadata.json": "{}"})
        settings["revision"] = "HEAD^"
    found = rows(sources(tmp_path, path, **settings) / "files")
    assert found["k/one.ipynb"]["content"].startswith("# %% [markdown]\n# # Data set: Orders\n")
    assert found["other/three.ipynb"]["content"].startswith("# %%\norders")


def test_metadata_of_a_source_are_read_within_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    title = json.dumps({"id": "bob/orders", "title": "Orders"})
    files: dict[str, str | bytes] = {
        "dataset-metadata.json": title,
        "kernel-metadata.json": json.dumps({"dataset_sources": ["bob/orders"]}),
        "one.ipynb": notebook(code(TEMPLATE), code(READ), code(MORE)),
    }
    path = write(tmp_path / "k", files)
    monkeypatch.setattr(kinds, "ABOUT_BYTES", len(title))
    row = rows(sources(tmp_path, path) / "files")["one.ipynb"]
    assert "Data set" not in row["content"]
    monkeypatch.undo()
    assert "Data set" in rows(sources(tmp_path, path) / "files")["one.ipynb"]["content"]
    (tmp_path / "out.txt").write_text("k:dataset-metadata.json\n")
    out = sources(tmp_path, path, opt_out=str(tmp_path / "out.txt"))
    assert "Data set" not in rows(out / "files")["one.ipynb"]["content"]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_a_table_with_the_data_of_each_notebook(tmp_path: Path, suffix: str) -> None:
    table = [
        {"content": notebook(code(READ), code(MORE)), "path": "a.ipynb", "dataset_title": "Orders", "dataset_description": "A row a day."},
        {"content": notebook(code(READ)), "path": "b.ipynb", "dataset_title": "", "dataset_description": ""},
    ]  # fmt: skip
    path = tmp_path / f"notebooks.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(table), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in table))
    built = sources(tmp_path, path)
    assert rows(built / "files")["a.ipynb"]["content"].startswith("# %% [markdown]\n# # Data set: Orders")
    assert reasons(built / "skipped") == {"b.ipynb": "kaggle notebook: too few cells of code"}


@given(
    st.dictionaries(
        st.sampled_from(["a/kernel-metadata.json", "b/dataset-metadata.json", "dataset-metadata.json"]),
        st.binary(max_size=50),
    )
)
def test_any_metadata(texts: dict[str, bytes]) -> None:
    assert all(isinstance(about, About) for about in find_about(texts).values())


@given(st.text(alphabet="()[]{}:='\"\n %!abc1", max_size=60))
def test_any_script_parses_or_not(script: str) -> None:
    assert parses(script) in (True, False)


@pytest.mark.parametrize("letter", ["(", "[", "-", "a=", "%", "\n", "lambda:", "'"])
def test_deep_scripts_end_with_an_answer(letter: str) -> None:
    parses(letter * 100_000)
