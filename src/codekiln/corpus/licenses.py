"""The licence of a file: its SPDX header, else the nearest licence file up the folders, else package metadata.

Texts are recognised by phrases that every copy of the licence carries. The permissive set follows the Blue Oak
Council's idea of it, as The Stack v2 did: weak copyleft (MPL, LGPL) is not permissive.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_PERMISSIVE_IDS = """
    0BSD AFL-3.0 Apache-1.1 Apache-2.0 Artistic-2.0 BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause
    BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSD-4-Clause BSL-1.0 CC0-1.0 CC-BY-4.0 CNRI-Python
    ECL-2.0 HPND ISC MIT MIT-0 MIT-CMU MulanPSL-2.0 NCSA PostgreSQL PSF-2.0 Python-2.0 Python-2.0.1 Ruby
    TCL Unicode-3.0 Unicode-DFS-2016 Unlicense UPL-1.0 W3C WTFPL X11 Zlib ZPL-2.1
"""
PERMISSIVE = frozenset(_PERMISSIVE_IDS.split())

#: Bytes in which a file header is looked for; bytes of different licence texts of one source that are judged.
HEADER_BYTES = 5 * 1024
MAX_JUDGED_BYTES = 32 * 1024**2

_LICENSE_NAME = re.compile(
    r"^(?:un)?(?:licen[cs]e|copying|copyright|mit-license)s?(?:[._-][\w.+-]*)?$", re.IGNORECASE
)
_TEXT_SUFFIX = re.compile(
    r"\.(?:txt|md|rst|text|markdown|adoc|html|lesser|mit|apache2?|bsd|gpl[23]?|lgpl[23]?)$", re.I
)
_METADATA = frozenset(["pyproject.toml", "package.json", "Cargo.toml", "PKG-INFO", "METADATA"])

_SPDX_HEADER = re.compile(
    rb"^[^\w\r\n]{0,16}SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+() \t-]{1,200})", re.MULTILINE
)

# A licence and the phrases that all occur in its text (lower case, white space collapsed, quotes removed).
_PHRASES: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        "MIT",
        (
            "permission is hereby granted, free of charge, to any person obtaining a copy",
            "without restriction",
        ),
        (),
    ),
    ("Apache-2.0", ("apache license, version 2.0",), ()),
    ("Apache-2.0", ("apache license version 2.0, january 2004",), ()),
    (
        "BSD-4-Clause",
        ("redistribution and use in source and binary forms", "all advertising materials mentioning"),
        (),
    ),
    (
        "BSD-3-Clause",
        ("redistribution and use in source and binary forms", "to endorse or promote products derived"),
        ("all advertising materials mentioning",),
    ),
    (
        "BSD-2-Clause",
        (
            "redistribution and use in source and binary forms",
            "redistributions in binary form must reproduce the above copyright",
        ),
        ("to endorse or promote products derived", "all advertising materials mentioning"),
    ),
    ("MPL-2.0", ("mozilla public license", "2.0"), ("eclipse public license",)),
    (
        "ISC",
        ("distribute this software for any purpose with or without fee is hereby granted, provided that",),
        (),
    ),
    (
        "0BSD",
        ("distribute this software for any purpose with or without fee is hereby granted",),
        ("is hereby granted, provided that",),
    ),
    ("Unlicense", ("this is free and unencumbered software released into the public domain",), ()),
    ("PSF-2.0", ("python software foundation license version 2",), ()),
    ("CC0-1.0", ("cc0 1.0 universal",), ()),
    ("BSL-1.0", ("boost software license - version 1.0",), ()),
    (
        "Zlib",
        ("the origin of this software must not be misrepresented", "altered source versions must be plainly"),
        (),
    ),
    ("EPL-2.0", ("eclipse public license - v 2.0",), ()),
]

_GNU = re.compile(
    r"gnu (affero |lesser |library )?general public license"
    r"(?: as published by the free software foundation)?[,;]? ?(?:either )?(?:\(?a?l?gpl\)? ?)?v(?:ersion )?(\d(?:\.\d)?)"
)
_GNU_NAMES = {"affero ": "AGPL", "lesser ": "LGPL", "library ": "LGPL", "": "GPL"}


@dataclass(frozen=True)
class License:
    """Verdict on one file: SPDX ids, `permissive`, `non_permissive` or `no_license`, and where it says so."""

    licenses: tuple[str, ...]
    license_type: str
    evidence: str


NO_LICENSE = License((), "no_license", "no licence found")


def is_license_file(path: str) -> bool:
    """Whether a name looks like that of a licence text (`LICENSE`, `COPYING.txt`, `LICENSES/MIT.txt`)."""
    folder, _, name = path.rpartition("/")
    if folder.rsplit("/", 1)[-1] in ("LICENSES", "licenses") and name.endswith(".txt"):
        return True
    if not _LICENSE_NAME.match(name):
        return False
    return "." not in name or bool(_TEXT_SUFFIX.search(name)) or bool(re.search(r"[.-][\d.]+$", name))


def is_metadata_file(path: str) -> bool:
    """Whether a file is package metadata that may declare a licence."""
    return path.rsplit("/", 1)[-1] in _METADATA


def recognise(text: str) -> tuple[str, ...]:
    """SPDX ids of the licences whose text this is, sorted; empty when none is recognised."""
    flat = re.sub(r"[\"'`“”‘’*]|//|#", "", text[:200_000].lower())
    flat = re.sub(r"\s+", " ", flat)
    found = {
        name
        for name, needed, excluded in _PHRASES
        if all(phrase in flat for phrase in needed) and not any(phrase in flat for phrase in excluded)
    }
    gnu = _GNU.search(flat)  # the first mention is the title; later ones compare with relatives
    if gnu and "mozilla public license" not in flat[: gnu.start()]:
        version = gnu[2] if "." in gnu[2] else f"{gnu[2]}.0"
        found.add(f"{_GNU_NAMES[gnu[1] or '']}-{version}")
        found -= {"MPL-2.0"}
    return tuple(sorted(found))


def parse_expression(expression: str) -> tuple[tuple[str, ...], bool] | None:
    """Ids of an SPDX expression and whether it is permissive (OR: any side, AND: both); None when malformed."""
    tokens = re.findall(r"[()]|[A-Za-z0-9.+:-]+", expression)
    ids: list[str] = []
    position = 0

    def peek() -> str:
        return tokens[position].upper() if position < len(tokens) else ""

    def atom(depth: int) -> bool:
        nonlocal position
        if depth > 20 or not peek() or peek() in (")", "AND", "OR", "WITH"):
            raise ValueError
        token = tokens[position]
        position += 1
        if token == "(":
            value = either(depth + 1)
            if peek() != ")":
                raise ValueError
            position += 1
            return value
        ids.append(token)
        if peek() == "WITH":
            position += 2
        return token in PERMISSIVE

    def both(depth: int) -> bool:
        nonlocal position
        value = atom(depth)
        while peek() == "AND":
            position += 1
            value = atom(depth) and value
        return value

    def either(depth: int) -> bool:
        nonlocal position
        value = both(depth)
        while peek() == "OR":
            position += 1
            value = both(depth) or value
        return value

    try:
        permissive = either(0)
    except ValueError:
        return None
    return (tuple(dict.fromkeys(ids)), permissive) if position == len(tokens) else None


def _verdict(expression: str, evidence: str) -> License | None:
    parsed = parse_expression(expression)
    if parsed is None:
        return None
    return License(parsed[0], "permissive" if parsed[1] else "non_permissive", evidence)


def from_header(data: bytes) -> License | None:
    """The licence that a file's own `SPDX-License-Identifier` line declares, if there is one."""
    head = data[:HEADER_BYTES]
    if b"SPDX-License-Identifier" not in head:
        return None
    expressions = [match.decode().strip(" \t-") for match in _SPDX_HEADER.findall(head)]
    if not expressions:
        return None
    joined = expressions[0] if len(expressions) == 1 else " AND ".join(f"({e})" for e in expressions)
    return _verdict(joined, "SPDX header of the file")


def from_metadata(path: str, text: str) -> License | None:
    """The licence that a `pyproject.toml`, `package.json`, `Cargo.toml` or wheel metadata file declares."""
    name = path.rsplit("/", 1)[-1]
    expression: object = None
    try:
        if name == "package.json":
            value = json.loads(text)
            expression = value.get("license") if isinstance(value, dict) else None
            expression = expression.get("type") if isinstance(expression, dict) else expression
        elif name in ("PKG-INFO", "METADATA"):
            header = text.split("\n\n", 1)[0]
            match = re.search(r"^License-Expression:(.*)$", header, re.M) or re.search(
                r"^License:(.*)$", header, re.M
            )
            expression = match[1].strip() if match else None
        else:
            document = tomllib.loads(text)
            table = document.get("package" if name == "Cargo.toml" else "project", {})
            expression = table.get("license") if isinstance(table, dict) else None
            expression = expression.get("text") if isinstance(expression, dict) else expression
    except (ValueError, RecursionError):
        return None
    if not isinstance(expression, str) or not expression.strip() or len(expression) > 200:
        return None
    expression = {"MIT License": "MIT", "Apache License 2.0": "Apache-2.0", "BSD": "BSD-3-Clause"}.get(
        expression, expression
    )
    return _verdict(expression.replace("/", " OR "), path)


def resolve_folders(texts: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> dict[str, License]:
    """Verdicts by folder ("" is the root) from licence-like and metadata files (path -> content).

    In one folder recognised licence texts come first, then metadata, then unrecognised texts. Pairs are judged as
    they come; equal texts once; those beyond `MAX_JUDGED_BYTES` of different ones count as unrecognised.
    """
    folders: dict[str, list[tuple[int, str, License]]] = {}
    known: dict[bytes, tuple[str, ...]] = {}
    judged = 0
    for path, data in texts.items() if isinstance(texts, Mapping) else texts:
        folder = _home(path)
        if is_metadata_file(path):
            declared = from_metadata(path, data.decode("utf-8", "replace"))
            if declared:
                folders.setdefault(folder, []).append((1, path, declared))
            continue
        mark = hashlib.blake2b(data, digest_size=16).digest()
        if mark not in known:
            judged += len(data)
            known[mark] = recognise(data.decode("utf-8", "replace")) if judged <= MAX_JUDGED_BYTES else ()
        ids = known[mark]
        if ids:
            kind = "permissive" if set(ids) <= PERMISSIVE else "non_permissive"
            folders.setdefault(folder, []).append((0, path, License(ids, kind, path)))
        else:
            unknown = f"{path} (text not recognised)"
            folders.setdefault(folder, []).append((2, path, License((), "non_permissive", unknown)))
    return {folder: _merge(sorted(found, key=lambda entry: entry[1])) for folder, found in folders.items()}


def _home(path: str) -> str:
    """The folder whose files a licence-like file speaks for."""
    parts = path.split("/")[:-1]
    for depth, part in enumerate(parts):
        if part.endswith((".dist-info", ".egg-info")):
            return "/".join(parts[:depth])
    if parts and parts[-1] in ("LICENSES", "licenses"):
        parts.pop()
    return "/".join(parts)


def _merge(found: list[tuple[int, str, License]]) -> License:
    best = min(rank for rank, _, _ in found)
    chosen = [verdict for rank, _, verdict in found if rank == best]
    ids = tuple(sorted({name for verdict in chosen for name in verdict.licenses}))
    permissive = all(verdict.license_type == "permissive" for verdict in chosen)
    evidence = ", ".join(dict.fromkeys(verdict.evidence for verdict in chosen))
    return License(ids, "permissive" if permissive else "non_permissive", evidence)


def of_path(path: str, folders: dict[str, License]) -> License:
    """The nearest folder's verdict, from the file's folder up to the root."""
    folder = path.rpartition("/")[0]
    while True:
        if folder in folders:
            return folders[folder]
        if not folder:
            return NO_LICENSE
        folder = folder.rpartition("/")[0]
