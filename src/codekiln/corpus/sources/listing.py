"""From the paths of a configuration to candidates: files that may be read, each with the source it is in.

Nothing is read here but what decides (ignore files, licence texts, git's index): contents come later (`reading`).
"""

from __future__ import annotations

import difflib
import os
import platform
import re
import sysconfig
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from codekiln.corpus import languages, licenses
from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources import (
    added,
    archives,
    events,
    git,
    gitdirs,
    left_out,
    limits,
    names,
    outputs,
    places,
    table_layout,
    verdicts,
    walking,
)
from codekiln.corpus.sources.folders import walk_folder
from codekiln.corpus.sources.kinds import choose_kinds, describe
from codekiln.corpus.sources.nothing import nothing_found
from codekiln.corpus.sources.records import Candidate, Listing, Skip, Source, unique_names
from codekiln.corpus.sources.registries.packages import Brought
from codekiln.corpus.sources.table_files import TableFile, file_name, stem
from codekiln.corpus.sources.triage import triage
from codekiln.downloads.addresses import shown
from codekiln.errors import BadSource, CodekilnError, UserError
from codekiln.progress import say
from codekiln.shards.disk import hash_file


def list_sources(config: SourceConfig, record: Path | None = None, *, fetch: bool = True) -> list[Listing]:
    """One listing a source, sorted by repository name; names are made unique.

    `record` and `fetch` are those of `places.locate`.

    Raises:
        UserError: a path does not exist, an archive is corrupt, a revision is unknown or asked of a path
            outside git, or there is nothing to read at all.
        RunError, UserError: no source can be had, or the network is off.
    """
    unknown = set(config.languages or ()) - set(languages.LANGUAGES)
    if unknown:
        name = min(unknown)
        by_letters = {language.lower(): language for language in languages.LANGUAGES}
        close = difflib.get_close_matches(name.lower(), by_letters, n=1)
        hint = (
            f"did you mean {by_letters[close[0]]}?"
            if close
            else f"known are {', '.join(languages.LANGUAGES)}"
        )
        raise UserError(f"sources.languages: unknown language {name!r}; {hint}")
    limits.with_limits(config.limits)
    listings = [_standard_library()] if not config.paths else from_paths(config, record, fetch=fetch)
    refused = opt_outs(config)
    for listing in listings:
        describe(listing, refused)
        triage(listing, config, refused)
    choose_kinds(listings, config)
    if not any(listing.holds_something for listing in listings):
        raise nothing_found(config, [(skip.path, skip.reason) for one in listings for skip in one.skipped])
    return unique_names(listings)


def opt_outs(config: SourceConfig) -> list[licenses.OptOut]:
    """The lines of the opt-out list, none where there is no list. Raises UserError as `licenses.read_opt_outs`."""
    return licenses.read_opt_outs(Path(os.path.expanduser(config.opt_out))) if config.opt_out else []


def from_paths(
    config: SourceConfig, record: Path | None = None, *, fetch: bool = True, vendored: bool = False
) -> list[Listing]:
    """Listings of the given paths, before triage; paths of one repository become one listing.

    `vendored` lists the files of vendored folders too. Raises as `list_sources`.
    """
    trees: dict[str, tuple[git.Repository, list[str]]] = {}
    listings: dict[str, Listing] = {}
    broken: list[CodekilnError] = []

    def add_repository(repository: git.Repository, path: Path) -> None:
        prefix = os.path.relpath(path, repository.folder).replace(os.sep, "/")
        trees.setdefault(repository.folder, (repository, []))[1].append("" if prefix == "." else prefix)

    for place in places.locate(config.paths, record, fetch=fetch):
        text, path = place.text, place.path
        if place.fault is not None:
            listings[text] = left_out.nothing_of(broken, text, place.fault, str(place.fault))
            continue
        archive = None if place.table or path.is_dir() else archives.suffix_of(path.name)
        repository = None if archive or place.table else git.find(path)
        if repository and not repository.bare and not git.sees(repository, path):
            repository = None
        refused = None if repository or archive or place.table else gitdirs.refusal_of(path)
        if config.revision is not None and repository is None:
            raise UserError(
                f"source {shown(text)} is not in a git repository, so revision {config.revision!r} means nothing"
                + (f" ({refused})" if refused else "")
            )
        if refused:
            say(f"source {names.printable(refused)}")
        if place.table and not place.table.is_remote and events.is_events(path):
            listings[str(path)] = left_out.attempt(broken, path, partial(_events, path))
        elif place.table:
            listings[place.table.where] = left_out.attempt(broken, path, partial(_table, place.table, config))
        elif archive:
            listings[str(path)] = left_out.attempt(
                broken, path, partial(_archive, text, path, archive, place.package)
            )
        elif repository:
            add_repository(repository, path)
        else:
            walked, inner = walk_folder(path, vendored=vendored)
            listings[str(path)] = _folder(path, walked)
            for found in inner:
                add_repository(found, Path(found.folder))
    if trees:  # a long history takes a while, and nothing else would be said meanwhile
        say(f"listing {len(trees)} git {'repository' if len(trees) == 1 else 'repositories'}")
    for top, (repository, prefixes) in trees.items():
        listings[top] = left_out.attempt(
            broken, Path(top), partial(_repository, repository, prefixes, config)
        )
    left_out.tell(broken, len(listings))
    return list(listings.values())


def _events(path: Path) -> Listing:
    name = stem(path.name)
    found = events.find(path, name)
    return Listing(Source(name, "events", str(path), revision=f"sha256:{found.sha256}"), events=found)


def _standard_library() -> Listing:
    root = Path(sysconfig.get_path("stdlib")).resolve()
    version = f"{platform.python_implementation()} {platform.python_version()}"
    walked, _ = walking.walk(root, leave_out=walking.outside_standard_library, ignore_files=False)
    listing = _folder(root, walked)
    evidence = f"standard library of {platform.python_implementation()}"
    psf = licenses.License(("PSF-2.0",), "permissive", evidence)
    listing.source = replace(listing.source, revision=version, license=psf)
    return listing


def _folder(path: Path, walked: walking.Walk) -> Listing:
    root = path if path.is_dir() else path.parent
    listing = Listing(Source(path.name or "root", "folder", str(root)))
    listing.candidates = [Candidate(name, size) for name, size in walked.files]
    listing.skipped = [Skip(name, reason) for name, reason in walked.skipped]
    texts = dict.fromkeys([name for name, _ in walked.files] + walked.beside)
    verdicts.judge_folders(
        listing, verdicts.texts_on_disk(root, texts), partial(verdicts.lists_on_disk, root)
    )
    return listing


def _repository(repository: git.Repository, prefixes: list[str], config: SourceConfig) -> Listing:
    name = git.name(repository)
    revision = config.revision or ("HEAD" if repository.bare else None)
    commit = git.resolve(repository, revision or "HEAD")
    if revision and not commit:
        if config.revision:
            raise UserError(
                f"{repository.folder} has no revision {revision!r}; `git log` lists what is there"
            )
        raise BadSource(
            f"{repository.folder} is bare and has no commit that git can read; is it empty or cut off?"
        )
    unreadable = ""
    try:
        committed = git.tree_entries(repository, commit) if commit else {}
    except BadSource as error:
        if revision:
            raise
        # The files on disk need no commit.
        commit, committed = None, {}
        unreadable = str(error).replace(repository.folder, name)
    kind = "blobs" if revision else "folder"
    listing = Listing(Source(name, kind, repository.folder, repository.git_dir, commit or "", "working tree"))
    listing.prefixes = tuple(sorted(prefixes, key=len, reverse=True))
    listing.shallow = git.is_shallow(repository)
    entries = dict(committed) if revision else git.index_entries(repository)
    if not revision:
        for path in git.untracked(repository):
            entries.setdefault(path, git.Entry(path, "", "", -1))
    root = Path(repository.folder)
    own = outputs.output_folders(entries, None if revision else root)
    for prefix in prefixes:
        if outputs.below(own)(prefix):
            raise outputs.refusal(
                f"{repository.folder}/{prefix}".rstrip("/"), "its top" if own == [""] else own[0]
            )
    is_own, asked = outputs.below(own), outputs.below(prefixes)
    entries = {path: entry for path, entry in entries.items() if not is_own(path)}
    listing.skipped = [Skip(folder + "/", outputs.REASON) for folder in own if asked(folder)]
    listing.skipped += [Skip(".git", f"its commit: {unreadable}")] if unreadable else []
    wanted = [path for path in entries if asked(path)]
    # Where a shallow clone ends, git takes every file for a new one: no time is known there.
    known = [path for path in wanted if path in committed] if commit and not listing.shallow else []
    times = added.times_of(listing, repository, commit, known) if commit and known else {}
    for path in wanted:
        entry = entries[path]
        if entry.mode == git.SUBMODULE:
            listing.skipped.append(Skip(path, "submodule"))
        elif entry.mode == git.SYMLINK:
            listing.skipped.append(Skip(path, "symlink"))
        elif path.endswith("/"):
            listing.skipped.append(
                Skip(path, "git repository inside another; give it as a source of its own")
            )
        else:
            size = entry.size if revision else walking.size_inside(root, path)
            if isinstance(size, str):
                listing.skipped.append(Skip(path, size))
                continue
            blob = committed[path].blob if path in committed else ""
            where = entry.blob if revision else ""
            listing.candidates.append(Candidate(path, size, where, blob, times.get(path)))

    def lists(paths: list[str]) -> Iterable[bytes | None]:
        if not revision:
            return verdicts.lists_on_disk(root, paths)
        return git.blobs(repository, [entries[path].blob for path in paths], licenses.LIST_BYTES)

    verdicts.judge_folders(listing, verdicts.repository_texts(repository, entries, bool(revision)), lists)
    return listing


def _table(file: TableFile, config: SourceConfig) -> Listing:
    name = file_name(file.where)
    layout = table_layout.find(file, {str(part): column for part, column in config.columns.items()})
    return Listing(Source(stem(name), "table", file.where, revision=layout.mark), table=layout)


def _archive(text: str, path: Path, suffix: str, package: Brought | None) -> Listing:
    def keep(member: str) -> int:
        if licenses.is_list_file(member):
            return licenses.LIST_BYTES
        wanted = licenses.is_license_file(member) or licenses.is_metadata_file(member)
        return verdicts.LICENSE_BYTES if wanted else 0

    members, refused, texts = archives.listing(str(path), keep)
    # A source archive usually wraps everything in one folder `name-version/`: not part of the paths.
    tops = {member.path.partition("/")[0] if "/" in member.path else "" for member in members}
    top = tops.pop() + "/" if len(tops) == 1 and suffix != ".whl" and tops != {""} else ""
    name = (
        re.sub(r"-py\d.*$|-cp\d.*$", "", path.name[: -len(suffix)])
        if suffix == ".whl"
        else path.name[: -len(suffix)]
    )
    source = Source(name, "archive", str(path))
    if package is None:
        source = replace(source, revision=f"sha256:{hash_file(path)}")
    else:
        given = package.package
        source = replace(source, repo=given.name, revision=given.version, package=given)
    listing = Listing(source)
    own = outputs.output_folders(m.path.removeprefix(top) for m in members)
    if own == [""]:
        raise outputs.refusal(text, top.rstrip("/") or "its top")
    is_own = outputs.below(own)
    found = [Candidate(m.path.removeprefix(top), m.size, str(m.number)) for m in members]
    listing.candidates = [candidate for candidate in found if not is_own(candidate.path)]
    skipped = [Skip(r.path.removeprefix(top), r.reason, r.size) for r in refused]
    listing.skipped = [skip for skip in skipped if not is_own(skip.path)]
    listing.skipped += [Skip(folder + "/", outputs.REASON) for folder in own]
    inner = {p.removeprefix(top): content for p, content in texts.items()}
    wanted = {p: t for p, t in inner.items() if not is_own(p)}
    lists = {p: wanted.pop(p) for p in [*wanted] if licenses.is_list_file(p)}
    verdicts.judge_folders(listing, wanted, lambda paths: [lists.get(path) for path in paths])
    return listing
