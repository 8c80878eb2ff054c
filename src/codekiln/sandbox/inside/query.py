"""Queries over a SQLite file that is only read: `query.py SQLFILE [DATABASE] [--json] [--rows N] [--steps N]`.

Runs in a box. Without a DATABASE it is the one file here that is one, or an empty one. Prints each result's rows, a line
each, values between tabs: NULL as \\N, tabs, line ends and backslashes in text escaped, bytes as x'…'. With --json a line
for each result: {"columns", "rows", "truncated"}, bytes as {"hex": …}, infinities as {"float": …}; text that is not
UTF-8 has its bytes as surrogates.
"""

import argparse
import json
import math
import os
import re
import sqlite3
import sys
import urllib.parse

#: A statement's text: to a semicolon that is in no literal, name or comment.
_PARTS = re.compile(
    r"""--[^\n]*|/\*[\s\S]*?(?:\*/|\Z)|'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z)|`[^`]*(?:`|\Z)|\[[^\]]*(?:\]|\Z)|;"""
)
_PRAGMAS = (
    "table_info",
    "table_xinfo",
    "table_list",
    "foreign_key_list",
    "index_list",
    "index_info",
    "index_xinfo",
)
_FORBIDDEN = ("load_extension", "fts3_tokenizer")
#: Of one value, in bytes: (limit's number in sqlite3.h, value).
_LENGTH = (0, 64 * 1024**2)
_STEPS = 1000  # of the virtual machine, between two looks at how many there were


def main():
    parser = argparse.ArgumentParser(prog="sql")
    parser.add_argument("sql")
    parser.add_argument("database", nargs="?")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=1_000_000, help="that each result may have at most")
    parser.add_argument(
        "--steps", type=int, default=0, help="of SQLite's machine that all may take, 0 for no limit"
    )
    options = parser.parse_args()
    with open(options.sql, encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
    show = in_json if options.json else in_lines
    try:
        connection = opened(options.database or only_database(), options.steps)
        for statement in statements(text):
            cursor = connection.execute(statement)
            if cursor.description:
                show(sys.stdout, [one[0] for one in cursor.description], cursor, options.rows)
    except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
        sys.stdout.flush()
        why = f"stopped after {options.steps} steps" if str(error) == "interrupted" else error
        print(f"Error: {why}", file=sys.stderr)
        return 1
    return 0


def statements(text):
    """The texts of a script's statements, without those that are only blanks and comments."""
    begin, empty, last = 0, True, 0
    for found in _PARTS.finditer(text):
        between = text[last : found.start()].strip()
        empty = empty and not between and (found[0] == ";" or found[0].startswith(("--", "/*")))
        last = found.end()
        if found[0] == ";":
            if not empty:
                yield text[begin:last]
            begin, empty = last, True
    if not empty or text[last:].strip():
        yield text[begin:]


def only_database():
    """The file of this folder that is a SQLite database, "" unless there is just one."""
    found = []
    for name in sorted(os.listdir(".")):
        if os.path.isfile(name):
            with open(name, "rb") as file:
                if file.read(16) == b"SQLite format 3\0":
                    found.append(name)
    return found[0] if len(found) == 1 else ""


def opened(path, steps):
    """A connection that can only read."""
    place = f"file:{urllib.parse.quote(os.path.abspath(path))}?mode=ro&immutable=1" if path else ":memory:"
    connection = sqlite3.connect(place, uri=True, isolation_level=None, cached_statements=0)
    connection.text_factory = lambda value: value.decode("utf-8", "surrogateescape")
    for setting in ("query_only=1", "trusted_schema=0", "temp_store=2", "mmap_size=0"):
        connection.execute(f"PRAGMA {setting}")
    if hasattr(connection, "setlimit"):
        connection.setlimit(*_LENGTH)
    connection.set_authorizer(allowed)
    if steps:
        left = [steps // _STEPS]

        def ended():
            left[0] -= 1
            return left[0] < 0

        connection.set_progress_handler(ended, _STEPS)
    return connection


def allowed(action, first, second, database, source):
    """SQLITE_OK for what reads."""
    if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE):
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FORBIDDEN:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _PRAGMAS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def taken(cursor, most):
    """Rows up to that many, then whether there are more."""
    for number, row in enumerate(cursor):
        if number == most:
            yield None
            return
        yield row


def in_lines(out, columns, cursor, most):
    for row in taken(cursor, most):
        if row is None:
            print(f"stopped after {most} rows", file=sys.stderr)
            return
        out.write("\t".join(map(as_text, row)) + "\n")


def as_text(value):
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return repr(value)


def in_json(out, columns, cursor, most):
    out.write('{"columns": ' + json.dumps(columns) + ', "rows": [')
    begin, truncated = "", False
    for row in taken(cursor, most):
        if row is None:
            truncated = True
            break
        out.write(begin + json.dumps([as_json(value) for value in row], allow_nan=False))
        begin = ", "
    out.write('], "truncated": ' + json.dumps(truncated) + "}\n")


def as_json(value):
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


if __name__ == "__main__":
    sys.exit(main())
