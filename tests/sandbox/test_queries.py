"""SQL: what queries answer, and that they only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from codekiln.sandbox import Limits, Program, Sandbox
from codekiln.sandbox.program import MB
from codekiln.sandbox.queries import Answer, answers, query

ROWS = [(1, "x\ty\\\n"), (None, b"\x00\xff"), (float("inf"), 2.5), ("ü", 2**53 + 1), ("\udcffA", 0)]
ENDLESS = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in a folder that the user of the programs may enter."""
    folder = tmp_path_factory.mktemp("data base?")
    folder.chmod(0o755)
    path = folder / "a b#.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table t(a, b)")
        connection.executemany("insert into t values (?, ?)", ROWS[:-1])
        connection.execute("insert into t values (cast(x'ff41' as text), 0)")
    connection.close()
    return path


@pytest.fixture(scope="module")
def sandbox(database: Path) -> Iterator[Sandbox]:
    with Sandbox(1, folders=[str(database.parent)], preload=["sqlite3", "argparse", "urllib.parse"]) as made:
        yield made


def test_values(sandbox: Sandbox, database: Path) -> None:
    for place in (str(database), database.read_bytes()):
        done = sandbox.run(query("select * from t -- ;\n;;select ';' as x, 1 as x", place))
        assert answers(done) == [Answer(["a", "b"], ROWS, False), Answer(["x", "x"], [(";", 1)], False)], done
    assert answers(sandbox.run(query("select 1 + 1"))) == [Answer(["1 + 1"], [(2,)], False)]
    assert answers(sandbox.run(query("select * from t", str(database), rows=2))) == [
        Answer(["a", "b"], ROWS[:2], True)
    ]
    assert answers(sandbox.run(query("-- nothing\n;"))) == []


def test_lines(sandbox: Sandbox, database: Path) -> None:
    files = {"main.sql": b"select * from t", "data.db": database.read_bytes()}
    done = sandbox.run(Program("sql", files))
    assert done.stdout.splitlines()[:3] == [b"1\tx\\ty\\\\\\n", b"\\N\tx'00ff'", b"inf\t2.5"]
    done = sandbox.run(Program("sql", files, arguments=["data.db", "--rows", "1"]))
    assert (done.exit_code, done.stdout.count(b"\n"), done.stderr) == (0, 1, b"stopped after 1 rows\n")


@pytest.mark.parametrize(
    "text",
    [
        "delete from t", "insert into t values (1, 2)", "create table u(a)", "create temp table u(a)", "drop table t",
        "attach '/tmp/x' as y", "vacuum into '/tmp/x'", "pragma journal_mode = wal", "pragma writable_schema = 1",
        "select load_extension('x')", "begin", "select", "select * from nothing", "select 1; delete from t",
    ],
)  # fmt: skip
def test_what_is_refused(sandbox: Sandbox, database: Path, text: str) -> None:
    before = database.read_bytes()
    done = sandbox.run(query(text, str(database)))
    assert (done.status, done.exit_code, answers(done)) == ("exited", 1, None)
    assert done.stderr.startswith(b"Error: ")
    assert database.read_bytes() == before


def test_schemas_can_be_read(sandbox: Sandbox, database: Path) -> None:
    [told] = answers(sandbox.run(query("pragma table_info(t)", str(database)))) or []
    assert [row[1] for row in told.rows] == ["a", "b"]


def test_limits_of_queries(sandbox: Sandbox) -> None:
    done = sandbox.run(query(ENDLESS, steps=100_000))
    assert (done.exit_code, done.stderr) == (1, b"Error: stopped after 100000 steps\n")
    assert sandbox.run(query(ENDLESS, limits=Limits(wall=0.3))).status == "timeout"
    grows = "with recursive c(x) as (select zeroblob(1000000) union all select x || x from c) select * from c order by 1"
    assert sandbox.run(query(grows, limits=Limits(memory=128 * MB))).status == "memory_limit"


def test_a_database_that_is_none(sandbox: Sandbox) -> None:
    for place in ("/nowhere.sqlite", b"no database, but text that is long enough to be looked at" * 20):
        done = sandbox.run(query("select * from t", place))
        assert (done.exit_code, done.stderr.startswith(b"Error: ")) == (1, True), done
