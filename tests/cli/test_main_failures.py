"""Every way a command can end: exit code, one line on stderr, nothing but results on stdout, no traceback."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TRIAL = """
import errno, os, signal, sys, time
import click
from codekiln.errors import RunError, UserError

def disk(number):
    raise OSError(number, os.strerror(number), "some/file")

def out_of_torch():
    import torch
    torch.empty(2**60)

def absent(name):
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def wait():
    try:
        print("ready", flush=True)
        time.sleep(30)
    finally:
        print("tidied up", flush=True)

def endless():
    while True:
        print("x" * 1000)

def unprintable():
    print("caf\\xe9 \\udcff")

WAYS = {
    "user": lambda: (_ for _ in ()).throw(UserError("a.yaml:3: seed: wrong\\nand more \\x1b[31m")),
    "run": lambda: (_ for _ in ()).throw(RunError("the disk is gone; run again")),
    "full": lambda: disk(errno.ENOSPC),
    "denied": lambda: disk(errno.EACCES),
    "memory": lambda: [0] * (2**62),
    "torch": out_of_torch,
    "no-extra": lambda: absent("xllamacpp"),
    "no-core": lambda: absent("something"),
    "bug": lambda: {}["key"],
    "exit3": lambda: click.get_current_context().exit(3),
    "sysexit": lambda: sys.exit("what?"),
    "abort": lambda: (_ for _ in ()).throw(click.Abort()),
    "bad-parameter": lambda: (_ for _ in ()).throw(click.BadParameter("no such thing.")),
    "result": lambda: 5,
    "wait": wait,
    "endless": endless,
    "unprintable": unprintable,
}

@click.command()
@click.argument("way")
def trial(way):
    WAYS[way]()
"""
START = """
import sys
from codekiln.cli import main
main.COMMANDS["trial"] = ("trial_command", "A command for the tests.")
sys.argv[0] = "codekiln"
main.main()
"""


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command line of codekiln with one more command, which ends in the way it is asked to."""
    folder = tmp_path_factory.mktemp("trial")
    (folder / "trial_command.py").write_text(TRIAL)
    (folder / "start.py").write_text(START)
    return [sys.executable, str(folder / "start.py"), "trial"]


def call(words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        words, capture_output=True, text=True, env={**os.environ, **environment}, timeout=60
    )
    assert ("Traceback" in done.stderr) == (environment.get("CODEKILN_DEBUG") == "1")
    return done


def codekiln(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return call([sys.executable, "-m", "codekiln", *words], **environment)


@pytest.mark.parametrize(
    ("way", "code", "line"),
    [
        ("user", 2, r"codekiln: error: a\.yaml:3: seed: wrong and more \\x1b\[31m"),
        ("run", 1, r"codekiln: error: the disk is gone; run again"),
        ("full", 1, r"codekiln: error: some/file: the disk is full: .* to go on"),
        ("denied", 1, r"codekiln: error: some/file: permission denied: .*"),
        ("memory", 1, r"codekiln: error: out of memory: .*"),
        ("no-extra", 1, r"codekiln: error: this needs xllamacpp, .*: pip install 'codekiln\[llama\]'"),
        ("abort", 130, r"codekiln: interrupted; run the same command again to go on"),
        ("bad-parameter", 2, r"codekiln: error: Invalid value: no such thing; see 'codekiln.*--help'"),
    ],
)
def test_a_failure_is_one_line(trial: list[str], way: str, code: int, line: str) -> None:
    done = call([*trial, way])
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.endswith("\n")
    assert len(done.stderr.splitlines()) == 1
    assert re.fullmatch(line, done.stderr.strip())


def test_torch_out_of_memory_is_the_same_line(trial: list[str]) -> None:
    pytest.importorskip("torch")
    assert call([*trial, "torch"]).stderr.startswith("codekiln: error: out of memory: ")


@pytest.mark.parametrize("way", ["bug", "no-core"])
def test_a_defect_leaves_its_traceback_in_a_file(trial: list[str], tmp_path: Path, way: str) -> None:
    done = call([*trial, way], TMPDIR=str(tmp_path))
    assert done.returncode == 1
    found = re.fullmatch(r"codekiln: error: internal error: .*; the traceback is in (\S+)\n", done.stderr)
    assert found
    log = Path(found[1])
    assert log.parent == tmp_path
    assert "Traceback" in log.read_text()
    assert f"trial {way}" in log.read_text()


def test_a_defect_shows_its_traceback_when_asked(trial: list[str], tmp_path: Path) -> None:
    done = call([*trial, "bug"], CODEKILN_DEBUG="1", TMPDIR=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "codekiln: error: internal error: KeyError: 'key'"
    assert not list(tmp_path.iterdir())


def test_exit_codes_of_commands_pass_through(trial: list[str]) -> None:
    assert call([*trial, "exit3"]).returncode == 3
    assert call([*trial, "sysexit"]).returncode == 1
    assert call([*trial, "result"]).returncode == 0


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_signals_let_the_command_tidy_up(trial: list[str], number: int, code: int, word: str) -> None:
    with subprocess.Popen(
        [*trial, "wait"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, error = process.communicate(timeout=30)
    assert process.returncode == code
    assert out == "tidied up\n"
    assert error == f"codekiln: {word}; run the same command again to go on\n"


@pytest.mark.parametrize("way", ["endless", "wait"])
def test_a_reader_that_goes_away_ends_it_quietly(trial: list[str], way: str) -> None:
    with subprocess.Popen(
        [*trial, way], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if way == "wait":
            process.stdout.readline()
            process.stdout.close()
            process.send_signal(signal.SIGINT)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=30) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_stdout_is_told(trial: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "codekiln", "recipes", "--json"], stdout=full, stderr=subprocess.PIPE, text=True
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("codekiln: error: writing failed: the disk is full")
    assert len(done.stderr.splitlines()) == 1


def test_text_that_the_terminal_cannot_show_is_escaped(trial: list[str]) -> None:
    done = call([*trial, "unprintable"], PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, "caf\\xe9 \\udcff\n")


def test_usage_mistakes_get_one_line_and_a_hint() -> None:
    for words, line in (
        (["recipse"], "codekiln: error: there is no command 'recipse'; did you mean recipes?; see 'codekiln --help'"),
        (["zzz"], "codekiln: error: there is no command 'zzz'; see 'codekiln --help'"),
        (["--zzz"], "codekiln: error: No such option '--zzz'; see 'codekiln --help'"),
        (["recipes", "show"], "codekiln: error: Missing argument 'RECIPE'; see 'codekiln recipes show --help'"),
        (["doctor", "extra"], "codekiln: error: Got unexpected extra argument (extra); see 'codekiln doctor --help'"),
    ):  # fmt: skip
        done = codekiln(*words)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", line + "\n")


def test_help_and_version() -> None:
    done = codekiln("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "doctor" in done.stdout
    assert codekiln("-h").stdout == done.stdout
    assert re.fullmatch(r"codekiln \d+\.\d+\.\d+\S*\n", codekiln("--version").stdout)
    bare = codekiln()
    assert (bare.returncode, bare.stdout) == (2, "")
    assert bare.stderr.strip() == done.stdout.strip()
    for name in re.findall(r"^  ([a-z]+)  ", done.stdout, re.M):
        assert codekiln(name, "--help").returncode == 0, name


def test_help_is_fast_and_loads_nothing_heavy() -> None:
    done = call([sys.executable, "-X", "importtime", "-m", "codekiln", "--help"])
    loaded = set(re.findall(r"([\w.]+)$", done.stderr, re.M))
    assert "codekiln.cli.main" in loaded
    assert not loaded & {"torch", "pyarrow", "numpy", "pydantic", "transformers", "yaml", "huggingface_hub"}
    times = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        codekiln("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.3


def test_shell_completion_names_the_commands() -> None:
    done = codekiln(_CODEKILN_COMPLETE="bash_complete", COMP_WORDS="codekiln do", COMP_CWORD="1")
    assert "plain,doctor" in done.stdout.splitlines()
