"""Sources whose bytes are broken: each costs itself and is told in one line, as long as there is another to be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from codekiln.corpus.sources import names
from codekiln.corpus.sources.records import Listing, Skip, Source
from codekiln.errors import BadSource
from codekiln.progress import say


def attempt(broken: list[BadSource], path: Path, make: Callable[[], Listing]) -> Listing:
    """What `make` lists; where the source is broken one skipped path with the reason, and the error in `broken`."""
    try:
        return make()
    except BadSource as error:
        broken.append(error)
        reason = str(error).replace(f"{path.parent}{os.sep}", "")  # the same on every machine
        listing = Listing(Source(path.name or "root", "folder", str(path)))
        listing.skipped = [Skip("/", f"source left out: {reason}")]
        return listing


def tell(broken: Sequence[BadSource], sources: int) -> None:
    """One line for each of the broken ones among so many sources. Raises the first where none is whole."""
    if broken and len(broken) == sources:
        raise broken[0]
    for error in broken:
        say(f"{names.printable(str(error))} (this source is left out, the others are read)")
