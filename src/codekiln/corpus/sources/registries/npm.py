"""Choosing a version and its tarball from the user's npm registry."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from codekiln.corpus.sources.registries.npmconfig import NpmConfig
from codekiln.corpus.sources.registries.records import Package, Spec
from codekiln.downloads import web
from codekiln.downloads.addresses import checked_link, shown, without_login
from codekiln.errors import UserError, one_line

#: A package's document above this is none; those with thousands of versions have some 10 MiB in the short form.
MAX_DOCUMENT = 128 * 1024**2
_ACCEPT = "application/vnd.npm.install-v1+json, application/json;q=0.5"
_SEMVER = re.compile(
    r"(\d{1,16})\.(\d{1,16})\.(\d{1,16})(?:-([0-9A-Za-z.-]{1,80}))?(?:\+[0-9A-Za-z.-]{1,80})?", re.ASCII
)
_SIZES = {"sha512": 64, "sha384": 48, "sha256": 32}


def choose(spec: Spec, config: NpmConfig) -> Package:
    """The version or tag asked for; else the one tagged `latest`, or the newest release where that is deprecated, a
    pre-release or missing.

    Raises:
        UserError: the registry has no such package or version.
        WebError: it does not answer as a registry.
    """
    registry = config.of(spec.name)
    url = f"{registry}/{spec.name.replace('/', '%2f')}"
    try:
        body, _, base = web.read_page(
            url, config.access, limit=MAX_DOCUMENT, accept=_ACCEPT, what="answer of an npm registry"
        )
    except web.WebError as error:
        if error.status in (404, 410):
            raise UserError(
                f"source {spec.text}: no such package on {shown(registry)}; check its name"
            ) from None
        raise
    versions, tags = _document(body, url)
    version = _asked(spec, versions, tags) if spec.version else _newest(spec, versions, tags)
    return _package(spec, version, versions[version], base)


def _document(body: bytes, url: str) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    try:
        document = json.loads(body)
        versions = {
            key: value
            for key, value in document["versions"].items()
            if _SEMVER.fullmatch(key) and isinstance(value, dict) and isinstance(value.get("dist"), dict)
        }
        tags = document.get("dist-tags")
        tags = (
            {key: value for key, value in tags.items() if isinstance(value, str)}
            if isinstance(tags, dict)
            else {}
        )
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise web.WebError(
            f"{shown(url)} is no answer of an npm registry (damaged JSON)", again=False
        ) from None
    return versions, tags


def _asked(spec: Spec, versions: dict[str, dict[str, Any]], tags: dict[str, str]) -> str:
    wanted = spec.version or ""
    found = wanted if wanted in versions else tags.get(wanted, "")
    if found not in versions:
        newest = ", ".join(sorted(versions, key=_order, reverse=True)[:5])
        raise UserError(
            f"source {spec.text}: there is no such version or tag; the newest are {newest or 'none'}"
        )
    return found


def _newest(spec: Spec, versions: dict[str, dict[str, Any]], tags: dict[str, str]) -> str:
    if not versions:
        raise UserError(f"source {spec.text}: the package has no versions (it was withdrawn)")
    fine = [key for key, value in versions.items() if not value.get("deprecated")] or list(versions)
    releases = [key for key in fine if not _is_prerelease(key)] or fine
    latest = tags.get("latest", "")
    return latest if latest in releases else max(releases, key=_order)


def _is_prerelease(version: str) -> bool:
    found = _SEMVER.fullmatch(version)
    return found is not None and found[4] is not None


def _order(version: str) -> tuple[Any, ...]:
    """Semantic versions in their order: numbers below words, a release above its pre-releases."""
    found = _SEMVER.fullmatch(version)
    assert found
    parts = (found[4] or "").split(".")
    before = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts] if found[4] else []
    return int(found[1]), int(found[2]), int(found[3]), not before, before, version


def _package(spec: Spec, version: str, value: dict[str, Any], base: str) -> Package:
    dist = value["dist"]
    if not isinstance(dist.get("tarball"), str):
        raise UserError(
            f"source {spec.text}: {version} has no tarball on the registry; ask for another version"
        )
    try:
        url = without_login(checked_link(base, dist["tarball"]))
    except UserError as error:
        raise web.WebError(str(error), again=False) from None
    algorithm, digest = _integrity(dist)
    if not algorithm:
        raise UserError(
            f"source {spec.text}: the registry gives no hash of {version}, so it cannot be verified"
        )
    deprecated = value.get("deprecated")
    word = f"deprecated ({one_line(deprecated)[:100]})" if deprecated and isinstance(deprecated, str) else ""
    file = f"{spec.name.rpartition('/')[2]}-{version}.tgz"
    return Package("npm", spec.name, version, file, url, algorithm, digest, "", word)


def _integrity(dist: dict[str, Any]) -> tuple[str, str]:
    """(algorithm, hex) of the strongest hash: `integrity` (several, base64) before `shasum` (SHA-1, hex)."""
    given = dist.get("integrity")
    found = {}
    for part in given.split() if isinstance(given, str) else []:
        algorithm, _, text = part.partition("?")[0].partition("-")
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        if len(data) == _SIZES.get(algorithm):
            found[algorithm] = data.hex()
    for algorithm in _SIZES:
        if algorithm in found:
            return algorithm, found[algorithm]
    shasum = dist.get("shasum")
    if isinstance(shasum, str) and re.fullmatch(r"[0-9a-fA-F]{40}", shasum):
        return "sha1", shasum.lower()
    return "", ""
