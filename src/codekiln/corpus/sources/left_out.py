"""Sources whose bytes are broken, or that a registry does not give: each costs itself and is told in one line, as long as there is another to be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from codekiln.corpus.sources import names
from codekiln.corpus.sources.records import Listing, Skip, Source
from codekiln.errors import BadSource, CodekilnError
from codekiln.progress import say


def attempt(broken: list[CodekilnError], path: Path, make: Callable[[], Listing]) -> Listing:
    """What `make` lists; where the source is broken one skipped path with the reason, and the error in `broken`."""
    try:
        return make()
    except BadSource as error:
        reason = str(error).replace(f"{path.parent}{os.sep}", "")  # the same on every machine
        return nothing_of(broken, path.name or "root", error, reason)


def nothing_of(broken: list[CodekilnError], name: str, error: CodekilnError, reason: str) -> Listing:
    """The listing of a source that is left out: one skipped path with the reason; the error is added to `broken`."""
    broken.append(error)
    listing = Listing(Source(name, "folder", name))
    listing.skipped = [Skip("/", f"source left out: {reason}")]
    return listing


def tell(broken: Sequence[CodekilnError], sources: int) -> None:
    """One line for each of the broken ones among so many sources. Raises the first where none is whole."""
    if broken and len(broken) == sources:
        raise broken[0]
    for error in broken:
        say(f"{names.printable(str(error))} (this source is left out, the others are read)")
