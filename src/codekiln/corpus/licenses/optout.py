"""The opt-out list: repositories, or paths in them, whose owners do not want them used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codekiln.corpus.licenses.globs import MAX_PATTERN, matches
from codekiln.errors import UserError, one_line


@dataclass(frozen=True)
class OptOut:
    """One line of the list: a repository (`*` stands for any letters), and the paths meant ("" means all)."""

    line: str
    repo: str
    path: str = ""


def read_opt_outs(path: Path) -> list[OptOut]:
    """The lines of an opt-out list: `repo` or `repo:path` each, `#` begins a comment.

    A path names a file, a folder with all below it, or is a pattern (`*` within a folder, `**` across folders).

    Raises:
        UserError: the file cannot be read, or a line is none of these.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"opt-out list {path} cannot be read ({one_line(error.strerror)})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"opt-out list {path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    found = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split(" #")[0].strip() if not raw.lstrip().startswith("#") else ""
        if line:
            found.append(_parsed(line, f"{path}:{number}"))
    return found


def opted_out(repo: str, path: str, patterns: list[OptOut]) -> str | None:
    """The first line of the list that takes a file out, or None. Letters of a repository count in either case."""
    name = repo.lower()
    for pattern in patterns:
        if matches(pattern.line.lower(), name, flat=True):
            return pattern.line
        if pattern.path and matches(pattern.repo.lower(), name, flat=True) and _below(pattern.path, path):
            return pattern.line
    return None


def _below(pattern: str, path: str) -> bool:
    ends = [at for at, letter in enumerate(path) if letter == "/"]
    return matches(pattern, path) or any(matches(pattern, path[:end]) for end in ends)


def _parsed(line: str, where: str) -> OptOut:
    repo, colon, path = line.rpartition(":")
    if not colon:
        repo, path = line, ""
    wanted = "write `repo` or `repo:path`"
    if not repo.strip() or (colon and not path.strip()):
        raise UserError(
            f"{where}: nothing stands {'after' if repo.strip() else 'before'} the colon; {wanted}"
        )
    if len(line) > MAX_PATTERN or not line.isprintable():
        raise UserError(
            f"{where}: the line is longer than {MAX_PATTERN} letters or has control letters; {wanted}"
        )
    if any(part in (".", "..") for part in path.split("/")):
        raise UserError(f"{where}: {path!r} has . or .. in it; write the path as it stands in the repository")
    if any(letter.isspace() for letter in repo):
        raise UserError(f"{where}: the repository {repo!r} has a space in it; {wanted}")
    return OptOut(line, repo.strip(), path.strip().strip("/"))
