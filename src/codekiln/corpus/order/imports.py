"""What a source file imports: patterns of many languages, each linear on any text, and how each name is looked up.

Strings and comments are not told apart from code: an import that is quoted makes a dependency too, which orders files
a little differently and does no harm.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

from codekiln.corpus.order.pathindex import PathIndex, ancestors, joined

#: (number of the file, its path, its content, index) -> numbers of files that it imports.
Finder = Callable[[str, str, PathIndex], Iterator[int | None]]

_SCRIPT = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".coffee", ".json")
_SCRIPT_ENDINGS = ("", *_SCRIPT, *("/index" + ending for ending in _SCRIPT))

_PYTHON = re.compile(
    r"^[ \t]{0,80}(?:from[ \t]{1,8}(\.{0,32}[\w.]{0,300})[ \t]{1,8}import[ \t]{0,8}(?:\(([^()]{0,9999})\)|([^\n#;(]{1,2000}))"
    r"|import[ \t]{1,8}([\w., \t]{1,2000}))",
    re.MULTILINE,
)
_SCRIPTS = re.compile(
    r"\b(?:from|import|require)[ \t\r\n]{0,8}\(?[ \t\r\n]{0,8}(?:'([^'\n]{1,300})'|\"([^\"\n]{1,300})\"|`([^`$\n]{1,300})`)"
)
_GO = re.compile(
    r"^[ \t]{0,8}(?:import[ \t(]{1,8})?(?:[\w.]{1,80}[ \t]{1,8})?\"([\w./~-]{1,300})\"", re.MULTILINE
)
_GO_MODULE = re.compile(r"^module[ \t]{1,8}\"?([\w./~-]{1,300})", re.MULTILINE)
_RUST_MODULE = re.compile(
    r"^[ \t]{0,80}(?:pub(?:\([\w: ]{1,40}\))?[ \t]{1,8})?mod[ \t]{1,8}(\w{1,100})[ \t]{0,8};", re.MULTILINE
)
_RUST_USE = re.compile(r"\buse[ \t]{1,8}((?:crate|self|super)(?:::\w{1,100}){0,20})(?:::\{([^;{]{0,2000}))?")
_INCLUDE = re.compile(
    r"^[ \t]{0,80}#[ \t]{0,8}(?:include|import)(?:_next)?[ \t]{0,8}([<\"])([^>\"\n]{1,300})[>\"]",
    re.MULTILINE,
)
_DART = re.compile(r"^[ \t]{0,8}(?:import|export|part)[ \t]{1,8}['\"]([^'\"\n]{1,300})['\"]", re.MULTILINE)
_RUBY = re.compile(
    r"^[ \t]{0,80}(require|require_relative|load)[ \t(]{1,8}['\"]([^'\"\n]{1,300})['\"]", re.MULTILINE
)


def python(path: str, text: str, index: PathIndex) -> Iterator[int | None]:
    """`import a.b`, `from a.b import c`, relative ones too; a name may be a module of the package."""
    folders = [folder for folder in ancestors(path) if not _is_package(folder, index)]
    here = posixpath.dirname(path)
    for module, inside, line, plain in _PYTHON.findall(text):
        if plain:
            for name in plain.split(","):
                words = name.split()
                if words:
                    yield _python_module(words[0].replace(".", "/"), path, folders, index)
            continue
        names = [words[0] for part in (inside or line).split(",") if (words := part.split())]
        bare = module.lstrip(".")
        up = len(module) - len(bare)
        stem = bare.replace(".", "/")
        if up:
            base = here
            for _ in range(up - 1):
                base = posixpath.dirname(base)
            whole = joined(base, stem) if stem else base
            found = [index.among((joined(whole, name),), _PYTHON_ENDINGS) for name in names]
            package = index.among((whole,), _PYTHON_ENDINGS)
        else:
            found = [_python_module(f"{stem}/{name}", path, folders, index) for name in names]
            package = _python_module(stem, path, folders, index)
        yield from found
        if not found or None in found:
            yield package


_PYTHON_ENDINGS = (".py", "/__init__.py", ".pyi", ".pyx", "/__init__.pyi")


def _is_package(folder: str, index: PathIndex) -> bool:
    return joined(folder, "__init__.py") in index.numbers


def _python_module(stem: str, path: str, folders: list[str], index: PathIndex) -> int | None:
    found = index.among((joined(folder, stem) for folder in folders), _PYTHON_ENDINGS)
    if found is not None:
        return found
    for ending in _PYTHON_ENDINGS:
        found = index.nearest(path, stem + ending, rooted=True)
        # Inside a package an absolute import begins at its top: `import json` is no file beside.
        if found is not None and not _is_package(index.paths[found][: -len(stem + ending) - 1], index):
            return found
    return None


def scripts(path: str, text: str, index: PathIndex) -> Iterator[int | None]:
    """Relative paths, with or without their ending, and folders with an index file; `@/` and `~/` are source roots."""
    here = posixpath.dirname(path)
    for groups in _SCRIPTS.findall(text):
        target = "".join(groups)
        if target.startswith((".", "/")):
            found = index.beside(here, target.lstrip("/"), _SCRIPT_ENDINGS)
            if found is None and target.endswith((".js", ".jsx", ".mjs", ".cjs")):
                # TypeScript names the file that it will be compiled to.
                found = index.beside(here, target.rpartition(".")[0], _SCRIPT_ENDINGS)
            yield found
        elif target.startswith(("@/", "~/")):
            stems = [
                joined(joined(folder, root), target[2:]) for folder in ancestors(path) for root in ("src", "")
            ]
            yield index.among(stems, _SCRIPT_ENDINGS)


def go(path: str, text: str, index: PathIndex) -> Iterator[int | None]:
    """The folder of a package: below the module's own path, else by the longest end of the import's path."""
    for target in _GO.findall(text):
        parts = target.split("/")
        if "." not in parts[0] and len(parts) < 2:
            continue
        folders = ["/".join(parts[at:]) for at in range(min(len(parts), 8))]
        for folder in folders[1:] if "." in parts[0] else folders:
            numbers = index.folders.get(folder)
            if numbers and folder != posixpath.dirname(path):
                yield from numbers[:_MANY]
                break


def rust(path: str, text: str, index: PathIndex) -> Iterator[int | None]:
    """`mod a;`, and `use` of crate, self and super paths: the longest beginning that is a file."""
    here, name = posixpath.split(path)
    own = (
        here
        if name in ("mod.rs", "lib.rs", "main.rs", "build.rs")
        else joined(here, name.removesuffix(".rs"))
    )
    tops = [folder for folder in ancestors(path) if posixpath.basename(folder) == "src"]
    root = next(
        (
            f
            for f in ancestors(path)
            if index.among((joined(f, "lib"), joined(f, "main")), (".rs",)) is not None
        ),
        tops[0] if tops else here,
    )
    for module in _RUST_MODULE.findall(text):
        yield index.among((joined(own, module),), (".rs", "/mod.rs"))
    for start, inside in _RUST_USE.findall(text):
        parts = start.split("::")
        base = root if parts[0] == "crate" else own
        for part in parts:
            base = posixpath.dirname(base) if part == "super" else base
        stems = [part for part in parts if part not in ("crate", "self", "super")]
        heads = [
            piece.split("::")
            for group in inside.split(",")
            if (piece := group.strip().split(" ")[0].strip("}"))
        ]
        for more in heads or [[]]:
            whole = [*stems, *more][:20]
            tries = ("/".join([base, *whole[:count]]).lstrip("/") for count in range(len(whole), 0, -1))
            yield index.among(tries, (".rs", "/mod.rs"))


def includes(path: str, text: str, index: PathIndex) -> Iterator[int | None]:
    """`#include "a/b.h"` beside the file, else the nearest file of that name; `<a/b.h>` only below a source root."""
    here = posixpath.dirname(path)
    for mark, target in _INCLUDE.findall(text):
        found = index.beside(here, target, ("",)) if mark == '"' else None
        if found is None:
            found = index.nearest(path, posixpath.normpath(target).lstrip("./"), rooted=mark == "<")
        yield found


def dart(path: str, text: str, index: PathIndex) -> Iterator[int | None]:
    here = posixpath.dirname(path)
    for target in _DART.findall(text):
        if target.startswith("package:"):
            package, _, rest = target[8:].partition("/")
            yield index.among(
                (f"{package}/lib/{rest}", f"packages/{package}/lib/{rest}", f"lib/{rest}"), ("",)
            )
        elif ":" not in target:
            yield index.beside(here, target, ("",))


def ruby(path: str, text: str, index: PathIndex) -> Iterator[int | None]:
    here = posixpath.dirname(path)
    for kind, target in _RUBY.findall(text):
        if kind == "require_relative" or target.startswith("."):
            yield index.beside(here, target, (".rb", ""))
        else:
            stems = [
                joined(joined(folder, root), target) for folder in ancestors(path) for root in ("lib", "")
            ]
            yield index.among(stems, (".rb", ""))


def _quoted(pattern: str, *endings: str) -> Finder:
    """Paths beside the file or, failing that, the nearest file whose path ends so."""
    compiled = re.compile(pattern, re.MULTILINE)

    def find(path: str, text: str, index: PathIndex) -> Iterator[int | None]:
        here = posixpath.dirname(path)
        for target in compiled.findall(text):
            target = target.strip().lstrip("/")
            found = index.beside(here, target, ("", *endings))
            if found is None and len(target) < 1000:
                tails = (
                    index.nearest(path, posixpath.normpath(target) + ending) for ending in ("", *endings)
                )
                found = next((number for number in tails if number is not None), None)
            yield found

    return find


def _dotted(pattern: str, mark: str, *endings: str) -> Finder:
    """Module names whose parts are folders, below any source root."""
    compiled = re.compile(pattern, re.MULTILINE)

    def find(path: str, text: str, index: PathIndex) -> Iterator[int | None]:
        for target in compiled.findall(text):
            tails = (
                index.nearest(path, target.replace(mark, "/") + ending, rooted=True) for ending in endings
            )
            yield next((number for number in tails if number is not None), None)

    return find


_Q = r"[ \t(]{0,8}['\"]([^'\"\n]{1,300})['\"]"
_haskell = _dotted(r"^import[ \t]{1,8}(?:qualified[ \t]{1,8})?([A-Z][\w.]{0,200})", ".", ".hs", ".lhs")
_agda = _dotted(r"^[ \t]{0,40}(?:open[ \t]{1,8})?import[ \t]{1,8}([A-Z][\w.]{0,200})", ".", ".agda", ".lagda")
_elm = _dotted(r"^import[ \t]{1,8}([A-Z][\w.]{0,200})", ".", ".elm")
_verilog = _quoted(r"^[ \t]{0,40}`include" + _Q)
_css = _quoted(r"@import[ \t]{0,8}(?:url)?" + _Q, ".css")
_lisp = _quoted(r"\((?:load|include|require)[ \t]{1,8}\"([^\"\n]{1,300})\"", ".scm", ".rkt", ".lisp", ".el")

#: Files of one package that an import of it counts for at most.
_MANY = 64

FINDERS: dict[str, Finder] = {
    "python": python, "go": go, "rust": rust, "dart": dart, "ruby": ruby,
    **dict.fromkeys(("javascript", "typescript", "vue", "coffeescript"), scripts),
    **dict.fromkeys(("c", "c++", "cuda", "objectc++", "glsl"), includes),
    "haskell": _haskell, "literate-haskell": _haskell, "agda": _agda, "idris": _dotted(r"^import[ \t]{1,8}(?:public[ \t]{1,8})?([A-Z][\w.]{0,200})", ".", ".idr"),
    "lean": _dotted(r"^import[ \t]{1,8}([A-Z][\w.]{0,200})", ".", ".lean"), "elm": _elm,
    "perl": _dotted(r"^[ \t]{0,40}(?:use|require)[ \t]{1,8}([A-Z]\w{0,100}(?:::\w{1,100}){0,20})", "::", ".pm"),
    "lua": _dotted(r"\brequire[ \t(]{0,8}['\"]([\w./-]{1,300})['\"]", ".", ".lua", "/init.lua"),
    "shell": _quoted(r"^[ \t]{0,40}(?:source|\.)[ \t]{1,8}['\"]?([\w./-]{1,300})", ".sh"),
    "julia": _quoted(r"\binclude" + _Q), "r": _quoted(r"\bsource" + _Q), "rmarkdown": _quoted(r"\bsource" + _Q),
    "protocol-buffer": _quoted(r"^[ \t]{0,8}import[ \t]{1,8}(?:public[ \t]{1,8}|weak[ \t]{1,8})?\"([^\"\n]{1,300})\""),
    "thrift": _quoted(r"^[ \t]{0,8}include" + _Q), "erlang": _quoted(r"^-include(?:_lib)?" + _Q),
    "solidity": _quoted(r"^[ \t]{0,8}import\b[^;'\"]{0,300}['\"]([^'\"\n]{1,300})['\"]"),
    "zig": _quoted(r"@import" + _Q), "css": _css, "verilog": _verilog, "systemverilog": _verilog,
    "tex": _quoted(r"\\(?:input|include|subfile)[ \t]{0,8}\{([^{}\n]{1,300})\}", ".tex"),
    "makefile": _quoted(r"^-?include[ \t]{1,8}([\w./-]{1,300})"), "scheme": _lisp, "racket": _lisp, "common-lisp": _lisp,
    "fortran": _quoted(r"^[ \t]{0,80}(?i:include)" + _Q), "powershell": _quoted(r"^[ \t]{0,40}\.[ \t]{1,8}[\"']?(?:\$PSScriptRoot[\\/])?([\w./-]{1,300})"),
    "prolog": _quoted(r":-[ \t]{0,8}(?:consult|include|use_module|ensure_loaded)[ \t(]{1,8}'?([\w./-]{1,300})", ".pl", ".pro"),
}  # fmt: skip
