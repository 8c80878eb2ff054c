"""Every attack is held, or is declared not to be; the documentation's table says the same."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from codekiln.cli import sandbox_check
from codekiln.cli.main import codekiln
from codekiln.cli.main import run as run_command
from codekiln.sandbox import attacks
from codekiln.sandbox.attacks import ATTACKS, CHEATS, Row, run_attacks, run_cheats
from codekiln.sandbox.attacks.checking import LEVELS
from codekiln.sandbox.attacks.table import markdown
from codekiln.sandbox.box import Level
from codekiln.sandbox.isolation import why_not

_DOCS = Path(__file__).parents[2] / "docs" / "sandbox.md"
_SOURCE = Path(__file__).parents[2] / "src"


def compared(rows: Iterable[dict[str, Any]], level: str) -> None:
    """Rows against declarations; warns, with the reason, where something could not be tried."""
    declared = {attack.name: attack.open_at for attack in ATTACKS}
    wrong, missing = [], set()
    for row in rows:
        expected = "open" if level in declared.get(row["attack"], {}) else "held"
        if row["state"] == "not tried":
            missing.add(row["detail"])
        elif row["state"] != expected:
            wrong.append(f"{row['attack']}: {row['state']}, not {expected}: {row['detail']}")
    assert not wrong
    if missing:
        warnings.warn(f"level {level}: not tried: {'; '.join(sorted(missing))}", stacklevel=2)


def best() -> Level:
    level = next((level for level in LEVELS if not why_not(level)), None)
    if level is None:
        pytest.skip(f"programs cannot be isolated here: {why_not('B')}")
    return level


def test_the_command_finds_that_quick_attacks_are_held() -> None:
    level = best()
    done = CliRunner().invoke(codekiln, ["sandbox", "check", "--quick", "--json"])
    document = json.loads(done.stdout)
    assert document["level"] == level
    assert set(document["why_not_higher"]) == set(LEVELS[: LEVELS.index(level)])
    assert document["versions"]["kernel"]
    assert [row["attack"] for row in document["attacks"]] == [
        *(one.name for one in ATTACKS if one.quick), *(f"verdict: {one.name}" for one in CHEATS if one.quick)
    ]  # fmt: skip
    assert (document["held"], done.exit_code) == (True, 0), document["escaped"]
    compared(document["attacks"], level)


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_all_attacks_at_all_levels(level: Level) -> None:
    if reason := why_not(level):
        pytest.skip(f"isolation {level} is not to be had here: {reason}")
    rows = [*run_attacks(level, ATTACKS), *run_cheats(level, CHEATS)]
    assert len(rows) == len(ATTACKS) + len(CHEATS)
    compared([row.document() for row in rows], level)


def test_the_documentation_shows_the_table() -> None:
    text = _DOCS.read_text()
    begin, end = "<!-- codekiln sandbox check --markdown -->\n", "<!-- end -->"
    shown = text.partition(begin)[2].partition(end)[0].strip().splitlines()
    assert shown == list(markdown()), "write the output of `codekiln sandbox check --markdown` there"


def test_names_are_there_once_and_levels_exist() -> None:
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names)
    assert all(set(attack.open_at) <= set(LEVELS) for attack in ATTACKS)
    assert not any("A" in attack.open_at for attack in ATTACKS)


def test_what_gets_through_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    best()
    monkeypatch.setattr(
        attacks, "run_attacks", lambda level, some: [Row("fork bomb", level, "escaped", "all of it", 0.1)]
    )
    monkeypatch.setattr(attacks, "run_cheats", lambda level, some: [])
    done = CliRunner().invoke(codekiln, ["sandbox", "check"])
    assert done.exit_code == 1
    assert "ESCAPED" in done.stdout
    assert "Got through: fork bomb" in done.stdout
    assert "all of it" in done.stdout


@pytest.mark.parametrize("level", ["none", "Z"])
def test_levels_that_promise_nothing(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["sandbox", "check", "--isolation", level]) == 2
    assert level in capsys.readouterr().err
    assert sandbox_check.check.name == "check"


def test_an_attack_that_gets_through_is_seen() -> None:
    """The harness sees from outside what a program does not say."""
    if os.getuid() != 0:
        pytest.skip("needs programs of another user that are not isolated, which root alone can start")
    named = {"sockets without paths", "loopback", "files of the harness", "System V and POSIX IPC"}
    rows = list(run_attacks("none", [attack for attack in ATTACKS if attack.name in named]))
    assert {row.attack for row in rows} == named
    assert all(row.state == "escaped" for row in rows), rows
    told = " ".join(row.detail for row in rows)
    assert "reached the harness's tcp4 socket" in told
    assert "reached the harness's abstract-datagram socket" in told
    assert "read the harness's secret (public)" in told


def test_where_namespaces_are_forbidden_landlock_is_chosen() -> None:
    """As in a container: no level is lowered without a word."""
    if reason := why_not("C"):
        pytest.skip(f"isolation C is not to be had here: {reason}")
    code = (
        "from codekiln.sandbox.attacks.checking import chosen; import json; print(json.dumps(chosen('auto')))"
    )
    inside = _SOURCE / "codekiln" / "sandbox" / "inside"
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("locked.py")), str(inside), sys.executable, "-c", code],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(_SOURCE)},
    )  # fmt: skip
    level, refused = json.loads(done.stdout)
    assert level == "C"
    assert set(refused) == {"A", "B"}
    assert "namespace" in refused["B"] or "bubblewrap" in refused["B"]


@pytest.mark.slow
@pytest.mark.parametrize("level", ["B", "C"])
def test_an_ordinary_user_is_as_safe(level: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root, to become another user; test_all_attacks_at_all_levels is run as this one")
    python, setpriv = Path("/usr/bin/python3"), shutil.which("setpriv")
    if not python.exists() or setpriv is None:
        pytest.skip("needs /usr/bin/python3 and setpriv: apt-get install python3 util-linux")
    place = Path("/tmp") / f"codekiln-test-user-{os.getpid()}-{level}"
    home, user = place / "home", 61_000
    try:
        home.mkdir(parents=True)
        os.chown(home, user, user)
        shutil.copytree(_SOURCE / "codekiln", place / "codekiln")
        psutil = importlib.util.find_spec("psutil")
        assert psutil is not None
        assert psutil.origin is not None
        shutil.copytree(Path(psutil.origin).parent, place / "psutil")
        subprocess.run(["chmod", "-R", "a+rX", str(place)], check=True)
        code = (
            "import json, sys\nfrom codekiln.sandbox.attacks import *\n"
            f"print(json.dumps([row.document() for row in run_attacks({level!r}, ATTACKS)]))"
        )
        done = subprocess.run(
            [setpriv, f"--reuid={user}", f"--regid={user}", "--clear-groups", "--bounding-set=-all",
             "--inh-caps=-all", str(python), "-c", code],
            capture_output=True, text=True, timeout=300, cwd=home,
            env={"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(place)},
        )  # fmt: skip
        if "ModuleNotFoundError" in done.stderr or "SyntaxError" in done.stderr:
            pytest.skip(f"/usr/bin/python3 cannot run this: {done.stderr.splitlines()[-1]}")
        assert done.returncode == 0, done.stderr
        compared(json.loads(done.stdout), level)
    finally:
        shutil.rmtree(place)
