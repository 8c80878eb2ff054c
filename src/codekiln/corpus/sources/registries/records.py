"""What a registry is asked for, and what it answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from codekiln.errors import UserError

Registry = Literal["pypi", "npm"]

_PYPI = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,198}[A-Za-z0-9])?", re.ASCII)
_NPM = re.compile(r"(?:@[a-z0-9~-][a-z0-9._~-]{0,100}/)?[A-Za-z0-9~_-][A-Za-z0-9._~-]{0,200}", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,99}", re.ASCII)
#: What a file of a registry may be called; anything else never becomes a path.
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!-]{0,199}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{40,128}")


@dataclass(frozen=True)
class Spec:
    """A package as the user named it: `text` as given, `version` None for the newest."""

    text: str
    registry: Registry
    name: str
    version: str | None


@dataclass(frozen=True)
class Package:
    """A version of a package that was chosen: its source archive, where it is, and its hash.

    `algorithm` and `digest` (hex) are what the registry says, both "" where it says nothing; `sha256` is that of the
    bytes that came, "" before they did. `url` has no login. `word` tells the user what is unusual about the choice.
    """

    registry: Registry
    name: str
    version: str
    file: str
    url: str
    algorithm: str
    digest: str
    sha256: str = ""
    word: str = ""

    def as_dict(self) -> dict[str, str]:
        return dict(vars(self))


def parse(text: str) -> Spec | None:
    """`pypi:NAME[==VERSION]` or `npm:[@SCOPE/]NAME[@VERSION]`, None for anything else.

    Raises:
        UserError: it is meant for a registry, but there can be no such name or version.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in ("pypi", "npm"):
        return None
    if scheme == "pypi":
        name, mark, version = rest.partition("==")
        usage = "pypi:NAME or pypi:NAME==VERSION"
        if not _PYPI.fullmatch(name):
            raise UserError(f"source {text[:200]}: {name[:60]!r} is no package name; write {usage}")
    else:
        at = rest.find("@", 1)
        name, mark, version = (rest, "", "") if at < 0 else (rest[:at], "@", rest[at + 1 :])
        usage = "npm:NAME, npm:@SCOPE/NAME or npm:NAME@VERSION"
        if not _NPM.fullmatch(name):
            raise UserError(f"source {text[:200]}: {name[:60]!r} is no package name; write {usage}")
    if mark and not _VERSION.fullmatch(version):
        raise UserError(f"source {text[:200]}: {version[:60]!r} is no version; write {usage}")
    return Spec(text, "pypi" if scheme == "pypi" else "npm", name, version or None)


def is_file_name(name: str) -> bool:
    """Whether a file name of a registry is one: no folder, no odd character, no leading dot."""
    return _FILE.fullmatch(name) is not None


def read_package(value: Any) -> Package | None:
    """A package out of a record on disk, or None where the record does not hold one."""
    if not isinstance(value, dict) or set(value) != set(Package.__dataclass_fields__):
        return None
    if not all(isinstance(one, str) for one in value.values()) or value["registry"] not in ("pypi", "npm"):
        return None
    package = Package(**value)
    hashes = [package.sha256] + ([package.digest] if package.algorithm else [])
    fine = is_file_name(package.file) and all(_HEX.fullmatch(one) for one in hashes)
    return package if fine else None
