"""The languages that programs can be run in: one file each."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from pathlib import PurePosixPath

from codekiln.errors import UserError
from codekiln.sandbox.toolchain import Toolchain


@cache
def toolchains() -> dict[str, Toolchain]:
    """Language -> how it is run, in the order of names."""
    found = [
        importlib.import_module(f"{__name__}.{one.name}").TOOLCHAIN for one in pkgutil.iter_modules(__path__)
    ]
    return {one.language: one for one in sorted(found, key=lambda one: str(one.language))}


def toolchain(name: str) -> Toolchain:
    """The toolchain of a language by any of its names.

    Raises UserError where there is none.
    """
    for one in toolchains().values():
        if name.lower() in (one.language, *one.names):
            return one
    close = difflib.get_close_matches(name.lower(), list(toolchains()), n=1)
    hint = f"did you mean {close[0]}?" if close else f"one of: {', '.join(toolchains())}"
    raise UserError(f"{name}: no toolchain for this language; {hint}")


def language_of(path: str) -> str | None:
    """The language that a file's ending stands for, or None."""
    ending = PurePosixPath(path).suffix
    return next((one.language for one in toolchains().values() if ending in one.endings), None)
