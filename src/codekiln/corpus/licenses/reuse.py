"""REUSE: licences that `REUSE.toml` or `.reuse/dep5` give to paths by pattern (reuse.software, version 3)."""

from __future__ import annotations

import tomllib

from codekiln.corpus.licenses.expressions import parse
from codekiln.corpus.licenses.globs import matches
from codekiln.corpus.licenses.verdict import License

#: Patterns beyond these are not looked at (each file is compared with each).
MAX_PATTERNS = 200
_MAX_BYTES = 256 * 1024
_FLAT = "dep5:"


def is_reuse_file(path: str) -> bool:
    return path.rsplit("/", 1)[-1] == "REUSE.toml" or path == ".reuse/dep5" or path.endswith("/.reuse/dep5")


def patterns(path: str, text: str) -> tuple[tuple[str, License], ...]:
    """(pattern, verdict) pairs of a REUSE file, in order; none when it is malformed."""
    if len(text) > _MAX_BYTES:
        return ()
    found: list[tuple[str, str]] = []
    if path.endswith("REUSE.toml"):
        if any(line.count(".") + line.count("[") >= 2_000 for line in text.split("\n")):
            return ()
        try:
            tables = tomllib.loads(text).get("annotations", [])
        except (ValueError, RecursionError):
            return ()
        for table in tables if isinstance(tables, list) else []:
            if not isinstance(table, dict):
                continue
            paths, declared = table.get("path"), table.get("SPDX-License-Identifier")
            joined = _joined(declared)
            if joined:
                found += [
                    (p, joined) for p in (paths if isinstance(paths, list) else [paths]) if isinstance(p, str)
                ]
    else:
        for paragraph in text.replace("\r\n", "\n").split("\n\n"):
            fields = _fields(paragraph)
            expression = fields.get("License", "").split("\n")[0].strip()
            if expression:
                found += [(_FLAT + pattern, expression) for pattern in fields.get("Files", "").split()]
    verdicts = []
    for pattern, expression in found[:MAX_PATTERNS]:
        parsed = parse(expression)
        if parsed:
            kind = "permissive" if parsed.permissive else "non_permissive"
            verdicts.append((pattern, License(parsed.ids, kind, f"{path}: {parsed.text} (REUSE)")))
    return tuple(verdicts)


def annotated(pairs: tuple[tuple[str, License], ...], path: str) -> License | None:
    """The verdict of the last pattern that fits a path below the REUSE file's folder."""
    for pattern, verdict in reversed(pairs):
        if matches(pattern.removeprefix(_FLAT), path, flat=pattern.startswith(_FLAT)):
            return verdict
    return None


def _joined(declared: object) -> str | None:
    if isinstance(declared, str):
        return declared
    if isinstance(declared, list) and declared and all(isinstance(one, str) for one in declared):
        return " AND ".join(f"({one})" for one in declared)
    return None


def _fields(paragraph: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    key = ""
    for line in paragraph.split("\n"):
        if line[:1] in (" ", "\t") and key:
            fields[key] += "\n" + line.strip()
        elif ":" in line and not line.startswith("#"):
            key, _, value = line.partition(":")
            fields[key] = value.strip()
    return fields
