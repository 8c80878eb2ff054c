"""Known solutions of public benchmarks pass their own tests, and empty ones do not."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codekiln.sandbox import Limits, Sandbox
from codekiln.sandbox.verdicts import Verdict, check_python

DATA = Path(__file__).parents[2].parent / "shared" / "benchmarks"
pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed: apt-get install bubblewrap"
)


def rows(path: str) -> list[dict[str, Any]]:
    if not (DATA / path).exists():
        pytest.skip(
            f"{DATA / path} is not there: the benchmarks' data lies beside the checkout, in shared/benchmarks"
        )
    with gzip.open(DATA / path, "rt") as stream:
        return [json.loads(line) for line in stream]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(2) as made:
        yield made


def test_humaneval_solutions_pass(sandbox: Sandbox) -> None:
    def check(row: dict[str, Any]) -> Verdict:
        return check_python(
            sandbox, row["prompt"] + row["canonical_solution"], row["test"], row["entry_point"]
        )

    found = list(sandbox.each(check, rows("humaneval/HumanEval.jsonl.gz")))
    assert [(one.verdict, one.method) for one in found] == [("passed", "separate")] * 164
    assert sum(one.total for one in found) == 1181


@pytest.mark.slow
@pytest.mark.parametrize(
    "body", ["    return None\n", "    pass\n", "    return 0\n", "    return True\n", "    return []\n"]
)
def test_humaneval_without_solutions_fails(sandbox: Sandbox, body: str) -> None:
    found = sandbox.each(
        lambda row: check_python(sandbox, row["prompt"] + body, row["test"], row["entry_point"]),
        rows("humaneval/HumanEval.jsonl.gz"),
    )
    assert {one.verdict for one in found} == {"failed"}


@pytest.mark.slow
def test_humaneval_in_the_shared_mode(sandbox: Sandbox) -> None:
    def check(row: dict[str, Any]) -> tuple[str, str]:
        right = row["prompt"] + row["canonical_solution"]
        wrong = row["prompt"] + "    pass\n"
        return tuple(  # type: ignore[return-value]
            check_python(sandbox, code, row["test"], row["entry_point"], mode="shared").verdict
            for code in (right, wrong)
        )

    assert set(sandbox.each(check, rows("humaneval/HumanEval.jsonl.gz"))) == {("passed", "failed")}


@pytest.mark.slow
def test_mbpp_solutions_pass(sandbox: Sandbox) -> None:
    def check(row: dict[str, Any]) -> Verdict:
        tests = [row["test_setup_code"], *row["test_list"], *row["challenge_test_list"]]
        return check_python(sandbox, row["code"], tests, limits=Limits(wall=30, cpu=30))

    data = rows("mbpp/mbpp.jsonl.gz")
    found = list(sandbox.each(check, data))
    assert {one.verdict for one in found} == {"passed"}
    # They make objects of the program's classes.
    assert [row["task_id"] for row, one in zip(data, found) if one.method == "shared"] == [367, 601, 927]
