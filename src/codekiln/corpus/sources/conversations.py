"""Issues and pull requests as rows of `files`: the events of one conversation as text, or why there is none.

The form is stable: `# TITLE`, then each event as `username_0:` and its text, `username_1 on PATH:` with the piece of the
change and the comment on it, or a line such as `username_0 closed the issue.`, with empty lines between.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any

from codekiln.corpus import licenses
from codekiln.corpus.sources import events, names, reading
from codekiln.corpus.sources.limits import PULL_REQUEST_TITLES, Values, is_bot
from codekiln.corpus.sources.texts import fenced
from codekiln.shards.places import Place
from codekiln.shards.store import read_shard

ISSUE, PULL_REQUEST = "issue", "pull_request"
LANGUAGE = "markdown"

#: Events that hold the words of somebody.
_SPOKEN = frozenset(["comment", "review", "line comment"])

#: What GitHub and mail programs put around the words of someone who answers by mail (StarCoder).
_MAIL = re.compile(
    r"reply to this email directly|view it on github|notifications@github\.com|you are receiving this because"
    r"|^-{2,} ?original message ?-{2,}|^_{20,}$|^sent from my ",
    re.IGNORECASE,
)
_WROTE = re.compile(r"(?:\bwrote|\bescribió|\bschrieb|\ba écrit) ?: ?$", re.IGNORECASE)
_MENTION = re.compile(r"@([A-Za-z0-9](?:[A-Za-z0-9-]{0,38}))(?![A-Za-z0-9-])")


@dataclass(frozen=True)
class ConversationBatch:
    """The task of one shard: one partition of the events, sorted by conversation and time.

    `kinds` are those that are read: issues, pull_requests.
    """

    path: Place
    limits: tuple[tuple[str, float], ...]
    kinds: tuple[str, ...]
    redact: tuple[str, ...] = ()
    refused: tuple[licenses.OptOut, ...] = ()


@dataclass(frozen=True)
class Said:
    """One thing that someone said or did. `what` is that of the table of events; `path` and `hunk` are the place of
    a comment on a line."""

    what: str
    user: str
    text: str
    path: str = ""
    hunk: str = ""


def read(batch: ConversationBatch) -> reading.Read:
    """What a partition holds: rows, what they count, and the reasons of other conversations and of lines that are no events."""
    counts = Counter[str]()
    rows, skipped = [], []
    for place, row in _results(batch, counts):
        if isinstance(row, str):
            skipped.append((*place, row, 0))
        else:
            rows.append(row)
    return reading.tables(rows, counts, skipped)


def _results(batch: ConversationBatch, counts: Counter[str]) -> Iterator[tuple[tuple[str, str], Any]]:
    limits = dict(batch.limits)
    rows = (row for part in read_shard(batch.path).to_batches(256) for row in part.to_pylist())
    for thread, some in groupby(rows, lambda row: row["thread"]):
        first = next(some)
        if not first["what"]:
            for row in (first, *some):
                yield (row["repo"], f"{thread.partition('#')[2]}"), row["body"]
            continue
        kept: list[dict[str, Any]] = []
        seen: set[tuple[str, str]] = set()
        number = 0
        for row in (first, *some):
            key = (row["order"], row["what"])
            number += key not in seen
            if key not in seen and len(kept) <= limits["conversation_events_most"]:
                seen.add(key)
                kept.append(row)
        pull = any(row["pull_request"] for row in kept)
        place = (first["repo"], f"{'pull' if pull else 'issues'}/{first['number']}")
        if number > limits["conversation_events_most"]:
            yield place, f"{_words(pull)}: too many events"
        else:
            make = partial(_row, batch, place, kept, pull, limits, counts)
            yield place, reading.guarded(":".join(place), make)


def _words(pull: bool) -> str:
    return "pull request" if pull else "issue"


def _row(
    batch: ConversationBatch,
    place: tuple[str, str],
    rows: list[dict[str, Any]],
    pull: bool,
    limits: Values,
    counts: Counter[str],
) -> tuple[object, ...] | str:
    line = licenses.opted_out(*place, list(batch.refused)) if batch.refused else None
    if line is not None:
        return f"opted out ({line})"
    if ("pull_requests" if pull else "issues") not in batch.kinds:
        return f"{_words(pull)}: kind not selected"
    found = Counter[str]()
    told = _told(rows, pull, limits)
    reason = told if isinstance(told, str) else ""
    if reason or isinstance(told, str):
        return f"{_words(pull)}: {reason}"
    title, said = told
    clean = [
        Said(
            one.what, one.user,
            reading.redacted("", LANGUAGE, one.text, batch.redact, found),
            one.path,
            reading.redacted(one.path, "", one.hunk, batch.redact, found) if one.hunk else "",
        )
        for one in said
    ]  # fmt: skip
    text = conversation_text(reading.redacted("", LANGUAGE, title, batch.redact, found), clean, pull)
    if pull and len(text) > limits["pull_request_characters_most"]:
        return "pull request: too long"
    counts.update(found)
    verdict = _license(rows)
    kind = PULL_REQUEST if pull else ISSUE
    times = [row["opened"] or row["time"] for row in rows]
    identity = reading.file_id(*place, text.encode(), kind)
    where = (identity, *place, kind, f"events until {rows[-1]['time']}", _seconds(min(times)), LANGUAGE)
    judged = (list(verdict.licenses), verdict.license_type, verdict.evidence)
    return (*where, *judged, len(text.encode()), text)


def _told(rows: list[dict[str, Any]], pull: bool, limits: Values) -> tuple[str, list[Said]] | str:
    """(title, what was said) by people, cut as the limits say, or the reason why the conversation is dropped."""
    snapshot = max(rows, key=lambda row: (bool(row["title"]), row["order"]))
    if not snapshot["title"]:
        return "no title"
    author = snapshot["author"] or snapshot["actor"]
    if snapshot["author_bot"] or is_bot(author):
        return "opened by a bot"
    people = [row for row in rows if not (row["bot"] or is_bot(row["actor"]))]
    if (
        pull
        and not any(row["what"] in _SPOKEN for row in people)
        and any(row["what"] in _SPOKEN for row in rows)
    ):
        return "comments by bots alone"
    said = [Said("opened", author, without_mail(snapshot["text"]))]
    for row in people:
        if row["what"] in _SPOKEN:
            said.append(Said(row["what"], row["actor"], without_mail(row["body"]), row["path"], row["hunk"]))
        elif row["what"] in ("closed", "reopened"):
            merged = row["what"] == "closed" and row["merged"]
            said.append(Said("merged" if merged else row["what"], row["actor"], ""))
    return _pull_request(rows, snapshot, said, limits) if pull else _issue(snapshot["title"], said, limits)


def _issue(title: str, said: list[Said], limits: Values) -> tuple[str, list[Said]] | str:
    size = sum(len(one.text) for one in said)
    if size < limits["issue_characters_least"]:
        return "too short"
    if len({one.user for one in said}) < limits["issue_users"]:
        if size > limits["issue_single_characters"]:
            return "long, of too few people"
        if len(said) > limits["issue_single_events"]:
            return "many events of too few people"
    most, last = int(limits["comment_lines"]), int(limits["comment_last_lines"])
    cut = [Said(one.what, one.user, without_middle(one.text, most, last)) for one in said]
    return title, [one for one in cut if one.text or one.what not in ("comment", "opened")]


def _pull_request(
    rows: list[dict[str, Any]], snapshot: dict[str, Any], said: list[Said], limits: Values
) -> tuple[str, list[Said]] | str:
    title, description = snapshot["title"].strip(), said[0].text
    if len(title) < limits["pull_request_title_least"]:
        return "title too short"
    if any(word in title.lower() for word in PULL_REQUEST_TITLES):
        return "title of dependencies or a release"
    if len(description) < limits["pull_request_description_least"]:
        return "description too short"
    if len({row["base"] for row in rows if row["base"]}) > 1:
        return "base changed"
    if not any(row["merged"] or row["state"] == "approved" for row in rows):
        return "neither merged nor approved"
    description = without_middle(
        description,
        int(limits["pull_request_description_lines"]),
        int(limits["pull_request_description_last_lines"]),
    )[: int(min(limits["pull_request_description_most"], events.MAX_TEXT))]
    kept = [Said("opened", said[0].user, description)]
    most, last = int(limits["comment_lines"]), int(limits["comment_last_lines"])
    for one in said[1:]:
        hunk = one.hunk if len(one.hunk) <= limits["pull_request_hunk_most"] else ""
        text = without_middle(one.text, most, last)
        short = len(text) < limits["pull_request_comment_least"] and one.what in ("comment", "review")
        if short or (one.what == "line comment" and not (hunk or text)):
            continue
        kept.append(Said(one.what, one.user, text, one.path if hunk else "", hunk))
    if sum(bool(one.hunk) for one in kept) < limits["pull_request_hunks_least"]:
        return "no diff"
    return title[: int(min(limits["pull_request_title_most"], events.MAX_TEXT))], kept


def conversation_text(title: str, said: list[Said], pull: bool) -> str:
    """A conversation as text, its people by their order of appearance."""
    users: dict[str, str] = {}
    for one in said:
        users.setdefault(one.user.lower(), f"username_{len(users)}")

    def masked(text: str) -> str:
        return _MENTION.sub(lambda found: f"@{users.get(found[1].lower(), found[1])}", text)

    parts = [f"# {' '.join(masked(title).split())}"]
    subject = "pull request" if pull else "issue"
    shown: set[tuple[str, str]] = set()
    for one in said:
        user, text = users[one.user.lower()], masked(one.text)
        if one.what in ("closed", "reopened", "merged"):
            parts.append(f"{user} {one.what} the {subject}.")
        elif one.hunk and (one.path, one.hunk) not in shown:
            shown.add((one.path, one.hunk))
            where = one.path if names.is_storable(one.path) else "a file"
            parts.append(
                f"{user} on {where}:\n\n{fenced(one.hunk, 'diff')}" + (f"\n\n{text}" if text else "")
            )
        else:
            parts.append(f"{user}:\n\n{text}" if text else f"{user}:")
    return "\n\n".join(parts) + "\n"


def without_mail(text: str) -> str:
    """A comment without what a mail program and GitHub's notifications put around it; linear in its length."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not any(_MAIL.search(line[:1_000]) or _WROTE.search(line[-40:]) for line in lines):
        return "\n".join(line.rstrip() for line in lines).strip()
    kept: list[str] = []
    answering = False
    for line in lines:
        bare = line[:1_000].strip()
        if _WROTE.search(bare[-40:]):
            answering = True  # what is quoted behind it is somebody else's
        elif _MAIL.search(bare) or (answering and (bare.startswith(">") or not bare)):
            continue
        else:
            answering = False
            kept.append(line.rstrip())
    return "\n".join(kept).strip()


def without_middle(text: str, most: int, last: int) -> str:
    """A text of at most `most` lines, of which the `last` are its end; a mark stands where lines are missing."""
    lines = text.split("\n")
    if len(lines) <= most:
        return text
    return "\n".join([*lines[: most - last], "[…]", *lines[len(lines) - last :]])


def _license(rows: list[dict[str, Any]]) -> licenses.License:
    for row in rows:
        if row["license"] and row["license"] != "NOASSERTION":
            kind = licenses.classify(row["license"])
            kind = kind if kind in ("permissive", "non_permissive") else "non_permissive"
            return licenses.License(
                (row["license"],), kind, "GitHub's licence of the repository, in an event"
            )
    return licenses.License((), "no_license", "no event names the licence of the repository")


def _seconds(time: str) -> int | None:
    try:
        return int(datetime.fromisoformat(time).timestamp()) if time.endswith("Z") or "+" in time else None
    except (ValueError, OverflowError, OSError):
        return None
