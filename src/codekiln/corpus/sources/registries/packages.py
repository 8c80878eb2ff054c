"""From package names to source archives on this machine: resolved, downloaded, verified. Nothing is ever installed.

A version's files on a registry do not change, so what was asked for by version is known for ever; the archives lie in
the cache under their hash.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Event, Lock
from typing import TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

from codekiln.corpus.sources import resolved
from codekiln.corpus.sources.registries import npm, pypi
from codekiln.corpus.sources.registries.npmconfig import NpmConfig, read_npm_config
from codekiln.corpus.sources.registries.pipconfig import PipConfig, read_pip_config
from codekiln.corpus.sources.registries.records import Package, Spec, read_package
from codekiln.downloads import cachefolder
from codekiln.downloads.addresses import shown
from codekiln.downloads.files import download, file_hash
from codekiln.downloads.web import Access, WebError
from codekiln.errors import CodekilnError, RunError, UserError
from codekiln.progress import Progress, say
from codekiln.shards.disk import hash_json, write_json

#: An archive above this is refused.
MAX_ARCHIVE = 4 * 1024**3
#: So many packages are asked for, and so many archives downloaded, at a time.
_ASKING, _FETCHING = 8, 4

#: What costs the package that was asked for alone.
_LOST = (UserError, WebError)
_Caught: TypeAlias = "tuple[type[CodekilnError], ...]"

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Brought:
    """A package and its archive, whose bytes have the package's `sha256`."""

    package: Package
    path: Path


def bring(
    specs: Sequence[Spec],
    record: Path | None = None,
    *,
    fetch: bool = True,
    lost: dict[str, CodekilnError] | None = None,
) -> dict[str, Brought]:
    """The source archive of each package, by the text that it was given as.

    All versions are settled before the first archive is downloaded. `record` is a file of `resolved`: what it holds
    is not asked for again, and what was asked is added to it. `fetch=False` and CODEKILN_OFFLINE=1 keep off the network.
    `lost` takes the errors of packages that cannot be had, by their texts; where it is left out they are raised:

    Raises:
        UserError: a package or version does not exist or has no source (`lost`); the configuration of pip or npm is
            wrong.
        WebError: a registry does not answer, or not as it should; an archive is not what its registry says (`lost`).
        RunError: an archive is another than when it was chosen; the network is off; the disk is full.
    """
    if not specs:
        return {}
    configs, caught = _Configs(), () if lost is None else _LOST
    failed = {} if lost is None else lost
    for registry in {spec.registry for spec in specs}:
        configs.access(registry)  # a mistake in a configuration is none of one package
    held = {text: read_package(value) for text, value in resolved.read(record, "packages").items()}
    before: dict[str, Package] = {}
    asked: list[Spec] = []
    for spec in specs:
        earlier = held.get(spec.text) or (_known(spec, configs) if spec.version else None)
        if earlier is not None and (earlier.registry, _name(earlier)) == (spec.registry, _name(spec)):
            before[spec.text] = earlier
            # Its archive is asked for once more, under the version that was chosen: an address may have moved.
            spec = replace(spec, version=earlier.version)
        if spec.text not in before or not _path(before[spec.text]).is_file():
            _require_network(spec.text if spec.version else f"the newest version of {spec.text}", fetch)
            asked.append(spec)
    chosen = dict(before)
    for spec, package in zip(asked, _at_once(lambda one: _choose(one, configs), asked, _ASKING, caught)):
        if isinstance(package, CodekilnError):
            failed[spec.text] = package
            continue
        chosen[spec.text] = _same(before.get(spec.text), package)
        if package.word and spec.text not in before:
            say(f"{spec.text}: {package.version}: {package.word}")
    chosen = {spec.text: chosen[spec.text] for spec in specs if spec.text not in failed}
    if fetch:
        resolved.write(record, "packages", {text: one.as_dict() for text, one in chosen.items()})
    found = _archives(chosen, configs, fetch, caught)
    failed |= {text: one for text, one in found.items() if isinstance(one, CodekilnError)}
    brought = {text: one for text, one in found.items() if isinstance(one, Brought)}
    if fetch:
        resolved.write(record, "packages", {text: one.package.as_dict() for text, one in brought.items()})
        for spec in (one for one in asked if one.text in brought):
            write_json(
                _known_path(replace(spec, version=chosen[spec.text].version), configs),
                brought[spec.text].package.as_dict(),
            )
    return brought


class _Configs:
    """Configuration of pip and npm, read when it is needed."""

    @cached_property
    def pip(self) -> PipConfig:
        return read_pip_config()

    @cached_property
    def npm(self) -> NpmConfig:
        return read_npm_config()

    def access(self, registry: str) -> Access:
        return self.pip.access if registry == "pypi" else self.npm.access

    def places(self, spec: Spec) -> list[str]:
        return list(self.pip.indexes) if spec.registry == "pypi" else [self.npm.of(spec.name)]


def _same(before: Package | None, now: Package) -> Package:
    """A version that is looked up again has to be what it was; only its address may have changed."""
    if before is None:
        return now
    if (before.algorithm, before.digest) not in ((now.algorithm, now.digest), ("", "")):
        raise _another(now)
    return replace(now, sha256=before.sha256)


def _another(package: Package) -> RunError:
    return RunError(
        f"{shown(package.url)} is another file than when it was first chosen; if it is to be the new one, delete "
        f"{resolved.RECORD} in the output folder"
    )


def _name(one: Spec | Package) -> str:
    return pypi.canonical(one.name) if one.registry == "pypi" else one.name


def _choose(spec: Spec, configs: _Configs) -> Package:
    return pypi.choose(spec, configs.pip) if spec.registry == "pypi" else npm.choose(spec, configs.npm)


def _known_path(spec: Spec, configs: _Configs) -> Path:
    """Where it is remembered what a version is; another registry may have another package of this name."""
    key = hash_json([spec.registry, configs.places(spec), _name(spec), spec.version])
    return cachefolder.cache_root() / "packages" / f"{key}.json"


def _known(spec: Spec, configs: _Configs) -> Package | None:
    try:
        return read_package(json.loads(_known_path(spec, configs).read_bytes()))
    except (OSError, ValueError, RecursionError):
        return None


def _require_network(what: str, fetch: bool) -> None:
    variable = cachefolder.offline()
    if variable or not fetch:
        why = f"the network is off ({variable})" if variable else "nothing is fetched here"
        raise RunError(f"{what} is not known here and {why}; ask for a version that was fetched before")


def _archives(
    chosen: dict[str, Package], configs: _Configs, fetch: bool, caught: _Caught
) -> dict[str, Brought | CodekilnError]:
    """The archives of all packages; what is not here is downloaded."""
    here: dict[str, Brought | CodekilnError | None] = {
        text: _held(package) for text, package in chosen.items()
    }
    wanted = list({_path(chosen[text]): chosen[text] for text, one in here.items() if one is None}.values())
    for package in wanted:
        _require_network(package.file, fetch)
    if wanted:
        title = f"fetch {wanted[0].file}" if len(wanted) == 1 else f"fetch {len(wanted)} source archives"
        lock, stop = Lock(), Event()
        with Progress(title, unit="bytes", every=5.0) as progress:

            def told(count: int) -> None:
                if stop.is_set():
                    raise RunError("stopped")
                with lock:
                    progress.update(count)

            got = _at_once(lambda one: _fetch(one, configs, told), wanted, _FETCHING, caught, stop)
        fresh = {_path(package): one for package, one in zip(wanted, got)}
        here = {text: one or fresh[_path(chosen[text])] for text, one in here.items()}
    return {text: one for text, one in here.items() if one is not None}


def _path(package: Package) -> Path:
    """Where an archive is or will be; one of an index on disk stays where it is."""
    parts = urlsplit(package.url)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    folder = (
        f"{package.algorithm}-{package.digest}" if package.digest else f"address-{hash_json(package.url)}"
    )
    return cachefolder.cache_root() / "archives" / folder / package.file


def _held(package: Package) -> Brought | None:
    """The archive where it is here and whole."""
    path = _path(package)
    if not path.is_file() or not (package.digest or package.sha256):
        return None
    if package.digest and file_hash(path, package.algorithm) != package.digest:
        return None
    digest = file_hash(path, "sha256")
    return Brought(replace(package, sha256=digest), path) if package.sha256 in ("", digest) else None


def _fetch(package: Package, configs: _Configs, told: Callable[[int], None]) -> Brought:
    path = _path(package)
    if package.url.startswith("file:"):
        return _on_disk(package, path)
    expected = (package.algorithm, package.digest) if package.digest else None
    with cachefolder.locked(f"archive-{path.parent.name[:80]}"):
        if (found := _held(package)) is not None:  # another process has just fetched it
            return found
        path.unlink(missing_ok=True)
        download(
            package.url,
            path,
            configs.access(package.registry),
            expected=expected,
            limit=MAX_ARCHIVE,
            told=told,
        )
        if expected is None:
            say(f"{package.file}: the index gives no hash, so nothing but the connection vouches for it")
        digest = file_hash(path, "sha256")
        if package.sha256 not in ("", digest):
            path.unlink()
            raise _another(package)
        return Brought(replace(package, sha256=digest), path)


def _on_disk(package: Package, path: Path) -> Brought:
    if not path.is_file():
        raise UserError(f"{path}, which a package index on this disk names, does not exist")
    if package.digest and file_hash(path, package.algorithm) != package.digest:
        raise UserError(f"{path} has another {package.algorithm} than the package index on this disk says")
    return Brought(replace(package, sha256=file_hash(path, "sha256")), path)


def _at_once(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    threads: int,
    caught: _Caught,
    stop: Event | None = None,
) -> list[Result | CodekilnError]:
    """The results in order, or the errors of the kinds `caught`.

    The first failure of another kind in that order is raised, `stop` set and nothing more begun.
    """

    def attempt(item: Item) -> Result | CodekilnError:
        try:
            return work(item)
        except caught as error:
            return error

    if len(items) < 2:
        return [attempt(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(attempt, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            if stop:
                stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
