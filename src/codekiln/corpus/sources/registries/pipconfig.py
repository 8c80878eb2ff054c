"""Which Python package index the user has, as pip is told: environment variables first, then pip's files."""

from __future__ import annotations

import configparser
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from codekiln.downloads.addresses import login_of, split, without_login
from codekiln.downloads.web import Access
from codekiln.errors import UserError, one_line

DEFAULT_INDEX = "https://pypi.org/simple"
_SECTIONS = ("global", "install", "download")


@dataclass(frozen=True)
class PipConfig:
    """Addresses of the indexes, without login or slash at the end, in order; how they are reached; no login of them
    is in any address."""

    indexes: tuple[str, ...]
    access: Access


def read_pip_config() -> PipConfig:
    """What pip would use.

    Raises:
        UserError: a file is no configuration, an index is no address, or pip is told to use none.
    """
    values = _values()
    if values.get("no-index", "").strip().lower() in ("1", "true", "yes", "on"):
        raise UserError(
            "pip's configuration says no-index: unset it (PIP_NO_INDEX), or give a downloaded archive"
        )
    addresses = [
        values.get("index-url", "").strip() or DEFAULT_INDEX,
        *values.get("extra-index-url", "").split(),
    ]
    logins = []
    for address in addresses:
        if split(address).scheme not in ("http", "https", "file"):
            raise UserError(
                f"pip's configuration: {address[:100]!r} is no http, https or file address of an index"
            )
        if login := login_of(address):
            parts = split(without_login(address))
            logins.append((f"{parts.scheme}://{parts.netloc}/", login))
    certificates = (
        values.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    )
    access = Access(
        timeout=_number(values, "timeout", 15.0, 0.1, 3600),
        tries=int(_number(values, "retries", 3, 0, 20)) + 1,
        certificates=os.path.expanduser(certificates) if certificates else None,
        proxy=values.get("proxy") or None,
        logins=tuple(logins),
    )
    bare = dict.fromkeys(without_login(address).rstrip("/") for address in addresses)
    return PipConfig(tuple(bare), access)


def _number(values: dict[str, str], key: str, otherwise: float, least: float, most: float) -> float:
    try:
        return min(max(float(values[key]), least), most) if values.get(key) else otherwise
    except ValueError:
        raise UserError(f"pip's configuration: {key} = {values[key][:40]!r} is no number") from None


def _values() -> dict[str, str]:
    """Key -> value with dashes: later files win over earlier ones, variables over files."""
    values: dict[str, str] = {}
    for path in _files():
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: not a configuration of pip ({one_line(error)[:120]})") from None
        for section in _SECTIONS:
            if parser.has_section(section):
                values |= {key.lower().replace("_", "-"): value or "" for key, value in parser.items(section)}
    for key, value in os.environ.items():
        if key.upper().startswith("PIP_") and value:
            values[key[4:].lower().replace("_", "-")] = value
    return values


def _files() -> list[Path]:
    """Where pip looks, the least important first."""
    own = os.environ.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return []
    home = Path.home()
    if sys.platform == "darwin":
        shared = [Path("/Library/Application Support/pip")]
        support = home / "Library/Application Support/pip"
        user = support if support.is_dir() else home / ".config/pip"
    else:
        places = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        shared = [Path(place) / "pip" for place in reversed(places.split(":")) if place]
        user = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip"
    files = [folder / "pip.conf" for folder in shared] + [Path("/etc/pip.conf")]
    files += [home / ".pip/pip.conf", user / "pip.conf", Path(sys.prefix) / "pip.conf"]
    return [path for path in [*files, *([Path(own)] if own else [])] if path.is_file()]
