"""Commits as rows of `files`: a message with the code before and after it, or the reason why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from codekiln.corpus import languages, licenses
from codekiln.corpus.generated import is_generated
from codekiln.corpus.sources import git, history, names, outputs, reading
from codekiln.corpus.sources.limits import Values
from codekiln.corpus.sources.linediff import changes, windows
from codekiln.corpus.sources.messages import message_of
from codekiln.corpus.sources.records import Source
from codekiln.corpus.sources.texts import Piece, commit_text

KIND = "commit"
#: A row of text in Markdown, whatever the languages of its code are.
LANGUAGE = "markdown"

UNREADABLE, MISSING = "commit: cannot be read", f"commit: {reading.MISSING}"
#: What counts the files that commits show less, as an object of them is missing.
LESS = "files of commits without their object"


@dataclass(frozen=True)
class CommitBatch:
    """The task of one shard: ids of commits of one repository, newest first, and what limits reading.

    `prefixes` are the folders of the repository that were asked for.
    """

    source: Source
    ids: tuple[str, ...]
    prefixes: tuple[str, ...]
    folders: dict[str, licenses.License]
    max_file_bytes: int
    limits: tuple[tuple[str, float], ...]
    languages: tuple[str, ...] | None = None
    redact: tuple[str, ...] = ()
    refused: tuple[licenses.OptOut, ...] = ()


def path_of(commit: str) -> str:
    """What a commit is called in the column `path`: the end of its address on GitHub."""
    return f"commit/{commit}"


def read(batch: CommitBatch) -> reading.Read:
    """What a batch holds: rows, what they count, and the reason of every other commit."""
    counts = Counter[str]()
    rows, skipped = [], []
    for one, row in _results(batch, counts):
        if isinstance(row, str):
            skipped.append((batch.source.repo, path_of(one), row, 0))
        else:
            rows.append(row)
    return reading.tables(rows, counts, skipped)


def _results(batch: CommitBatch, counts: Counter[str]) -> Iterator[tuple[str, Any]]:
    """Each commit's id with its row or the reason why it has none."""
    limits = dict(batch.limits)
    most = int(min(limits["commit_files_most"], 1_000))
    repository = batch.source.repository
    pending: list[tuple[history.Commit, str, list[_Pair]]] = []
    for commit in history.read_commits(repository, batch.ids, 2 * most):
        if isinstance(commit, str):
            yield commit, UNREADABLE
            continue
        message, reason = message_of(commit, limits)
        pairs = [] if reason else _pairs(commit, batch, limits)
        if isinstance(pairs, str):
            reason = pairs
        if reason or isinstance(pairs, str):
            yield commit.id, reason
        else:
            pending.append((commit, message, pairs))
    blobs = git.blobs(
        repository,
        (blob for _, _, pairs in pending for pair in pairs for blob in (pair.old, pair.new) if blob),
        batch.max_file_bytes,
    )
    for commit, message, pairs in pending:
        data = [
            (pair, next(blobs) if pair.old else b"", next(blobs)) for pair in pairs
        ]  # all of a commit's, in order, whatever becomes of it
        name = f"{batch.source.repo}:{path_of(commit.id)}"
        make = partial(_row, batch, commit, message, data, limits, counts)
        yield commit.id, reading.guarded(name, make)


@dataclass(frozen=True)
class _Pair:
    """A file of a commit by its blobs; `old` is "" for a new file; `moved`: it may be the old file at a new place."""

    path: str
    old_path: str
    old: str
    new: str
    moved: bool = False


def _pairs(commit: history.Commit, batch: CommitBatch, limits: Values) -> list[_Pair] | str:
    """The files of a commit that can be shown, or the reason why none can."""
    changed = [one for one in commit.changes if one.status != "R"]  # git pairs files that moved as they are
    if commit.files == 0:
        return "commit: changes no file"
    if commit.files > limits["commit_files_most"] and commit.files > len(commit.changes):
        return "commit: changes too many files"
    changed, moved = _moved(changed)
    inside = outputs.below(batch.prefixes)
    pairs, why = [], ""
    for one in changed:
        line = (
            licenses.opted_out(batch.source.repo, one.after, list(batch.refused)) if batch.refused else None
        )
        if line is not None:
            return f"opted out ({line})"
        reason = "" if inside(one.after) else "outside the folders that were asked for"
        reason = reason or _unfit(one)
        why = why or reason
        if not reason:
            old = "" if one.status == "A" else one.blobs[0]
            pairs.append(_Pair(one.after, one.before, old, one.blobs[1], one.after in moved))
    if not any(pair.old for pair in pairs):
        return f"commit: {why or 'only adds, deletes or moves files'}"
    return pairs if len(pairs) <= limits["commit_files_most"] else "commit: changes too many files"


def _moved(changed: list[history.Change]) -> tuple[list[history.Change], set[str]]:
    """A deleted and a new file of one name, or the only two of their kind, as one change of a path."""
    gone = [one for one in changed if one.status == "D"]
    left = [one for one in changed if one.status != "D"]
    new = [one for one in left if one.status == "A"]
    moved: set[str] = set()
    for one in new:
        same = [other for other in gone if _name(other.before) == _name(one.after)]
        same = same or (gone if len(gone) == len(new) == 1 else [])
        if len(same) == 1:
            old = same[0]
            gone.remove(old)
            moved.add(one.after)
            modes, blobs = (old.modes[0], one.modes[1]), (old.blobs[0], one.blobs[1])
            left[left.index(one)] = history.Change("M", old.before, one.after, modes, blobs)
    return left, moved


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _unfit(change: history.Change) -> str:
    """Why a path is not shown, as far as its name and modes tell; "" when it is."""
    path = change.after
    for mode in change.modes if change.status == "M" else change.modes[1:]:
        if mode == git.SYMLINK:
            return "symlink"
        if mode == git.SUBMODULE:
            return "submodule"
    if change.status not in "MA":
        return "only adds, deletes or moves files"
    if change.blobs[0] == change.blobs[1]:
        return "changes modes alone"
    if not names.is_storable(path) or not names.is_storable(change.before) or not names.is_inside(path):
        return "path is not printable UTF-8"
    if names.is_generated_name(path):
        return "generated or minified by its name"
    if names.in_cache(path) or names.vendored_folder(path, lambda folder: True) is not None:
        return "vendored or built folder"
    return "" if languages.may_be_code(path) else reading.UNKNOWN_LANGUAGE


def _row(
    batch: CommitBatch,
    commit: history.Commit,
    message: str,
    data: list[tuple[_Pair, bytes | None, bytes | None]],
    limits: Values,
    counts: Counter[str],
) -> tuple[object, ...] | str:
    pieces: list[Piece] = []
    shown: list[tuple[str, bytes]] = []
    found = Counter[str]()
    lines, why = 0, ""
    for pair, old, new in data:
        made = _piece(batch, pair, old, new, limits, found)
        if made == reading.MISSING:
            counts[LESS] += 1
        if isinstance(made, str):
            why = why or made
            continue
        pieces += made[0]
        lines += made[1]
        shown.append((pair.path, new or b""))
    if not any(piece.before is not None for piece in pieces):
        return f"commit: {why or 'only adds, deletes or moves files'}"
    if lines > limits["commit_changed_lines"]:
        return "commit: too many changed lines"
    most = limits["commit_line_characters"]
    if any(_longest(text) > most for piece in pieces for text in (piece.before or "", piece.after)):
        return "commit: a line too long"
    message = reading.redacted("", LANGUAGE, message, batch.redact, found)
    text = commit_text(message, pieces)
    counts.update(found)
    verdict = batch.source.license or _verdict(shown, batch.folders)
    path = path_of(commit.id)
    identity = reading.file_id(batch.source.repo, path, text.encode(), KIND)
    place = (identity, batch.source.repo, path, KIND, commit.id, commit.when or None, LANGUAGE)
    judged = (list(verdict.licenses), verdict.license_type, verdict.evidence)
    return (*place, *judged, len(text.encode()), text)


def _piece(
    batch: CommitBatch, pair: _Pair, old: bytes | None, new: bytes | None, limits: Values, found: Counter[str]
) -> tuple[list[Piece], int] | str:
    """What is shown of a file and how many of its lines changed, or the reason why it is left out."""
    if old is None or new is None:
        return reading.MISSING
    texts, language = [] if pair.old else [""], ""
    for path, data in [(pair.old_path, old), (pair.path, new)] if pair.old else [(pair.path, new)]:
        language, text = reading.judge(path, data, batch.max_file_bytes)
        if not language:
            return text
        if len(text) > limits["commit_file_characters"]:
            return "too large"
        texts.append(text.replace("\r\n", "\n"))
    if language == languages.NOTEBOOK:
        return "a notebook"
    if batch.languages is not None and language not in batch.languages:
        return "language not selected"
    if is_generated(texts[1]):
        return "says that it is generated"
    if "".join(texts[0].split()) == "".join(texts[1].split()):
        return "changes white space alone"
    # Before the texts are cut: half a key is no longer known for one.
    before, after = (
        reading.redacted(pair.path, language, text, batch.redact, found).removesuffix("\n").split("\n")
        for text in texts
    )
    if not pair.old:
        return [Piece(pair.path, language, None, "\n".join(after))], len(after)
    ranges = changes(before, after)
    lines = sum(a_end - a + b_end - b for a, a_end, b, b_end in ranges)
    if not ranges:
        return "changes only what is replaced"
    kept = len(after) - sum(b_end - b for _, _, b, b_end in ranges)
    if pair.moved and kept < limits["commit_renamed_share"] * max(len(before), len(after)):
        return "only adds, deletes or moves files"
    context = int(min(limits["commit_context"], 10**9))
    pieces = []
    for a, a_end, b, b_end in islice(windows(ranges, len(before), len(after), context), 1_000):
        whole = (a, b) == (0, 0) and (a_end, b_end) == (len(before), len(after))
        pieces.append(
            Piece(
                pair.path, language, "\n".join(before[a:a_end]), "\n".join(after[b:b_end]),
                pair.old_path if pair.old_path != pair.path else "",
                (0, 0) if whole else (a + 1, a_end), (0, 0) if whole else (b + 1, b_end),
            )
        )  # fmt: skip
    return pieces, lines


def _longest(text: str) -> int:
    return max(map(len, text.split("\n")))


def _verdict(shown: list[tuple[str, bytes]], folders: dict[str, licenses.License]) -> licenses.License:
    """The licence of all files of a commit: what is not permissive counts before what is."""
    verdicts = [licenses.of_file(path, data, folders) for path, data in shown]
    for verdict in verdicts:
        if verdict.license_type != "permissive":
            return verdict
    ids = sorted({one for verdict in verdicts for one in verdict.licenses})
    return licenses.License(tuple(ids), "permissive", verdicts[0].evidence)
