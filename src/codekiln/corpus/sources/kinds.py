"""Which kinds of text are read of a source besides its files: commits, and what Kaggle says of notebooks."""

from __future__ import annotations

from codekiln.corpus import licenses
from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources import history, kaggle, reading
from codekiln.corpus.sources.records import Listing, Skip
from codekiln.errors import UserError

#: Bytes of Kaggle's metadata that are read of one source.
ABOUT_BYTES = 32 * 1024**2


def describe(listing: Listing, refused: list[licenses.OptOut]) -> None:
    """Note what Kaggle's metadata say of a source's notebooks: of all files, as `sources.languages` may leave these out.

    Nothing is known of those on the opt-out list, nor of those beyond `ABOUT_BYTES`.
    """
    source = listing.source
    named = set(kaggle.metadata_paths(one.path for one in listing.candidates))
    wanted = [
        one
        for one in listing.candidates
        if one.path in named and not licenses.opted_out(source.repo, one.path, refused)
    ]
    texts: dict[str, bytes] = {}
    left = ABOUT_BYTES
    for one, data in reading.contents(source, wanted, kaggle.METADATA_BYTES) if wanted else ():
        if isinstance(data, bytes) and len(data) <= left:
            left -= len(data)
            texts[one.path] = data
    listing.about = kaggle.find_about(texts)


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
    if "files" not in config.kinds and source.kind != "events":
        listing.candidates, listing.skipped, listing.table = [], [], None
    if "commits" not in config.kinds or not source.git_dir:
        return
    if not source.commit:
        listing.skipped.append(Skip("commit/", "commit: the repository has none"))
        return
    try:
        ids = history.commit_ids(source.repository, source.commit, listing.prefixes)
    except UserError:  # git's words name places of this machine
        listing.skipped.append(Skip("commit/", "commit: the history cannot be read (see `git fsck`)"))
    else:
        listing.commits = tuple(ids)
