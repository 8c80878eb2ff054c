"""One verdict a folder from its licence files, package metadata and REUSE file; a file takes the nearest one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from codekiln.corpus.licenses.expressions import base_id, canonical_id, is_permissive
from codekiln.corpus.licenses.headers import from_header
from codekiln.corpus.licenses.identify import Identified, identify
from codekiln.corpus.licenses.installed import Installed, info_of
from codekiln.corpus.licenses.metadata import from_metadata
from codekiln.corpus.licenses.metadata import is_metadata_file as is_package_file
from codekiln.corpus.licenses.reuse import annotated, is_reuse_file, patterns
from codekiln.corpus.licenses.verdict import NO_LICENSE, License

#: Bytes of different licence texts of one source that are judged.
MAX_JUDGED_BYTES = 32 * 1024**2

_LICENSE_NAME = re.compile(
    r"^(?:(?:un)?(?:licen[cs]e|copying|copyright|copyleft)s?\d?|(?:mit|bsd|apache|gpl|lgpl|agpl|mpl)-?licen[cs]e)"
    r"(?:[._-][\w.+-]*)?$",
    re.IGNORECASE,
)
_TEXT_SUFFIX = re.compile(
    r"\.(?:txt|md|rst|text|markdown|adoc|html?|lesser|lib|runtime|exception|mit|isc|apache2?|bsd|a?gpl[23]?|lgpl[23]?)$",
    re.IGNORECASE,
)
_PARTS_NAME = re.compile(
    r"3rd|third|bundle|vendor|dependenc|notices?\b|(?<![a-z])deps(?![a-z])", re.IGNORECASE
)
_LICENSES = ("LICENSES", "licenses")


@dataclass
class _Folder:
    """What one folder has: texts of its own, texts in its `LICENSES`, metadata, unknown texts, REUSE patterns."""

    texts: list[tuple[str, Identified]] = field(default_factory=list)
    stored: list[tuple[str, Identified]] = field(default_factory=list)
    declared: list[License] = field(default_factory=list)
    unknown: list[tuple[str, Identified]] = field(default_factory=list)
    annotated: list[tuple[str, License]] = field(default_factory=list)


def is_license_file(path: str) -> bool:
    """Whether a name looks like that of a licence text (`LICENSE`, `COPYING.txt`, `LICENSES/MIT.txt`)."""
    folder, _, name = path.rpartition("/")
    if folder.rsplit("/", 1)[-1] in _LICENSES and name.endswith(".txt"):
        return True
    if not _LICENSE_NAME.match(name) or _PARTS_NAME.search(name):
        return False
    return "." not in name or bool(_TEXT_SUFFIX.search(name)) or bool(re.search(r"[.-][\d.]+$", name))


def is_metadata_file(path: str) -> bool:
    """Whether a file is package metadata, or a REUSE file, that may declare a licence."""
    return is_package_file(path) or is_reuse_file(path)


def resolve_folders(
    texts: Mapping[str, bytes] | Iterable[tuple[str, bytes]], installed: Installed | None = None
) -> dict[str, License]:
    """Verdicts by folder ("" is the root) from licence-like and metadata files (path -> content).

    In one folder the texts that lie in it come first, then metadata, then texts in its `LICENSES`, then texts that
    nobody knows. Metadata that agrees with the texts may say more (`MIT OR …`, `-or-later`); where it contradicts
    them the evidence says so, and the folder is permissive only if both are. Pairs are judged as they come; equal
    texts once; those beyond `MAX_JUDGED_BYTES` of different ones count as unknown.

    What lies in one of the `installed` infos speaks for that package alone: its verdict has the info as its folder, and
    names the package's metadata as evidence.
    """
    installed = installed or Installed()
    folders: dict[str, _Folder] = {}
    packages: dict[str, str] = {}
    known: dict[bytes, Identified] = {}
    judged = 0
    for path, data in texts.items() if isinstance(texts, Mapping) else texts:
        home = _home(path, installed)
        if is_metadata_file(path):
            if home in installed.infos:
                packages[home] = path
            text = data.decode("utf-8", "replace")
            if is_reuse_file(path):
                prefix = f"{home}/" if home else ""
                pairs = patterns(path, text)
                folders.setdefault(home, _Folder()).annotated += [(p, _placed(v, prefix)) for p, v in pairs]
            elif declared := from_metadata(path, text):
                folders.setdefault(home, _Folder()).declared.append(declared)
            continue
        if data.startswith(b"#!"):  # a script about licences (`script/license-path`) is none
            continue
        mark = hashlib.blake2b(data, digest_size=16).digest()
        if mark not in known:
            judged += len(data)
            known[mark] = identify(data) if judged <= MAX_JUDGED_BYTES else Identified()
        found = known[mark]
        folder = folders.setdefault(home, _Folder())
        stored = _in_store(path)
        named = canonical_id(path.rsplit("/", 1)[-1].removesuffix(".txt")) if stored else None
        if found.ids and named and named.startswith("LicenseRef-"):
            named = None
        if stored and (named or found.ids):
            folder.stored.append((path, replace(found, ids=(named,), how="file name") if named else found))
        else:
            (folder.texts if found.ids else folder.unknown).append((path, found))
    merged = {path: _merged(folder) for path, folder in folders.items()}
    verdicts = {path: verdict for path, verdict in merged.items() if verdict}
    for path, verdict in verdicts.items():
        package = packages.get(info_of(path) if installed.infos else "", "")
        if package and package not in verdict.evidence:
            said = [one.evidence for one in folders[info_of(path)].declared] or [f"{package}: no licence"]
            verdicts[path] = replace(verdict, evidence="; ".join([verdict.evidence, *sorted(said)]))
    return verdicts


def of_path(path: str, folders: Mapping[str, License], owners: Sequence[str] = ()) -> License:
    """The nearest folder's verdict, from the file's folder up to the root.

    `owners` are the installed packages that claim the file: in their folder they speak for it, and nothing else.
    """
    folder = path.rpartition("/")[0]
    while True:
        found = _owned(folder, folders, owners) if owners else folders.get(folder)
        if found:
            inside = path[len(folder) + 1 :] if folder else path
            special = annotated(found.annotated, inside) if found.annotated else None
            if special:
                return special
            if found.license_type != "no_license":
                return replace(found, annotated=()) if found.annotated else found
        if not folder:
            return NO_LICENSE
        folder = folder.rpartition("/")[0]


def looked_at(
    files: Iterable[tuple[str, Sequence[str]]], folders: Mapping[str, License]
) -> dict[str, License]:
    """Of the verdicts on folders those that `of_path` looks at for some files, each with its owners."""
    above: set[str] = set()
    owned: set[str] = set()
    for path, owners in files:
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            if not owners and folder in above:
                break
            above.add(folder)
            for owner in owners:
                inside = folder[len(owner.rpartition("/")[0]) :].removeprefix("/")
                owned.update((owner, f"{owner}/{inside}"))
    return {folder: folders[folder] for folder in above | owned if folder in folders}


def of_file(path: str, data: bytes, folders: Mapping[str, License], owners: Sequence[str] = ()) -> License:
    """The verdict on one file: its own header, else the nearest folder's; a contradiction is in the evidence."""
    own = from_header(data)
    around = of_path(path, folders, owners)
    if own is None:
        return around
    if around.license_type not in (own.license_type, "no_license"):
        return replace(own, evidence=f"{own.evidence}; against {around.evidence}")
    return own


def _owned(folder: str, folders: Mapping[str, License], owners: Sequence[str]) -> License | None:
    """The verdict on a folder for the files of some packages, with what the packages' own infos say of it."""
    inside, whole = [], []
    for owner in owners:
        place = owner.rpartition("/")[0]
        if folder == place:
            whole.append(folders.get(owner))
        elif not place or folder.startswith(f"{place}/"):
            inside.append(folders.get(f"{owner}/{folder[len(place) :].removeprefix('/')}"))
    told = [one for one in whole or [folders.get(folder), *inside] if one]
    if whole and not told:
        return folders.get(folder)
    told = [one for one in told if one.license_type != "no_license"] or told
    return _joined(told) if len(told) > 1 else told[0] if told else None


def _placed(verdict: License, prefix: str) -> License:
    return verdict if not prefix or verdict.evidence.startswith(prefix) else replace(
        verdict, evidence=prefix + verdict.evidence
    )  # fmt: skip


def _in_store(path: str) -> bool:
    parts = path.split("/")[:-1]
    return any(part in _LICENSES for part in parts) and not any(
        part.endswith((".dist-info", ".egg-info")) for part in parts
    )


def _home(path: str, installed: Installed) -> str:
    """The folder whose files a licence-like file speaks for."""
    parts = path.split("/")[:-1]
    if path in installed.infos:  # an `.egg-info` that is a file
        return path
    owners = installed.owners.get(path, ())
    if len(owners) == 1 and owners[0].rpartition("/")[0] == "/".join(parts):
        return owners[0]
    for depth, part in enumerate(parts):
        if part.endswith((".dist-info", ".egg-info")):
            inner = parts[depth + 1 :]
            inner = inner[1:] if inner and inner[0] in ("licenses", "license_files") else inner
            if "/".join(parts[: depth + 1]) in installed.infos:
                return "/".join([*parts[: depth + 1], *inner])
            return "/".join([*parts[:depth], *inner])
    for depth, part in enumerate(parts):
        if part in _LICENSES:
            return "/".join(parts[:depth])
    if parts and parts[-1] == ".reuse":
        parts.pop()
    return "/".join(parts)


def _merged(folder: _Folder) -> License | None:
    extra = tuple(folder.annotated)
    declared = sorted(folder.declared, key=lambda verdict: verdict.evidence)
    if folder.texts:
        verdict = _refined(_of_texts(folder.texts), declared, _is_either(folder.texts))
    elif declared:
        verdict = _joined(declared)
        limits = [(path, found) for path, found in sorted(folder.unknown, key=_path) if found.limit]
        if limits and verdict.license_type == "permissive":
            path, found = limits[0]
            evidence = f"{verdict.evidence}; {path} says {found.limit!r}"
            verdict = License(verdict.licenses, "non_permissive", evidence)
        elif folder.unknown:
            unknown = ", ".join(path for path, _ in sorted(folder.unknown, key=_path))
            verdict = replace(verdict, evidence=f"{verdict.evidence}; {unknown} (text not recognised)")
    elif folder.stored:
        verdict = _of_texts(folder.stored)
    elif folder.unknown:
        unknown = ", ".join(path for path, _ in sorted(folder.unknown, key=_path))
        verdict = License((), "non_permissive", f"{unknown} (text not recognised)")
    else:
        return License((), "no_license", NO_LICENSE.evidence, extra) if extra else None
    return replace(verdict, annotated=extra)


def _path(pair: tuple[str, Identified]) -> str:
    return pair[0]


def _is_either(texts: list[tuple[str, Identified]]) -> bool:
    return len(texts) == 1 and texts[0][1].either


def _of_texts(texts: list[tuple[str, Identified]]) -> License:
    told, ids = [], set[str]()
    permissive = True
    for path, found in sorted(texts, key=_path):
        ids.update(found.ids)
        joined = (" OR " if found.either else " AND ").join(found.ids)
        free = [is_permissive(name) for name in found.ids]
        permissive &= (any(free) if found.either else all(free)) and not found.limit
        evidence = f"{path}: {joined} ({found.how})"
        if found.bundled:
            evidence += f", bundled parts: {', '.join(found.bundled)}"
        if found.limit:
            evidence += f", with a condition: {found.limit!r}"
        told.append(evidence)
    if "LGPL-3.0" in ids:  # its text adds permissions to that of GPL-3.0, which must lie beside it
        ids.discard("GPL-3.0")
    return License(tuple(sorted(ids)), "permissive" if permissive else "non_permissive", "; ".join(told))


def _joined(declared: list[License]) -> License:
    ids = tuple(sorted({name for verdict in declared for name in verdict.licenses}))
    permissive = all(verdict.license_type == "permissive" for verdict in declared)
    evidence = "; ".join(dict.fromkeys(verdict.evidence for verdict in declared))
    return License(ids, "permissive" if permissive else "non_permissive", evidence)


def _refined(verdict: License, declared: list[License], either: bool) -> License:
    """A verdict on texts, with what the metadata beside them adds or contradicts."""
    limited = "with a condition" in verdict.evidence
    for other in declared:
        texts = {base_id(name) for name in verdict.licenses}
        said = {base_id(name) for name in other.licenses}
        agreed = texts <= said or (either and said <= texts)
        exact = all(name in verdict.licenses for name in other.licenses)
        if agreed and not exact and not limited:
            ids = tuple(sorted(other.licenses))
            verdict = License(ids, other.license_type, f"{verdict.evidence}; {other.evidence}")
        elif agreed and other.license_type == "permissive" and not limited and len(other.licenses) > 1:
            verdict = License(verdict.licenses, "permissive", f"{verdict.evidence}; {other.evidence}")
        elif not said & texts and not agreed:
            worst = verdict.license_type if verdict.license_type == other.license_type else "non_permissive"
            verdict = License(verdict.licenses, worst, f"{verdict.evidence}; against {other.evidence}")
    return verdict
