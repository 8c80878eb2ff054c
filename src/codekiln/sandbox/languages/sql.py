"""SQL: SQLite, by a program that only reads the database (see `inside/query.py`, and `queries` for answers as values).

Arguments of a program: [DATABASE] [--json] [--rows N] [--steps N]. The database is one of the program's files, or the
absolute path of a file below a folder that the sandbox shows its programs.
"""

from codekiln.sandbox.launch import INSIDE
from codekiln.sandbox.toolchain import Files, Toolchain

_RUNNER = "run-query.py"


def _arrange(files: Files, main: str) -> tuple[Files, str]:
    return {**files, _RUNNER: (INSIDE / "query.py").read_bytes()}, main


TOOLCHAIN = Toolchain(
    language="sql",
    names=("sqlite",),
    endings=(".sql",),
    run=(f"./{_RUNNER}", "{main}"),
    version=("python3", "-c", "import sqlite3; print('SQLite', sqlite3.sqlite_version)"),
    install="apt-get install python3",
    python=True,
    out_of_memory=(b"MemoryError", b"out of memory"),
    arrange=_arrange,
)
