"""Make `src/codekiln/corpus/licenses/prints.npz` from a checkout of the SPDX licence list.

    git clone https://github.com/spdx/license-list-XML
    python tools/license_prints.py license-list-XML src/codekiln/corpus/licenses/prints.npz

Each licence becomes the set of its hashed word triples. Words that the list marks as replaceable or optional, titles
and notices count as optional: they are recognised, yet a text may lack them. What the list marks as copyright
line or bullet is left out. The texts themselves are not stored.
"""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from codekiln.corpus.licenses.words import triples_of, words_of

_SPACE = "{http://www.spdx.org/license}"
# Same words under several names: the texts of the GNU licences do not say "only" or "or later"; the list has
# entries for font names reserved or not; whole Python stacks are called PSF-2.0 by those who use them.
_SAME = re.compile(r"^(?:(?:A?L?GPL|GFDL)-[\d.]+|OFL-[\d.]+)(?=-)")
_RENAMED = {"Python-2.0": "PSF-2.0", "Python-2.0.1": "PSF-2.0", "MPL-2.0-no-copyleft-exception": ""}
# National ports of Creative Commons differ from the international text in a few words.
_PORT = re.compile(r"^CC-[A-Z-]+-[\d.]+-[A-Z]{2,3}$")
_OPTIONAL = {"optional", "alt", "titleText", "standardLicenseHeader"}
_DROPPED = {"bullet", "copyrightText"}

Piece = tuple[str, bool]  # words, and whether they are optional; "" parts what must not be joined


def pieces(element: ElementTree.Element, optional: bool = False) -> Iterator[Piece]:
    """The text of an element in order; its tail belongs to the caller."""
    name = element.tag.removeprefix(_SPACE)
    if name in _DROPPED:
        yield "", True
        return
    inner = optional or name in _OPTIONAL
    if element.text:
        yield element.text, inner
    for child in element:
        yield from pieces(child, inner)
        if child.tail:
            yield child.tail, inner


def triples(found: list[Piece]) -> tuple[set[int], set[int]]:
    """(required, optional) triples of a text, also of the text without its optional words."""
    required: set[int] = set()
    every: set[int] = set()
    for chosen in (found, [piece for piece in found if not piece[1] or not piece[0]]):
        hashes: list[int] = []
        free: list[bool] = []
        for text, optional in [*chosen, ("", True)]:
            if not text:
                made = triples_of(np.array(hashes, dtype=np.uint64)).tolist()
                every.update(made)
                if chosen is found:
                    required.update(t for t, *marks in zip(made, free, free[1:], free[2:]) if not any(marks))
                hashes, free = [], []
                continue
            here = words_of(text.encode()).hashes.tolist()
            hashes += here
            free += [optional] * len(here)
    return required, every - required


def main(source: Path, target: Path) -> None:
    entries: dict[tuple[str, str], tuple[set[int], set[int]]] = {}
    known: list[str] = []
    for path in sorted((source / "src").rglob("*.xml")):
        root = ElementTree.parse(path).getroot()
        for item in root:
            name = item.get("licenseId", "")
            known.append(name)
            exception = item.tag == f"{_SPACE}exception"
            text = item.find(f"{_SPACE}text")
            if text is None or exception or item.get("deprecatedVersion") or _PORT.match(name):
                continue
            for header in text.iter(f"{_SPACE}standardLicenseHeader"):
                found = list(pieces(header))
                own = [(words, any_of) for words, any_of in _inside(header)]
                if sum(len(words.split()) for words, _ in found) > 12:
                    entries.setdefault((name, "notice"), triples(own))
            same = _SAME.match(name)
            label = same[0] if same else _RENAMED.get(name, name)
            if label and (label, "text") not in entries:
                entries[label, "text"] = triples(list(pieces(text)))
            elif name in ("Python-2.0", "Python-2.0.1", "PSF-2.0"):
                entries[f"{label}", f"text {name}"] = triples(list(pieces(text)))
    rows = {key: value for key, value in sorted(entries.items()) if len(value[0]) >= 6}
    flat = sorted(
        (triple, number * 2 + optional)
        for number, sets in enumerate(rows.values())
        for optional, chosen in enumerate(sets)
        for triple in chosen
    )
    table, counts = np.unique(np.array([t for t, _ in flat], dtype=np.uint32), return_counts=True)
    labels = json.dumps(
        {"entries": [[name, kind.split()[0]] for name, kind in rows], "ids": sorted(set(known))}
    )
    np.savez_compressed(
        target,
        triples=np.diff(table, prepend=np.uint32(0)),
        counts=counts.astype(np.uint16),
        entries=np.array([entry for _, entry in flat], dtype=np.uint16),
        labels=np.frombuffer(labels.encode(), dtype=np.uint8),
    )
    print(f"{len(rows)} texts and notices, {len(table)} triples, {target.stat().st_size / 1e6:.2f} MB")


def _inside(header: ElementTree.Element) -> Iterator[Piece]:
    """A notice taken by itself: only what is replaceable in it is optional."""
    if header.text:
        yield header.text, False
    for child in header:
        yield from pieces(child)
        if child.tail:
            yield child.tail, False


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
