"""CredData's labelled lines, read from the git directories of its repositories at the labelled commits."""

from __future__ import annotations

import binascii
import csv
import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Lines that carry a label: T(rue), F(alse) or X (unknown)."""

    first: int
    last: int
    label: str
    only_uuid: bool


@dataclass(frozen=True)
class Labelled:
    """A labelled file: the half of the repositories it belongs to (`tuning` or `held out`), path, text, places."""

    half: str
    path: str
    text: str
    places: list[Place]


def load(creddata: Path, repos: Path) -> tuple[list[Labelled], dict[str, object]]:
    """Every labelled file that can be had, and what that makes: repositories, commits, rows.

    `repos` holds a git directory for each repository, as OWNER+NAME, OWNER+NAME.git, OWNER+NAME/.git or OWNER+NAME/repo.
    Repositories without the labelled commit are left out; so are rows whose place is not in the file. A line with
    a true row is true whatever other rows say.
    """
    files: list[Labelled] = []
    rows: Counter[str] = Counter()
    commits: dict[str, str] = {}
    halves: Counter[str] = Counter()
    for key, url in sorted(
        json.loads((creddata / "snapshot.json").read_text()).items(), key=lambda item: item[1]
    ):
        git = _git_directory(repos, url)
        table = creddata / "meta" / f"{binascii.crc32(bytes.fromhex(key)):08x}.csv"
        if git is None or not table.exists() or not _has(git, key[:40]):
            continue
        with table.open(newline="") as stream:
            meta = list(csv.DictReader(stream))
        half = "tuning" if int(hashlib.sha256(url.encode()).hexdigest(), 16) % 2 == 0 else "held out"
        halves[half] += 1
        commits["/".join(url.split("/")[-2:])] = key[:40]
        for path, text, own in _files(git, key[:40], meta):
            lines = text.split("\n")
            places: dict[tuple[int, int], list[dict[str, str]]] = {}
            for row in own:
                if _fits(row, lines):
                    places.setdefault((int(row["LineStart"]), int(row["LineEnd"])), []).append(row)
                    rows[row["GroundTruth"]] += 1
                else:
                    rows["left out"] += 1
            files.append(
                Labelled(half, path, text, [_place(span, labels) for span, labels in sorted(places.items())])
            )
    subset: dict[str, object] = {
        "repositories": len(commits),
        "halves": dict(sorted(halves.items())),
        "rows": dict(sorted(rows.items())),
        "places": sum(len(file.places) for file in files),
        "megabytes": round(sum(len(file.text) for file in files) / 1e6, 1),
        "commits": commits,
    }
    return files, subset


def _place(span: tuple[int, int], rows: list[dict[str, str]]) -> Place:
    labels = {row["GroundTruth"] for row in rows}
    label = next(one for one in "TFX" if one in labels)
    return Place(*span, label, all(row["Category"] == "UUID" for row in rows if row["GroundTruth"] == label))


def _fits(row: dict[str, str], lines: list[str]) -> bool:
    first, last = int(row["LineStart"]), int(row["LineEnd"])
    if not 1 <= first <= last <= len(lines):
        return False
    return first != last or int(row["ValueEnd"] or -1) <= len(lines[first - 1])


def _git_directory(repos: Path, url: str) -> Path | None:
    name = "+".join(url.split("/")[-2:])
    places = (name, name + ".git", name + "/.git", name + "/repo", name + "/repo/.git")
    return next((repos / place for place in places if (repos / place / "HEAD").exists()), None)


def _git(folder: Path, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", f"--git-dir={folder}", *arguments], input=data, capture_output=True)


def _has(git: Path, commit: str) -> bool:
    return _git(git, "cat-file", "-e", commit + "^{tree}").returncode == 0


def _files(
    git: Path, commit: str, meta: list[dict[str, str]]
) -> Iterator[tuple[str, str, list[dict[str, str]]]]:
    """(path, text, rows) of the labelled files; a file's id is the start of its path's SHA-256."""
    rows: dict[str, list[dict[str, str]]] = {}
    for row in meta:
        rows.setdefault(row["FileID"], []).append(row)
    wanted = []
    for entry in _git(git, "ls-tree", "-r", "-z", commit).stdout.split(b"\0"):
        kind, _, path = entry.partition(b"\t")
        key = hashlib.sha256(path).hexdigest()[:8]
        if key in rows and kind.split()[:2] not in ([b"120000", b"blob"], [b"160000", b"commit"]):
            wanted.append((key, path.decode("utf-8", "replace"), kind.split()[2]))
    stream = _git(git, "cat-file", "--batch", data=b"".join(blob + b"\n" for _, _, blob in wanted)).stdout
    at = 0
    for key, path, _ in wanted:
        head = stream.index(b"\n", at)
        size = int(stream[at:head].split()[2])
        data, at = stream[head + 1 : head + 1 + size], head + size + 2
        yield path, data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n"), rows[key]
