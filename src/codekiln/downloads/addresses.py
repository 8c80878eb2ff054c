"""Addresses: what may be followed, and how one is shown without its secrets."""

from __future__ import annotations

import base64
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from codekiln.errors import UserError

_LONGEST = 8192


def split(url: str) -> SplitResult:
    """An address in its parts. Raises UserError where it is none (a broken port or bracket, say)."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # only reading it checks it
    except ValueError:
        raise UserError(f"{url[:120]!r} is no address") from None
    return parts


def checked_link(base: str, link: str) -> str:
    """Where a link of the page `base` leads, in full.

    Raises:
        UserError: it leads to another scheme than http and https, or from https to http, or is no address.
    """
    if len(link) > _LONGEST or any(ord(one) <= 32 or ord(one) > 126 for one in link):
        raise UserError(f"{shown(base)} leads to an address with odd characters ({link[:60]!r})")
    try:
        whole = urljoin(base, link)
    except ValueError:
        raise UserError(f"{shown(base)} leads to {link[:60]!r}, which is no address") from None
    here, there = split(base), split(whole)
    allowed = ("https",) if here.scheme == "https" else ("http", "https")
    if here.scheme == "file" and there.scheme == "file":
        return whole
    if there.scheme not in allowed or not there.hostname:
        raise UserError(
            f"{shown(base)} leads to {shown(whole)}; only {' and '.join(allowed)} addresses are followed from there"
        )
    return whole


def without_login(url: str) -> str:
    """An address without user name and password."""
    parts = split(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def login_of(url: str) -> str | None:
    """The Authorization header for the user name and password in an address, or None."""
    name, at, _ = split(url).netloc.rpartition("@")
    if not at:
        return None
    user, _, password = name.partition(":")
    return basic(unquote(user), unquote(password))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def shown(url: str) -> str:
    """An address for a message: without login and query, which may hold a secret, and of bounded length."""
    try:
        parts = urlsplit(url)
        text = f"{parts.scheme}://" * bool(parts.scheme) + parts.netloc.rpartition("@")[2] + parts.path
    except ValueError:
        text = "address"
    text = "".join(one if one.isprintable() else "?" for one in text)
    return text if len(text) <= 200 else text[:197] + "..."
