"""Jupyter notebooks as text: a script, or cells in order with what they printed (report section 2.1).

Neither form holds images, widgets or anything else that is no text. StarCoder2 marks the parts of the structured form
with tokens that Qwen2.5-Coder does not have; ours are Markdown's fences.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from codekiln.corpus.sources.texts import fenced

#: Characters of text output kept of a cell: the beginning, as a reader would see it.
OUTPUT_CHARACTERS = 1_000
#: Cells that are read; a notebook of more is data.
MAX_CELLS = 5_000

#: How a line becomes a comment, where it is not by `#`.
_COMMENTS = {
    "c": "//", "c++": "//", "c#": "//", "cuda": "//", "dart": "//", "f#": "//", "go": "//", "groovy": "//",
    "java": "//", "javascript": "//", "kotlin": "//", "php": "//", "rust": "//", "scala": "//", "swift": "//",
    "typescript": "//", "zig": "//", "haskell": "--", "idris": "--", "lua": "--", "sql": "--", "agda": "--",
    "matlab": "%", "prolog": "%", "erlang": "%", "clojure": ";;", "common-lisp": ";;", "racket": ";;", "scheme": ";;",
    "fortran": "!", "stata": "*", "sas": "*",
}  # fmt: skip
_NAMES = {
    "ipython": "python", "python3": "python", "python2": "python", "ir": "r", "csharp": "c#", "fsharp": "f#", "cpp": "c++",
    "c++11": "c++", "c++14": "c++", "c++17": "c++", "bash": "shell", "sh": "shell", "node": "javascript", "octave": "matlab",
    "sagemath": "python", "pyspark": "python", "golang": "go", "gophernotes": "go", "evcxr": "rust", "nodejs": "javascript",
}  # fmt: skip

# IPython's own lines, which no Python parser takes: `%magic`, `!command`, `?help`, `help?`; `%%cell` is the whole cell's.
_MAGIC = re.compile(r"^(?=[ \t]*(?:%{1,2}[A-Za-z_]|!|\?|[\w.]+\?{1,2}[ \t]*$))", re.MULTILINE)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Cell:
    """`kind` is `markdown` or `code`; `output` is the text that a code cell printed or returned; `failed`: it ended in an
    error."""

    kind: str
    source: str
    output: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Notebook:
    """Cells with something in them, in order; `language` is the kernel's by one of the 92 names; `kaggle`: its own
    metadata say that it is one of Kaggle's."""

    language: str
    cells: tuple[Cell, ...]
    kaggle: bool = False


def parse(text: str, known: frozenset[str]) -> Notebook | str:
    """The notebook of a file's text (format 3 or 4), or why it is none.

    Args:
        known: the names of languages. A notebook that names no language counts as Python's.
    """
    try:
        document = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return "notebook: not valid JSON"
    raw = _raw_cells(document)
    if raw is None:
        return "notebook: no list of cells"
    if len(raw) > MAX_CELLS:
        return "notebook: too many cells"
    cells = [cell for one in raw if (cell := _cell(one)) is not None]
    if not any(cell.kind == "code" for cell in cells):
        return "notebook: no code"
    language = _language(document, known)
    metadata = document.get("metadata")
    kaggle = isinstance(metadata, dict) and isinstance(metadata.get("kaggle"), dict)
    return Notebook(language, tuple(cells), kaggle) if language else "notebook: in none of the languages"


def as_script(notebook: Notebook) -> str:
    """One program: code as it stands, Markdown and the notebook's own commands as comments, `%%` before each cell."""
    mark = _COMMENTS.get(notebook.language, "#")
    parts = []
    for cell in notebook.cells:
        if cell.kind == "markdown":
            parts.append(f"{mark} %% [markdown]\n{_commented(cell.source, mark)}")
        elif cell.source.startswith("%%"):  # the cell is in another language
            parts.append(f"{mark} %%\n{_commented(cell.source, mark)}")
        else:
            own = (
                _MAGIC.sub(f"{mark} ", cell.source)
                if notebook.language in ("python", "julia", "r")
                else cell.source
            )
            parts.append(f"{mark} %%\n{own}")
    return "\n\n".join(parts) + "\n"


def as_structured(notebook: Notebook) -> str:
    """The cells as a reader sees them: Markdown, code in a fence, its text output in another."""
    parts = []
    for cell in notebook.cells:
        if cell.kind == "markdown":
            parts.append(cell.source)
            continue
        parts.append(fenced(cell.source, notebook.language))
        if cell.output:
            parts.append(fenced(cell.output, "output"))
    return "\n\n".join(parts) + "\n"


def _raw_cells(document: Any) -> list[Any] | None:
    if not isinstance(document, dict):
        return None
    cells = document.get("cells")
    sheets = document.get("worksheets")
    if cells is None and isinstance(sheets, list):  # format 3
        cells = [cell for sheet in sheets if isinstance(sheet, dict) for cell in _list(sheet.get("cells"))]
    return cells if isinstance(cells, list) else None


def _cell(raw: Any) -> Cell | None:
    if not isinstance(raw, dict):
        return None
    kind = raw.get("cell_type")
    source = _text(raw.get("source", raw.get("input"))).strip("\r\n").rstrip()
    if kind == "heading":  # format 3
        kind, source = "markdown", f"# {source}"
    if kind not in ("markdown", "code") or not source.strip():
        return None
    if kind == "markdown":
        return Cell(kind, source)
    outputs = raw.get("outputs")
    failed = any(
        isinstance(one, dict) and one.get("output_type") in ("error", "pyerr") for one in _list(outputs)
    )
    return Cell(kind, source, _output(outputs), failed)


def _output(outputs: Any) -> str:
    pieces: list[str] = []
    for one in _list(outputs):
        if not isinstance(one, dict):
            continue
        data = one.get("data")
        plain = data.get("text/plain") if isinstance(data, dict) else None
        piece = _text(one.get("text", plain))
        if one.get("output_type") in ("error", "pyerr"):
            piece = f"{_text(one.get('ename'))}: {_text(one.get('evalue'))}"
        pieces.append(piece[:OUTPUT_CHARACTERS])
        if sum(map(len, pieces)) >= OUTPUT_CHARACTERS:
            break
    return _ESCAPES.sub(
        "", "".join(piece if piece.endswith("\n") else piece + "\n" for piece in pieces if piece)
    )[:OUTPUT_CHARACTERS].strip("\n")


def _language(document: dict[str, Any], known: frozenset[str]) -> str | None:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    named = False
    for part, key in (("language_info", "name"), ("kernelspec", "language"), ("kernelspec", "name")):
        values = metadata.get(part)
        name = _text(values.get(key)).strip().lower() if isinstance(values, dict) else ""
        name = _NAMES.get(name, name)
        if name in known:
            return name
        named = named or bool(name)
    return None if named else "python"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    """A string, or the lines of one; anything else is empty. JSON can name half a character, which no file holds."""
    if isinstance(value, list):
        value = "".join(one for one in value if isinstance(one, str))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _commented(text: str, mark: str) -> str:
    return "\n".join(f"{mark} {line}".rstrip() for line in text.splitlines())
