"""GitHub's public events, a JSON object a line as GH Archive keeps them: what issues and pull requests are made of.

A file is cut into slices by bytes of its lines; a slice is read with bounded memory whatever its lines are.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from codekiln.corpus.sources import names
from codekiln.shards.tables import EVENTS

#: Bytes of lines of a slice; of a compressed file each slice unpacks what lies before it.
SLICE_BYTES = 64 * 1024**2
PACKED_SLICE_BYTES = 256 * 1024**2
#: GitHub's own limits on texts make the longest event smaller than this.
MAX_LINE = 8 * 1024**2
#: Characters of one text that are kept; GitHub takes 65,536 of a comment.
MAX_TEXT = 65_536
#: Lines at the head of a file that may tell what it is.
_PEEK = 20

TYPES = frozenset(
    [
        "IssuesEvent", "IssueCommentEvent", "PullRequestEvent", "PullRequestReviewEvent", "PullRequestReviewCommentEvent",
    ]
)  # fmt: skip

TRUNCATED, TOO_LONG = "events: the file is damaged or ends early", "events: a line too long"
NOT_JSON, INCOMPLETE = "events: not valid JSON", "events: without repository, number or text"


@dataclass(frozen=True)
class Slice:
    """The lines of a file that begin at bytes `start` to `end` of its unpacked content."""

    path: str
    name: str
    start: int
    end: int
    packed: bool


@dataclass(frozen=True)
class Layout:
    """A file of events: its slices, and a SHA-256 in hex over its bytes."""

    slices: tuple[Slice, ...]
    sha256: str


def is_events(path: Path) -> bool:
    """Whether one of the first lines of a file is an event of GitHub's stream."""
    try:
        with _opened(path) as stream:
            for _ in range(_PEEK):
                line = stream.readline(MAX_LINE)
                if not line:
                    return False
                if _is_event(_parsed(line)):
                    return True
    except (OSError, EOFError, zlib.error):
        return False
    return False


def find(path: Path, name: str) -> Layout:
    """Cut a file of events into slices; one that ends early is read as far as it goes."""
    packed, size, end = _is_packed(path), path.stat().st_size, 0
    if packed:
        size = 0
        try:
            with _opened(path) as stream:
                while chunk := stream.read(1024**2):
                    size += len(chunk)
        except (OSError, EOFError, zlib.error):
            end = 2**62  # the reader of the last slice goes as far as it comes, and says where it ends
    step = PACKED_SLICE_BYTES if packed else SLICE_BYTES
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    starts = range(0, max(size, 1), step)
    ends = [*starts[1:], max(size, end)]
    return Layout(tuple(Slice(str(path), name, *place, packed) for place in zip(starts, ends)), digest)


def event_table(part: Slice) -> tuple[pa.Table, dict[str, int]]:
    """The events of a slice that are about issues and pull requests, as a table of `events`, and counts.

    Lines that are none become rows with an empty `what` and the reason; events of other types are only counted.
    """
    rows: list[dict[str, Any]] = []
    counts = {"events": 0, "other events": 0, "broken lines": 0, "event bytes": 0}
    for place, line in _lines(part):
        row = line if isinstance(line, str) else read_event(line)
        if row is None:
            counts["other events"] += 1
            continue
        if isinstance(row, str):
            counts["broken lines"] += 1
            shown = names.printable(f"{part.name}#{place:012d}")
            row = {"thread": shown, "order": "", "repo": part.name, "what": "", "body": row, "number": place}
        else:
            counts["events"] += 1
            counts["event bytes"] += sum(len(row[name]) for name in ("body", "hunk", "title", "text"))
        rows.append(row)
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in EVENTS]
    return pa.Table.from_arrays(columns, schema=EVENTS), counts


def read_event(line: bytes) -> dict[str, Any] | str | None:
    """A row of `events` of a line; the reason why it is none; None for an event of another type."""
    event = _parsed(line)
    if not isinstance(event, dict):
        return NOT_JSON
    kind = event.get("type")
    if not isinstance(kind, str):
        return INCOMPLETE
    if kind not in TYPES:
        return None
    payload, repo = _object(event, "payload"), _text(_object(event, "repo").get("name"))
    pull = _object(payload, "pull_request")
    issue = _object(payload, "issue")
    subject = pull or issue
    number, title = subject.get("number"), _text(subject.get("title"))
    if not (names.is_storable(repo) and names.is_inside(repo) and repo.count("/") == 1):
        return INCOMPLETE
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**53:
        return INCOMPLETE
    about = _about(kind, payload)
    if about is None:
        return INCOMPLETE
    what, said = about
    actor, author = _object(event, "actor"), _object(subject, "user")
    user = _object(said, "user") or actor
    time = _text(said.get("submitted_at") or said.get("created_at")) if said else ""
    time = (time or _text(event.get("created_at")))[:40]
    base = _object(_object(pull, "base"), "repo")
    declared = _object(base, "license") or _object(_object(payload, "repository"), "license")
    return {
        "thread": f"{repo}#{number}",
        "order": f"{time} {_text(event.get('id'))[:20]:>20}",
        "repo": repo,
        "number": number,
        "pull_request": bool(pull) or bool(_object(issue, "pull_request")),
        "what": what,
        "actor": _text(user.get("login"))[:100],
        "bot": user.get("type") == "Bot",
        "time": time,
        "body": _text(said.get("body"))[:MAX_TEXT] if said else "",
        "path": _text(said.get("path"))[:1000] if said else "",
        "hunk": _text(said.get("diff_hunk"))[:MAX_TEXT] if said else "",
        "state": _text(said.get("state")).lower()[:40] if what == "review" else "",
        "title": title[:MAX_TEXT],
        "text": _text(subject.get("body"))[:MAX_TEXT],
        "author": _text(author.get("login"))[:100],
        "author_bot": author.get("type") == "Bot",
        "opened": _text(subject.get("created_at"))[:40],
        "merged": pull.get("merged") is True or bool(_text(pull.get("merged_at"))),
        "base": _text(_object(pull, "base").get("ref"))[:200],
        "license": _text(declared.get("spdx_id"))[:100],
    }


def _about(kind: str, payload: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """(what happened, the comment or review that says so), or None where the event lacks it."""
    action = _text(payload.get("action"))
    if kind in ("IssuesEvent", "PullRequestEvent"):
        known = {"opened": "opened", "closed": "closed", "reopened": "reopened", "merged": "closed"}
        return known.get(action, "changed"), {}
    part = "review" if kind == "PullRequestReviewEvent" else "comment"
    said = _object(payload, part)
    if not said or not isinstance(said.get("body"), str | None):
        return None
    lines = {"PullRequestReviewCommentEvent": "line comment", "PullRequestReviewEvent": "review"}
    # A deleted comment is one that its author took back; an edited one comes with its new text.
    return ("changed", {}) if action == "deleted" else (lines.get(kind, "comment"), said)


def _is_event(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and str(value.get("type")).endswith("Event")
        and isinstance(value.get("payload"), dict)
        and isinstance(value.get("repo"), dict)
    )


def _object(value: dict[str, Any], key: str) -> dict[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _text(value: Any) -> str:
    """A string without NUL and half characters, which no column holds; anything else is empty."""
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_packed(path: Path) -> bool:
    with open(path, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if _is_packed(path) else open(path, "rb")


def _lines(part: Slice) -> Iterator[tuple[int, bytes | str]]:
    """(place, line) of a slice; the reason in place of a line that is too long, or where the file ends early."""
    place = part.start
    try:
        with _opened(Path(part.path)) as stream:
            if part.start:
                stream.seek(part.start - 1)
                place += _pass_over(stream) - 1
            while place < part.end and (line := stream.readline(MAX_LINE + 1)):
                begin, size = place, len(line)
                if size > MAX_LINE and not line.endswith(b"\n"):
                    size += _pass_over(stream)
                    yield begin, TOO_LONG
                elif line.strip():
                    yield begin, line
                place += size
    except (OSError, EOFError, zlib.error):
        yield place, TRUNCATED


def _pass_over(stream: IO[bytes]) -> int:
    """Read to the end of a line and say how many bytes that took."""
    size = 0
    while piece := stream.readline(1024**2):
        size += len(piece)
        if piece.endswith(b"\n"):
            break
    return size
