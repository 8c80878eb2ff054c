"""Choosing a version and its source archive from the user's Python package indexes."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.version import InvalidVersion, Version

from codekiln.corpus.sources.registries.pages import ACCEPT, IndexFile, read_page
from codekiln.corpus.sources.registries.pipconfig import PipConfig
from codekiln.corpus.sources.registries.records import Package, Spec, is_file_name
from codekiln.downloads import web
from codekiln.downloads.addresses import shown
from codekiln.errors import RunError, UserError, one_line

#: A page of an index above this is none; the largest real ones have about a tenth of it.
MAX_PAGE = 64 * 1024**2
_SDIST = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip")


def canonical(name: str) -> str:
    """A project's name in the form that an index files it under (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def choose(spec: Spec, config: PipConfig) -> Package:
    """The version asked for, or else the newest that is neither a pre-release nor yanked; its sdist, or else its
    pure wheel.

    All indexes count alike, as they do for pip; of one file on several, the first index's is taken. Pre-releases
    count where there is nothing else, a yanked version where it is asked for.

    Raises:
        UserError: no index has the project or the version, or the version has no source.
        WebError: an index does not answer as one.
    """
    name = canonical(spec.name)
    pages = [_files(index, name, config) for index in config.indexes]
    if all(page is None for page in pages):
        raise UserError(f"source {spec.text}: no such package on {_indexes(config)}; check its name")
    versions: dict[Version, list[IndexFile]] = {}
    for one in (one for page in pages if page for one in page):
        version = _version(one.name, name)
        if version is not None:
            versions.setdefault(version, []).append(one)
    if not versions:
        raise UserError(
            f"source {spec.text}: {_indexes(config)} has no file of it that is known; check its name"
        )
    version = _asked(spec, versions) if spec.version else _newest(spec, versions)
    return _package(spec, name, version, versions)


def _files(index: str, name: str, config: PipConfig) -> list[IndexFile] | None:
    """The project's files on an index, None where it has no such project."""
    if index.startswith("file:"):
        return _local_files(index, name)
    try:
        body, kind, base = web.read_page(
            f"{index}/{name}/", config.access, limit=MAX_PAGE, accept=ACCEPT, what="page of a package index"
        )
    except web.WebError as error:
        if error.status in (404, 410):
            return None
        raise
    return read_page(body, kind, base)


def _local_files(index: str, name: str) -> list[IndexFile] | None:
    page = Path(unquote(urlsplit(index).path)) / name / "index.html"
    if not page.is_file():
        return None
    try:
        with open(page, "rb") as stream:
            body = stream.read(MAX_PAGE + 1)
    except OSError as error:
        raise RunError(f"{page}: cannot be read ({one_line(error)})") from None
    if len(body) > MAX_PAGE:
        raise RunError(f"{page} is no page of a package index: more than {MAX_PAGE >> 20} MiB")
    return read_page(body, "text/html", f"{index}/{name}/")


def _version(file: str, project: str) -> Version | None:
    """The version of a project's sdist or wheel by its name, None for anything else."""
    if not is_file_name(file):
        return None
    lower = file.lower()
    if lower.endswith(".whl"):
        parts = file[:-4].split("-")
        text = parts[1] if len(parts) in (5, 6) and canonical(parts[0]) == project else ""
        return _parsed(text)
    suffix = next((one for one in _SDIST if lower.endswith(one)), None)
    if suffix is None:
        return None
    stem = file[: -len(suffix)]
    # Old names have dashes in the project and the version: the one cut counts that leaves the project's name.
    cuts = [at for at, letter in enumerate(stem) if letter == "-" and canonical(stem[:at]) == project]
    return next((found for at in cuts if (found := _parsed(stem[at + 1 :])) is not None), None)


def _parsed(text: str) -> Version | None:
    try:
        return Version(text) if text else None
    except InvalidVersion:
        return None


def _is_source(one: IndexFile) -> bool:
    return not one.name.lower().endswith(".whl")


def _is_pure(one: IndexFile) -> bool:
    return one.name.lower().endswith("-none-any.whl")


def _asked(spec: Spec, versions: dict[Version, list[IndexFile]]) -> Version:
    wanted = _parsed(spec.version or "")
    if wanted is None:
        raise UserError(f"source {spec.text}: {spec.version!r} is no version of a Python package (PEP 440)")
    if wanted not in versions:
        newest = ", ".join(map(str, sorted(versions, reverse=True)[:5]))
        raise UserError(f"source {spec.text}: there is no such version; the newest are {newest}")
    return wanted


def _newest(spec: Spec, versions: dict[Version, list[IndexFile]]) -> Version:
    fine = [version for version, files in versions.items() if any(one.yanked is None for one in files)]
    if not fine:
        raise UserError(
            f"source {spec.text}: every version was withdrawn; ask for one by name, such as {max(versions)}"
        )
    return max([version for version in fine if not version.is_prerelease] or fine)


def _package(spec: Spec, name: str, version: Version, versions: dict[Version, list[IndexFile]]) -> Package:
    files = versions[version]
    # A withdrawn file counts only where the version has no other.
    files = [one for one in files if one.yanked is None] or files
    sources = [one for one in files if _is_source(one)]
    chosen = min(sources, key=lambda one: _place(one.name), default=None)
    words = []
    if chosen is None:
        chosen = min((one for one in files if _is_pure(one)), key=lambda one: one.name, default=None)
        words.append("no source archive; its wheel is read")
    if chosen is None:
        others = [
            other for other, held in versions.items() if any(_is_source(o) or _is_pure(o) for o in held)
        ]
        hint = f"; {max(others)} has one: {spec.registry}:{spec.name}=={max(others)}" if others else ""
        raise UserError(
            f"source {spec.text}: {version} has no source archive, only wheels built for machines{hint}"
        )
    if chosen.yanked is not None:
        words.append("withdrawn" + (f" ({one_line(chosen.yanked)[:100]})" if chosen.yanked else ""))
    return Package(
        "pypi",
        name,
        str(version),
        chosen.name,
        chosen.url,
        chosen.algorithm,
        chosen.digest,
        "",
        "; ".join(words),
    )


def _place(file: str) -> tuple[int, str]:
    """The order in which a version's source archives are preferred."""
    return next(number for number, suffix in enumerate(_SDIST) if file.lower().endswith(suffix)), file


def _indexes(config: PipConfig) -> str:
    return ", ".join(shown(index) for index in config.indexes)
