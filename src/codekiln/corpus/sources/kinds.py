"""Which kinds of text are read of a source besides its files: commits, and what Kaggle says of notebooks."""

from __future__ import annotations

from pathlib import Path

from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources import history, kaggle, walking
from codekiln.corpus.sources.records import Listing, Skip
from codekiln.errors import UserError, one_line


def choose_kinds(listings: list[Listing], config: SourceConfig) -> None:
    """Add the commits of repositories where they are wanted, and take files out where they are not.

    Raises:
        UserError: commits are wanted and no source is a git repository.
    """
    if "commits" in config.kinds and not any(listing.source.git_dir for listing in listings):
        raise UserError(
            "sources.kinds names commits, but no source is a git repository; give one, or leave them out"
        )
    for listing in listings:
        _choose(listing, config)


def _choose(listing: Listing, config: SourceConfig) -> None:
    source = listing.source
    if source.kind == "folder":
        root = Path(source.root)
        paths = kaggle.metadata_paths(candidate.path for candidate in listing.candidates)
        texts = {path: walking.read_inside(root, path, kaggle.METADATA_BYTES) for path in paths}
        listing.about = kaggle.find_about(
            {path: data for path, data in texts.items() if isinstance(data, bytes)}
        )
    if "files" not in config.kinds and source.kind != "events":
        listing.candidates, listing.skipped, listing.table = [], [], None
    if "commits" not in config.kinds or not source.git_dir:
        return
    if not source.commit:
        listing.skipped.append(Skip("commit/", "commit: the repository has none"))
        return
    try:
        ids = history.commit_ids(source.repository, source.commit, listing.prefixes)
    except UserError as error:
        listing.skipped.append(
            Skip("commit/", f"commit: the history cannot be read ({one_line(error)[-120:]})")
        )
    else:
        listing.commits = tuple(ids)
