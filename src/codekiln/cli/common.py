"""What the commands share: options, one JSON document or a plain table on stdout, the cores of this machine."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from codekiln.errors import UserError
from codekiln.machine import available_cores

Function = TypeVar("Function", bound=Callable[..., Any])
_MIN_COLUMN = 16


def json_option(function: Function) -> Function:
    """`--json` -> `as_json: bool`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(
        function
    )


def workers_option(function: Function) -> Function:
    """`--workers N` -> `workers: int`, by default the cores that this process may use."""
    return click.option(
        "--workers",
        type=click.IntRange(1, 1024),
        default=available_cores,
        show_default="cores of this process",
        help="Processes for reading and filtering; the result does not depend on it.",
    )(function)


def executor_option(function: Function) -> Function:
    """`--executor NAME` -> `executor: str`, for `codekiln.shards.choose`."""
    return click.option(
        "--executor",
        default="local",
        show_default=True,
        metavar="local|ray|ray://HOST:PORT",
        help="Who reads and filters: processes of this machine or Ray; the result does not depend on it.",
    )(function)


def shards_option(function: Function) -> Function:
    """`--shards ADDRESS` -> `shards: str | None`, for `codekiln.shards.stored`."""
    return click.option(
        "--shards",
        metavar="ADDRESS",
        help="Keep the data at an address of this run's own (s3://BUCKET/PREFIX, gs://…, az://…) and only records in "
        "DIR, so that workers need no file system of this machine; the result does not depend on it.  [default: DIR]",
    )(function)


def threads_option(function: Function) -> Function:
    """`--threads N` -> `threads: int`, by default the cores that this process may use."""
    return click.option(
        "--threads",
        type=click.IntRange(1, 1024),
        default=available_cores,
        show_default="cores of this process",
        help="Threads for training and evaluation.",
    )(function)


def set_option(function: Function) -> Function:
    """`--set stage.key=value`, repeatable -> `overrides: tuple[str, ...]`."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="STAGE.KEY=VALUE",
        help="Change one value of the recipe; the value is YAML. Repeatable.",
    )(function)


def output_folder(text: str) -> Path:
    """The folder of `-o`, with `~` and `~user` written out.

    Raises:
        UserError: it is empty, or there is no such user.
    """
    if not text:
        raise UserError("-o is empty; give the path of a folder")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UserError(
            f"-o {text}: there is no home folder of {text.partition('/')[0]}; write the path out, or ./{text}"
        ) from None


def output_file(text: str | None, default: Path) -> Path:
    """The file of `-o`, `default` where it is not given.

    Raises:
        UserError: as `output_folder`, or it is a folder.
    """
    if text == "":
        raise UserError("-o is empty; give the path of a file")
    path = default if text is None else output_folder(text)
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the path of a file with -o, such as {path / default.name}")
    return path


def stage_root(folder: str, stage: str) -> Path:
    """The folder that holds a stage's output: DIR itself where a command made it, or DIR/stages of a run.

    Raises:
        UserError: DIR is no folder, or holds nothing of that stage, finished or not.
    """
    given = Path(folder)
    if not given.is_dir():
        what = "is a file, not a folder" if given.exists() else "does not exist"
        raise UserError(f"{folder or 'DIR'} {what}; give the folder of `codekiln {stage} build`, or of a run")
    inner = given / "stages"
    root = inner if inner.is_dir() and not (given / stage).is_dir() else given
    if not any((root / name).is_dir() for name in (stage, f"{stage}.partial", "sources.partial")):
        near = given.resolve().parent
        hint = f"; give {near}" if (near / stage).is_dir() else ""
        raise UserError(f"{folder} holds no {stage} that `codekiln {stage} build` or a run has made{hint}")
    return root


def emit(document: Any, as_json: bool, lines: Iterable[str]) -> None:
    """Print the result of a command on stdout: one JSON document, or its lines of text."""
    if not as_json:
        for line in lines:
            click.echo(line)
        return
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=2)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        # A file name that is no text, or a terminal without Unicode: JSON's own escapes say it everywhere.
        text = json.dumps(document, sort_keys=True, ensure_ascii=True, allow_nan=False, indent=2)
    click.echo(text)


def table(
    rows: Sequence[Sequence[object]], headers: Sequence[str] = (), width: int | None = None
) -> list[str]:
    """Lines of an aligned table: numbers to the right, text to the left, two blanks between columns.

    Cells that do not fit into `width` characters are wrapped, the widest column first, so nothing is lost.
    width: None means the terminal's, or no limit where stdout is not a terminal. None cells show as "-".
    """
    if width is None:
        # Anything that reads the table instead of a person should find one row on one line.
        width = (
            shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else 10**6
        )
    cells = [[_text(cell) for cell in row] for row in rows]
    heads = [_text(head) for head in headers]
    count = max((len(row) for row in [*cells, heads]), default=0)
    cells = [row + [""] * (count - len(row)) for row in cells]
    heads += [""] * (count - len(heads))
    numeric = [
        bool(rows)
        and all(
            row[at] is None or (isinstance(row[at], int | float) and not isinstance(row[at], bool))
            for row in rows
            if at < len(row)
        )
        for at in range(count)
    ]
    widths = [max([_width(heads[at]), *(_width(row[at]) for row in cells)]) for at in range(count)]
    while sum(widths) + 2 * (count - 1) > width and max(widths, default=0) > _MIN_COLUMN:
        widest = widths.index(max(widths))
        excess = sum(widths) + 2 * (count - 1) - width
        second = max([_MIN_COLUMN, *(one for at, one in enumerate(widths) if at != widest)])
        widths[widest] = max(widths[widest] - excess, min(second, widths[widest] - 1), _MIN_COLUMN)
    body = [line for row in cells for line in _row(row, widths, numeric)]
    if not any(heads):
        return body
    return [*_row(heads, widths, numeric), *_row(["-" * one for one in widths], widths, numeric), *body]


def _row(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    wrapped = [_wrap(cell, limit) for cell, limit in zip(cells, widths)]
    lines = []
    for number in range(max(map(len, wrapped))):
        parts = []
        for at, column in enumerate(wrapped):
            text = column[number] if number < len(column) else ""
            pad = " " * (widths[at] - _width(text))
            parts.append(pad + text if numeric[at] else text + pad)
        lines.append("  ".join(parts).rstrip())
    return lines


def _wrap(text: str, width: int) -> list[str]:
    if _width(text) <= width:
        return [text]
    # Characters of double width are rare here: reckoning all as double keeps such a cell inside its column.
    limit = width if _width(text) == len(text) else max(1, width // 2)
    return textwrap.wrap(text, limit, break_on_hyphens=False) or [""]


def _text(cell: object) -> str:
    """A cell as one line; control characters (of a file name, say) are escaped."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(cell))


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in text
    )
