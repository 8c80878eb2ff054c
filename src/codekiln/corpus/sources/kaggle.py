"""Kaggle's notebooks: template text stripped, what is broken or too short dropped, the data set's description in front.

A notebook is one of Kaggle's when its own metadata say so, when `kernel-metadata.json` lies beside it (as Kaggle's
command line writes it), or when the table that it is a row of tells the data set it works on.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from codekiln.corpus.sources.limits import Values
from codekiln.corpus.sources.notebooks import Cell, Notebook, as_script

KERNEL, DATASET = "kernel-metadata.json", "dataset-metadata.json"
#: Bytes of a file of metadata that are read.
METADATA_BYTES = 256 * 1024


@dataclass(frozen=True)
class About:
    """What is known of the data that a notebook works on; empty where it is nothing but a Kaggle notebook."""

    title: str = ""
    description: str = ""


# The comments that Kaggle puts into the first cell of a new notebook, in Python and R, by how each begins.
_TEMPLATE = re.compile(
    r"^#+ ?(?:This (?:Python 3|R) environment comes with|It is defined by the kaggle|For example, here'?s (?:a|several) helpful"
    r"|Input data files are available in|For example, running this \(by clicking|You can write up to \d+ ?GB to the current"
    r"|You can also write temporary files to|Any results you write to the current directory)"
)
_LISTING = re.compile(
    r"^(?:import os\n)?for dirname, _, filenames in os\.walk\(['\"]/kaggle/input/?['\"]\):\n[ \t]+for filename in filenames:\n"
    r"[ \t]+print\(os\.path\.join\(dirname, filename\)\)\n?",
    re.MULTILINE,
)
#: `files = !ls` and `result = %time f()` are IPython's.
_ASSIGNED = re.compile(r"^([ \t]*[\w.\[\]'\", ]{1,200}?= ?)[!%].*$", re.MULTILINE)


def find_about(texts: Mapping[str, bytes]) -> dict[str, About]:
    """Folder -> what the metadata files of a source say about the notebooks in it.

    Args:
        texts: contents of `kernel-metadata.json` and `dataset-metadata.json` by path. Broken ones count as empty.
    """
    kernels, datasets, beside = {}, {}, {}
    for path, data in sorted(texts.items()):
        folder, _, name = path.rpartition("/")
        value = _object(data)
        if name == DATASET:
            known = About(
                _text(value.get("title")), _text(value.get("description")) or _text(value.get("subtitle"))
            )
            datasets[_text(value.get("id")).lower()] = beside[folder] = known
        else:
            kernels[folder] = value
    found: dict[str, About] = {}
    for folder, value in kernels.items():
        sources = value.get("dataset_sources")
        ids = [_text(one).lower() for one in sources] if isinstance(sources, list) else []
        named = [datasets[one] for one in ids if one and one in datasets]
        found[folder] = named[0] if named else beside.get(folder, About())
    return found


def clean(notebook: Notebook, about: About, limits: Values) -> Notebook | str:
    """The notebook without Kaggle's template and with the description of its data in front, or why it is dropped."""
    cells = [cell for one in notebook.cells if (cell := _without_template(one)) is not None]
    code = [cell for cell in cells if cell.kind == "code"]
    if len(code) < limits["kaggle_code_cells_least"]:
        return "kaggle notebook: too few cells of code"
    if sum(len(cell.source) for cell in cells) < limits["kaggle_characters_least"]:
        return "kaggle notebook: too short"
    if sum(cell.failed for cell in code) > limits["kaggle_failed_share"] * len(code):
        return "kaggle notebook: too many cells ended in an error"
    cleaned = replace(notebook, cells=tuple(cells))
    if notebook.language == "python" and not parses(as_script(cleaned)):
        return "kaggle notebook: syntax error"
    title = " ".join(about.title.split())
    description = about.description.strip()[: int(min(limits["kaggle_description_most"], 10**9))]
    head = "\n\n".join(part for part in (f"# Data set: {title}" if title else "", description) if part)
    return replace(cleaned, cells=(Cell("markdown", head), *cells)) if head else cleaned


def parses(script: str) -> bool:
    """Whether a script in Python's syntax, with IPython's own lines as comments, has no syntax error."""
    script = _ASSIGNED.sub(r"\1None", script)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(
                script,
                "notebook",
                "exec",
                ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
                dont_inherit=True,
            )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _without_template(cell: Cell) -> Cell | None:
    if cell.kind != "code":
        return cell
    lines = [line for line in cell.source.split("\n") if not _TEMPLATE.match(line)]
    source = cell.source
    if len(lines) < source.count("\n") + 1:
        source = "\n".join(lines).strip("\n")
    source = _LISTING.sub("", source).strip("\n").rstrip()
    return replace(cell, source=source) if source.strip() else None


def metadata_paths(paths: Iterable[str]) -> list[str]:
    """Those of some paths that are files of Kaggle's metadata."""
    return [path for path in paths if path.rpartition("/")[2] in (KERNEL, DATASET)]


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
