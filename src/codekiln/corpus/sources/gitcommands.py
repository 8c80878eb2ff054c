"""Running git on a repository that someone else controls.

A repository's own configuration can name programs (hooks, file-system monitors, signature checkers, transports,
filters); every call here switches those off, gives the work tree explicitly, and never talks to a remote.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from codekiln.errors import BadSource, UserError, one_line

_SAFE = [
    "-c", "core.fsmonitor=",
    "-c", "core.hooksPath=/dev/null",
    "-c", "safe.directory=*",
    "-c", "log.showSignature=false",
    "-c", "log.showRoot=true",
    "-c", "protocol.allow=never",
    "-c", "core.sshCommand=false",
    "-c", "core.pager=cat",
    "--no-pager",
    "--literal-pathspecs",
    "--no-replace-objects",
]  # fmt: skip


#: Seconds that a command may take which answers as a whole. A configuration can name a pipe that nobody writes to.
_PATIENCE = 1800.0


@dataclass(frozen=True)
class Repository:
    """`folder` is the work tree (or the bare repository), `git_dir` what git calls its directory."""

    folder: str
    git_dir: str
    bare: bool


def _environment() -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return clean | {
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def _command(repository: Repository, arguments: Iterable[str]) -> list[str]:
    place = [f"--git-dir={repository.git_dir}"]
    if not repository.bare:
        place.append(f"--work-tree={repository.folder}")
    return ["git", *_SAFE, *place, *arguments]


def start(
    repository: Repository, *arguments: str, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """A git command that is running, its standard error kept unless it is written to.

    Raises:
        UserError: git is not installed.
    """
    try:
        return subprocess.Popen(
            _command(repository, arguments),
            cwd=repository.folder,
            env=_environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if stdin == subprocess.DEVNULL else subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise UserError(
            "git is not installed; install it, or give a folder without .git or an archive"
        ) from None


def run(repository: Repository, *arguments: str, check: bool = True) -> bytes:
    """Standard output of a git command.

    Raises:
        BadSource: git failed (and `check` is on); the message carries git's own last line.
    """
    out, err, code = answer(repository, *arguments)
    if code and check:
        raise failed(repository, arguments[0], err, code)
    return out if code == 0 else b""


def answer(repository: Repository, *arguments: str, given: bytes | None = None) -> tuple[bytes, bytes, int]:
    """Standard output, standard error and exit status of a git command; one that takes for ever is ended.

    Of a command that is `given` something on its standard input the standard error is not kept.
    """
    process = start(repository, *arguments, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE)
    try:
        out, err = process.communicate(given, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return b"", f"no answer in {_PATIENCE:.0f} seconds".encode(), 1
    return out, err or b"", process.returncode


def failed(repository: Repository, command: str, err: bytes, code: int) -> BadSource:
    """The one line for a command that failed, with git's own last line."""
    said = one_line(err.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1])[:200]
    return BadSource(f"git {command} failed in {repository.folder}: {said or code}")
