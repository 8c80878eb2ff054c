"""Pages of a Python package index: the files of a project, as JSON (PEP 691) or HTML (PEP 503)."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urldefrag

from codekiln.downloads.addresses import checked_link, shown
from codekiln.downloads.web import WebError
from codekiln.errors import UserError

#: Both formats, JSON first.
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
#: A file beyond this many is no project's.
MAX_FILES = 200_000
_ATTRIBUTE = re.compile(rb"""[\s/]*([^\s=>"'/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?""")
#: The strongest hash first.
_STRONG = ("sha512", "sha384", "sha256")


@dataclass(frozen=True)
class IndexFile:
    """A file of a project. `yanked` is None, or why (perhaps ""); hash in hex, both "" without one."""

    name: str
    url: str
    algorithm: str
    digest: str
    yanked: str | None


def read_page(body: bytes, kind: str, base: str) -> list[IndexFile]:
    """The files on a page of the content type `kind` at the address `base`; files with an address that may not be
    followed are left out.

    Raises:
        WebError: it is no page of an index.
    """
    if kind.partition(";")[0].strip().lower().endswith("json"):
        return _read_json(body, base)
    return _read_html(body, base)


def _read_json(body: bytes, base: str) -> list[IndexFile]:
    try:
        page = json.loads(body)
        version = str(page.get("meta", {}).get("api-version", "1.0"))
        files = page["files"]
        if not isinstance(files, list):
            raise TypeError
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise WebError(f"{shown(base)} is no page of a package index (damaged JSON)", again=False) from None
    if version.partition(".")[0] != "1":
        raise WebError(
            f"{shown(base)} speaks version {version[:20]} of the index format; 1 is known", again=False
        )
    found = []
    for one in files[:MAX_FILES]:
        if (
            not isinstance(one, dict)
            or not isinstance(one.get("filename"), str)
            or not isinstance(one.get("url"), str)
        ):
            continue
        hashes = one.get("hashes")
        known = {name: hashes.get(name) for name in _STRONG} if isinstance(hashes, dict) else {}
        algorithm, digest = next(
            ((n, v.lower()) for n, v in known.items() if isinstance(v, str) and v), ("", "")
        )
        yanked = one.get("yanked")
        why = yanked if isinstance(yanked, str) else "" if yanked is True else None
        found += _file(one["filename"], one["url"], base, algorithm, digest, why)
    return found


def _read_html(body: bytes, base: str) -> list[IndexFile]:
    found: list[IndexFile] = []
    for number, (tag, attributes) in enumerate(_tags(body)):
        if number >= MAX_FILES or "href" not in attributes:
            continue
        if tag == b"base":
            try:
                base = checked_link(base, attributes["href"].strip())
            except UserError as error:
                raise WebError(str(error), again=False) from None
            continue
        link, fragment = urldefrag(attributes["href"].strip())
        algorithm, _, digest = fragment.partition("=")
        if algorithm not in _STRONG:
            algorithm, digest = "", ""
        name = unquote(link.partition("?")[0].rstrip("/").rpartition("/")[2])
        found += _file(
            name, link, base, algorithm, digest.partition("&")[0].lower(), attributes.get("data-yanked")
        )
    return found


def _file(
    name: str, link: str, base: str, algorithm: str, digest: str, yanked: str | None
) -> list[IndexFile]:
    try:
        url = checked_link(base, urldefrag(link)[0])
    except (UserError, ValueError):
        return []
    return [IndexFile(name, url, algorithm, digest, yanked)]


def _tags(body: bytes) -> Iterator[tuple[bytes, dict[str, str]]]:
    """The `a` and `base` tags of a page with their attributes; one pass, whatever is in it."""
    place = 0
    while (place := body.find(b"<", place)) >= 0:
        if body.startswith(b"<!--", place):
            end = body.find(b"-->", place)
            if end < 0:
                return
            place = end + 3
            continue
        name = body[place + 1 : place + 6].lower()
        tag = b"a" if name[:1] == b"a" and name[1:2].isspace() else b"base" if name[:4] == b"base" else b""
        place += 1 + len(tag)
        if not tag:
            continue
        attributes: dict[str, str] = {}
        while match := _ATTRIBUTE.match(body, place):
            value = next((part for part in match.groups()[1:] if part is not None), b"")
            key = match[1].decode("ascii", "replace").lower()
            attributes.setdefault(key, html.unescape(value.decode("utf-8", "replace")))
            place = match.end()
        yield tag, attributes
