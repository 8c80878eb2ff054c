"""Reading a batch of candidates: each becomes a row of `files`, or a skipped path with its reason."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from codekiln.corpus import languages, licenses, secrets
from codekiln.corpus.sources import archives, decoding, git, kaggle, names, notebooks, walking
from codekiln.corpus.sources.limits import Values
from codekiln.corpus.sources.records import Candidate, Source
from codekiln.errors import one_line
from codekiln.shards import guard
from codekiln.shards.tables import FILES, SKIPPED

UNKNOWN_LANGUAGE = "unknown language"
KILLED = "a worker process died on it"
MISSING = "corrupt or missing object"
#: Before the rule's name in a counter of what was replaced.
REDACTED = "redacted "
#: What was read: rows of `files`, what they count, rows of `skipped`.
Read: TypeAlias = "tuple[pa.Table, dict[str, int], pa.Table]"
_Skipped: TypeAlias = "tuple[str, str, str, int]"
_KNOWN = frozenset(languages.LANGUAGES) - {languages.NOTEBOOK}
_T = TypeVar("_T")

#: Enough of a file without a known language to see a shebang line or a NUL byte.
HEAD_BYTES = 8192

_LFS = b"version https://git-lfs.github.com/spec/v1\n"


@dataclass(frozen=True)
class Part:
    """Candidates of one source, sorted by path, with the licence verdicts of its folders and, by folder, what is known of
    the data of Kaggle's notebooks."""

    source: Source
    candidates: tuple[Candidate, ...]
    folders: dict[str, licenses.License]
    about: dict[str, kaggle.About] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """The task of one shard: parts sorted by repository, and what limits reading.

    `languages` keeps only these when given; `notebooks` are the forms of a notebook, a row each; `redact` is what
    placeholders replace (`SourceConfig`).
    """

    parts: tuple[Part, ...]
    max_file_bytes: int
    languages: tuple[str, ...] | None = None
    notebooks: tuple[str, ...] = ("script",)
    redact: tuple[str, ...] = ()
    limits: tuple[tuple[str, float], ...] = ()


def wanted_bytes(path: str, max_file_bytes: int) -> int:
    """How many bytes of a path are read first: one above the limit, or only the head where the name says nothing."""
    return max_file_bytes + 1 if languages.may_be_code(path) else min(HEAD_BYTES, max_file_bytes + 1)


def read_on_disk(inside: walking.Inside, path: str, max_file_bytes: int) -> bytes | str:
    """At most `max_file_bytes` + 1 bytes of a file below a root, less where nothing speaks for code, or a reason."""
    wanted = wanted_bytes(path, max_file_bytes)
    data = inside.read(path, wanted)
    if isinstance(data, str) or wanted > max_file_bytes or not languages.looks_like_code(path, data):
        return data
    return inside.read(path, max_file_bytes + 1)


def contents(
    source: Source, candidates: Iterable[Candidate], max_file_bytes: int
) -> Iterator[tuple[Candidate, bytes | str]]:
    """Each candidate with its bytes (at most `max_file_bytes` + 1) or the reason why it cannot be read.

    The order is the source's own: archives are read front to back.
    """
    candidates = list(candidates)
    if source.kind == "folder":
        with walking.Inside(Path(source.root)) as inside:
            for candidate in candidates:
                yield candidate, read_on_disk(inside, candidate.path, max_file_bytes)
    elif source.kind == "blobs":
        blobs = git.blobs(source.repository, [c.where for c in candidates], max_file_bytes)
        for candidate, data in zip(candidates, blobs):
            if not names.is_inside(candidate.path):
                yield candidate, names.UNSAFE
            else:
                yield candidate, data if data is not None else MISSING
    else:
        limits = {int(c.where): max_file_bytes + 1 for c in candidates}
        by_number = {int(c.where): c for c in candidates}
        for number, found in archives.contents(source.root, limits):
            yield by_number[number], found


def judge(path: str, data: bytes | str, max_file_bytes: int) -> tuple[str, str]:
    """(language, text) of a file's bytes, or ("", reason) when it is skipped."""
    if isinstance(data, str):
        return "", data
    if not data:
        return "", "empty"
    if data.startswith(_LFS):
        return "", "Git LFS pointer"
    if not languages.may_be_code(path) and not languages.looks_like_code(path, data):
        return "", decoding.BINARY if b"\0" in data else UNKNOWN_LANGUAGE
    if len(data) > max_file_bytes:
        return "", "too large"
    text, encoding = decoding.decode(data)
    if text is None:
        return "", encoding  # the reason
    if not text:
        return "", "empty"
    language = languages.detect(path, text)
    return (language, text) if language else ("", UNKNOWN_LANGUAGE)


def forms(
    language: str,
    text: str,
    wanted: tuple[str, ...],
    about: kaggle.About | None = None,
    limits: Values | None = None,
) -> list[tuple[str, str, str]] | str:
    """(kind, language, text) of each row that a file becomes, or the reason why it becomes none.

    An ordinary file is one row of kind `file`; a notebook has the forms of `wanted`: `script` in the language of its
    kernel, `structured` and `raw` (the JSON as it stands) as a notebook. `about` and `limits` are for notebooks of
    Kaggle's, which have rules of their own.
    """
    if language != languages.NOTEBOOK:
        return [("file", language, text)]
    notebook = notebooks.parse(text, _KNOWN) if {"script", "structured"} & {*wanted} else None
    if isinstance(notebook, notebooks.Notebook) and limits and (notebook.kaggle or about is not None):
        notebook = kaggle.clean(notebook, about or kaggle.About(), limits)
    if isinstance(notebook, str):
        return notebook
    rows = []
    for form in wanted:
        if form == "raw" or notebook is None:
            rows.append(("file", language, text))
        elif form == "script":
            rows.append(("notebook script", notebook.language, notebooks.as_script(notebook)))
        else:
            rows.append(("structured notebook", language, notebooks.as_structured(notebook)))
    return rows


def file_id(repo: str, path: str, data: bytes, kind: str = "file") -> str:
    """32 hex digits of a BLAKE2b over (repo, path, content), and the kind of another one than `file`.

    Each part is preceded by its length.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in (repo.encode(), path.encode(), data, *([] if kind == "file" else [kind.encode()])):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def read(batch: Batch) -> Read:
    """What a batch holds: rows, what they count (rows, bytes, findings of each rule), and the reason of every other file."""
    rows: list[tuple[object, ...]] = []
    skipped: list[_Skipped] = []
    counts = Counter[str]()
    for part in batch.parts:
        for candidate, data in contents(part.source, part.candidates, batch.max_file_bytes):
            made = _guarded(batch, part, candidate, data) if isinstance(data, bytes) else data
            if isinstance(made, str):
                skipped.append((part.source.repo, candidate.path, made, candidate.size))
            else:
                rows += made[0]
                counts.update(made[1])
    return tables(rows, counts, skipped)


def _guarded(
    batch: Batch, part: Part, candidate: Candidate, data: bytes
) -> tuple[list[tuple[object, ...]], Counter[str]] | str:
    """The rows of one file with what they count, or why it becomes none: whatever it does, the next one is read."""
    counts = Counter[str]()
    name = f"{part.source.repo}:{candidate.path}"
    made = guarded(name, lambda: _rows(batch, part, candidate, data, counts))
    return made if isinstance(made, str) else (made, counts)


def guarded(name: str, read: Callable[[], _T]) -> _T | str:
    """What `read` gives for the file of a name, or why it cannot be read: hostile text meets a dozen parsers."""
    if not guard.enter(name):
        return KILLED
    try:
        return read()
    except Exception as error:
        return f"cannot be read ({one_line(error)[:160] or type(error).__name__})"
    finally:
        guard.leave()


def redacted(path: str, language: str, text: str, wanted: tuple[str, ...], counts: Counter[str]) -> str:
    """The text with placeholders for what must not be learned; adds the findings of each rule to `counts`."""
    if not wanted:
        return text
    text, found = secrets.clean(
        text, path, language, personal_data="personal" in wanted, secrets="secrets" in wanted
    )
    counts.update(f"{REDACTED}{one.rule}" for one in found)
    return text


def tables(rows: list[tuple[object, ...]], counts: Counter[str], skipped: list[_Skipped]) -> Read:
    """Rows in the order of the schema as a table of `files`, sorted by (repo, path, kind), and the rest as `skipped`."""
    rows = sorted(rows, key=lambda row: row[1:4])
    columns = list(zip(*rows)) if rows else [()] * len(FILES)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, FILES)]
    table = pa.Table.from_arrays(arrays, schema=FILES)
    counted = {"files": len(rows), "bytes": int(pc.sum(table["size"]).as_py() or 0), **counts}
    return table, counted, skipped_table(skipped)


def _rows(
    batch: Batch, part: Part, candidate: Candidate, data: bytes, counts: Counter[str]
) -> list[tuple[object, ...]] | str:
    """The rows of a file, or the reason why it becomes none."""
    source, path = part.source, candidate.path
    language, text = judge(path, data, batch.max_file_bytes)
    if not language:
        return text
    about = part.about.get(path.rpartition("/")[0]) if part.about else None
    found = forms(language, text, batch.notebooks, about, dict(batch.limits))
    if isinstance(found, str):
        return found
    chosen = [row for row in found if batch.languages is None or row[1] in batch.languages]
    if not chosen:
        return "language not selected"
    verdict = source.license or licenses.of_file(path, data, part.folders, candidate.owners)
    revision = source.revision
    if candidate.committed and (
        source.kind == "blobs" or git.blob_id(data, candidate.committed) == candidate.committed
    ):
        revision = source.commit
    rows: list[tuple[object, ...]] = []
    for kind, language, text in chosen:
        text = redacted(path, language, text, batch.redact, counts)
        size = len(text) if text.isascii() else len(text.encode())
        identity = file_id(source.repo, path, data, kind)
        place = (identity, source.repo, path, kind, revision, candidate.added_at)
        judged = (list(verdict.licenses), verdict.license_type, verdict.evidence)
        rows.append((*place, language, *judged, size, text))
    return rows


def skipped_table(rows: list[_Skipped]) -> pa.Table:
    """Rows (repo, path, reason, size) as a table of `skipped`, sorted by (repo, path); an unknown size is 0."""
    known = sorted((repo, path, reason, max(size, 0)) for repo, path, reason, size in rows)
    columns = list(zip(*known)) if known else [()] * len(SKIPPED)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, SKIPPED)]
    return pa.Table.from_arrays(arrays, schema=SKIPPED)
