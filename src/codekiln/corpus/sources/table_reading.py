"""Reading a slice of a table of files: each record becomes rows of `files`, or a skipped path with its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from codekiln.corpus import languages, licenses
from codekiln.corpus.sources import decoding, kaggle, names, reading
from codekiln.corpus.sources.tabular import Record, Slice, records

#: What tables call a language that has another name among the 92.
_OTHER_NAMES = {
    "bash": "shell", "sh": "shell", "zsh": "shell", "javascript (node)": "javascript", "cpp": "c++", "csharp": "c#",
    "fsharp": "f#", "golang": "go", "objective-c++": "objectc++", "visual-basic-.net": "visual-basic", "vba": "visual-basic",
    "wolfram-language": "mathematica", "protocol-buffers": "protocol-buffer", "batch": "batchfile", "docker": "dockerfile",
    "jsx": "javascript", "tsx": "typescript", "lean-4": "lean", "cython": "python", "latex": "tex", "py": "python",
    "js": "javascript", "ts": "typescript", "rb": "ruby", "rs": "rust", "md": "markdown", "yml": "yaml",
}  # fmt: skip


#: A table has few licences in many rows.
_normalised = lru_cache(maxsize=4096)(licenses.normalised)


@dataclass(frozen=True)
class TableBatch:
    """The task of one shard; the limits are those of `reading.Batch`."""

    part: Slice
    max_file_bytes: int
    languages: tuple[str, ...] | None
    notebooks: tuple[str, ...]
    redact: tuple[str, ...] = ()
    refused: tuple[licenses.OptOut, ...] = ()
    limits: tuple[tuple[str, float], ...] = ()


def read(batch: TableBatch) -> reading.Read:
    """What a slice holds: rows, what they count, and the reason of every other record."""
    counts = Counter[str]()
    rows: list[tuple[object, ...]] = []
    skipped = []
    for record in records(batch.part):
        made, found, reason = _guarded(batch, record)
        rows += made
        counts.update(found)
        if reason:
            size = len((record.content or "").encode("utf-8", "replace"))
            skipped.append((record.repo, names.printable(record.path), reason, size))
    return reading.tables(rows, counts, skipped)


def _guarded(batch: TableBatch, record: Record) -> tuple[list[tuple[object, ...]], Counter[str], str]:
    """The rows of a record with what they count, or none and the reason, whatever the record does."""
    counts = Counter[str]()
    name = f"{batch.part.name} row {record.row}"
    made = reading.guarded(name, lambda: _rows(batch, record, counts))
    return ([], Counter(), made) if isinstance(made, str) else (made[0], counts, made[1])


def _rows(batch: TableBatch, record: Record, counts: Counter[str]) -> tuple[list[tuple[object, ...]], str]:
    """The rows of a record, or none and the reason."""
    line = licenses.opted_out(record.repo, record.path, list(batch.refused)) if batch.refused else None
    if line is not None:
        return [], f"opted out ({line})"
    language, text = _judge(record, batch.max_file_bytes)
    if not language:
        return [], text
    about = kaggle.About(*record.about) if record.about is not None else None
    forms = reading.forms(language, text, batch.notebooks, about, dict(batch.limits))
    if isinstance(forms, str):
        return [], forms
    chosen = [row for row in forms if batch.languages is None or row[1] in batch.languages]
    if not chosen:
        return [], "language not selected"
    data = text.encode()
    verdict = licenses.from_header(data) or _declared(record.licenses)
    judged = (list(verdict.licenses), verdict.license_type, verdict.evidence)
    rows: list[tuple[object, ...]] = []
    for kind, own, content in chosen:
        content = reading.redacted(record.path, own, content, batch.redact, counts)
        # The same file may stand in a table twice: its place is part of what it is.
        identity = reading.file_id(record.repo, record.path, data, f"{kind} {batch.part.name} {record.row}")
        place = (identity, record.repo, record.path, kind, record.revision, None, own)
        rows.append((*place, *judged, len(content.encode()), content))
    return rows, ""


def _judge(record: Record, max_file_bytes: int) -> tuple[str, str]:
    """(language, text), or ("", reason). What the table calls the language counts where nothing else tells."""
    if record.content is None:
        return "", record.fault or "no content"
    if not names.is_storable(record.path) or not names.is_storable(record.repo):
        return "", "path is not printable UTF-8"
    if not names.is_inside(record.path):
        return "", names.UNSAFE
    if names.is_generated_name(record.path):
        return "", "generated or minified by its name"
    data = record.content.encode("utf-8", "replace")
    language, text = reading.judge(record.path, data, max_file_bytes)
    if language or text != reading.UNKNOWN_LANGUAGE or len(data) > max_file_bytes:
        return language, text
    called = record.language.strip().lower().replace(" ", "-")
    called = _OTHER_NAMES.get(called, called)
    if called not in languages.LANGUAGES:
        return "", reading.UNKNOWN_LANGUAGE
    decoded, reason = decoding.decode(data)
    return (called, decoded) if decoded is not None else ("", reason)


def _declared(given: tuple[str, ...]) -> licenses.License:
    """The verdict of the licences that a table gives, as ids or as people write them: all of them hold."""
    wanted = [
        one for one in given if one and one.lower() not in ("no_license", "none", "unknown", "noassertion")
    ]
    if not wanted:
        return licenses.NO_LICENSE
    ids: set[str] = set()
    kinds: set[str] = set()
    for one in wanted:
        meant = _normalised(one) or one
        parsed = licenses.parse_expression(meant)
        ids.update(parsed[0] if parsed else (one,))
        kinds.add(licenses.classify(meant))
    kind = "permissive" if kinds == {"permissive"} else "non_permissive"
    return licenses.License(tuple(sorted(ids)), kind, "the table's licence column")
