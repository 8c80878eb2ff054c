"""What listing hands to reading: sources, candidates, skipped paths."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from codekiln.corpus import licenses
from codekiln.corpus.sources import events, git, kaggle, names, tabular
from codekiln.corpus.sources.registries.records import Package


@dataclass(frozen=True)
class Source:
    """Something that files are read from. `root` is a machine path and is never stored in a row.

    `kind` is `folder` (files on disk, below `root`), `blobs` (a git revision), `archive`, `table` or `events`. `commit` is
    the commit id of a git source; `revision` is what rows say about files that are not of a commit. `package`: what a
    registry's archive is.
    """

    repo: str
    kind: str
    root: str
    git_dir: str = ""
    commit: str = ""
    revision: str | None = None
    license: licenses.License | None = None
    package: Package | None = None

    @property
    def repository(self) -> git.Repository:
        return git.Repository(self.root, self.git_dir, bare=self.git_dir == self.root)


@dataclass(frozen=True)
class Candidate:
    """A file that may become a row: path, size in bytes, where its content is (blob id or member number).

    `committed` is the blob id at the source's commit ("" outside git or for an uncommitted path). `owners` are the
    installed packages that claim the file, where several lie in one folder.
    """

    path: str
    size: int
    where: str = ""
    committed: str = ""
    added_at: int | None = None
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skip:
    path: str
    reason: str
    size: int = 0


@dataclass
class Listing:
    """What one source holds: candidates by path, skipped paths, verdicts of its licence texts by folder.

    A `table` is read by its slices and has no candidates, and so are `events`. `commits` are ids of a git history,
    newest first. `about` is what Kaggle's metadata say about notebooks, by folder.

    `prefixes` are the folders of a repository that were asked for: what lies above them is not judged. `shallow`:
    the history of the repository was cut off, so that nobody knows when a file was added; `timeless`: of so many
    committed files a damaged history does not tell it.
    """

    source: Source
    candidates: list[Candidate] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    folders: dict[str, licenses.License] = field(default_factory=dict)
    prefixes: tuple[str, ...] = ("",)
    shallow: bool = False
    timeless: int = 0
    table: tabular.Layout | None = None
    events: events.Layout | None = None
    commits: tuple[str, ...] = ()
    about: dict[str, kaggle.About] = field(default_factory=dict)

    @property
    def holds_something(self) -> bool:
        return bool(self.candidates or self.table or self.events or self.commits)


def unique_names(listings: list[Listing]) -> list[Listing]:
    """Sources that share a name become name, name-2, … in the order of the configuration."""
    taken: set[str] = set()
    for listing in listings:
        base = names.printable(listing.source.repo)
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        listing.source = replace(listing.source, repo=name)
    return sorted(listings, key=lambda listing: listing.source.repo)
