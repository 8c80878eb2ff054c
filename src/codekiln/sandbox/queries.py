"""SQL queries and their rows as Python's values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codekiln.sandbox.program import Execution, Limits, Program

#: What SQLite's values are.
Value = None | int | float | str | bytes


@dataclass(frozen=True)
class Answer:
    """The rows of one statement; `truncated` where there were more than asked for."""

    columns: Sequence[str]
    rows: Sequence[tuple[Value, ...]]
    truncated: bool


def query(
    sql: str,
    database: str | bytes | None = None,
    rows: int = 1_000_000,
    limits: Limits | None = None,
    steps: int = 0,
) -> Program:
    """A program of SQL statements whose execution `answers` reads.

    Args:
        database: absolute path of a SQLite file below a folder given to the sandbox, or the content of one, or None for
            an empty one.
        rows: that each statement may answer with; further ones are left out.
        steps: of SQLite's virtual machine that all may take (the same on any machine), 0 for no such limit.
    """
    files = {"query.sql": sql.encode("utf-8", "surrogateescape")}
    arguments = ["--json", "--rows", str(rows), "--steps", str(steps)]
    if isinstance(database, bytes):
        files["data.sqlite"] = database
        arguments.insert(0, "data.sqlite")
    elif database:
        arguments.insert(0, database)
    return Program("sql", files, arguments=arguments, limits=limits or Limits(output=64 * 1024**2))


def answers(done: Execution) -> list[Answer] | None:
    """What each statement of a `query` answered; None where one failed, and for output that is not whole."""
    if done.status != "exited" or done.exit_code or done.truncated:
        return None
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    return [
        Answer(one["columns"], [tuple(map(_value, row)) for row in one["rows"]], one["truncated"])
        for one in documents
    ]


def _value(given: Any) -> Value:
    if isinstance(given, dict):
        return bytes.fromhex(given["hex"]) if "hex" in given else float(given["float"])
    value: Value = given
    return value
