"""What a path alone says: vendored folders, generated or minified names, paths that cannot be stored."""

from __future__ import annotations

import re
from collections.abc import Callable

_CACHES = """
    .git .hg .svn .bzr CVS __pycache__ .mypy_cache .ruff_cache .pytest_cache .hypothesis .ipynb_checkpoints .tox
    .nox .idea .cache .gradle .terraform .next .nuxt .svelte-kit .parcel-cache .dart_tool .stack-work
"""
#: Never listed and never recorded: version control and caches.
CACHE_FOLDERS = frozenset(_CACHES.split())

_VENDORED_NAMES = """
    node_modules bower_components jspm_packages vendor vendors vendored _vendor _vendored third_party thirdparty
    third-party 3rdparty 3rd-party 3rd_party .venv site-packages dist-packages __pypackages__ .eggs pods carthage
    deriveddata external_libs elm-stuff .bundle .yarn .pnpm-store
"""
_VENDORED = frozenset(_VENDORED_NAMES.split())

# Build outputs and environments by custom, yet ordinary names of Python packages: a folder with an `__init__.py`
# is source.
_BUILT = frozenset(["build", "dist", "venv", "virtualenv"])

_MINIFIED = re.compile(
    r"(?:[.-]min\.(?:js|mjs|cjs|css)|\.(?:bundle|chunk)\.(?:js|css)|\.(?:js|css|mjs)\.map)$"
)
_GENERATED = re.compile(
    r"""(?: _pb2(?:_grpc)?\.pyi?
          | \.pb(?:\.gw|_test)?\.(?:go|cc|cpp|h|c|swift|dart|rb|js|ts)
          | _pb\.(?:js|d\.ts|ts|rb)
          | \.(?:g|freezed|gr|mocks|config)\.dart
          | \.(?:designer|g|g\.i)\.(?:cs|vb)
          | [._-]generated\.[a-z0-9+#]+
          | ^zz_generated[._].*
          | (?:^|[-.])(?:lock|shrinkwrap)\.(?:json|ya?ml)
          | ^(?:package-lock|npm-shrinkwrap|composer\.lock|flake\.lock|packages\.lock)(?:\.json)?
          | ^(?:cargo|poetry|pdm|uv|pipfile|gemfile|podfile|pubspec|mix|yarn|bun|pixi|deno)\.lockb?
          | ^go\.(?:sum|work\.sum)
        )$""",
    re.VERBOSE,
)

#: Why a path that `is_inside` refuses is not read.
UNSAFE = "unsafe path"

#: Also C1, which some terminals obey, and what turns the reading order of a line round.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def vendored_folder(path: str, is_package: Callable[[str], bool], start: int = 0) -> str | None:
    """The first folder of a path, from character `start` on, that holds other people's or built code, or None.

    `is_package(folder)` tells whether a folder has an `__init__.py`.
    """
    end = path.find("/", start)
    while end >= 0:
        folder = path[:end]
        if is_vendored_name(folder[start:], is_package(folder)):
            return folder
        start, end = end + 1, path.find("/", end + 1)
    return None


def is_vendored_name(name: str, package: bool) -> bool:
    """Whether a folder of this name holds vendored or built code; `package`: it has an `__init__.py`."""
    lower = name.lower()
    return lower in _VENDORED or (lower in _BUILT and not package)


def in_cache(path: str) -> bool:
    """Whether a path lies in a version-control or cache folder."""
    return any(part in CACHE_FOLDERS for part in path.split("/")[:-1])


def is_generated_name(path: str) -> bool:
    """Whether the name is that of a generated, minified or lock file."""
    return _GENERATED.search(path.rsplit("/", 1)[-1].lower()) is not None or is_minified_name(path)


def is_minified_name(path: str) -> bool:
    """Whether the name is that of a minified or bundled file, or of a source map."""
    return _MINIFIED.search(path.lower()) is not None


def is_storable(path: str) -> bool:
    """Whether a path is valid UTF-8 without control characters (a name with a newline would break a list)."""
    return _CONTROL.search(path) is None


def is_inside(path: str) -> bool:
    """Whether the text of a path keeps it below its root: relative, with no empty, `.` or `..` component."""
    return "\0" not in path and not any(part in ("", ".", "..") for part in path.split("/"))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if 0x2000 <= code < 0x3000 else f"\\x{code & 0xFF:02x}"


def printable(path: str) -> str:
    """A path that can be stored and shown: undecodable bytes and control characters as escapes."""
    return _CONTROL.sub(_escape, path)
