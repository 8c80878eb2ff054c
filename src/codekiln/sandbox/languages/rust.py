"""Rust: rustc, the toolchain itself where rustup's stand-ins are in PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache

from codekiln.errors import UserError
from codekiln.sandbox.ending import block_of, code_only
from codekiln.sandbox.launch import PATH
from codekiln.sandbox.toolchain import Files, Toolchain

_MAIN = re.compile(r"\bfn\s+main\s*\(")
_TEST = re.compile(r"#\[test\]")
_TESTS_ONLY = re.compile(r"#\[cfg\(test\)\]")
_ITEM = re.compile(r"(?P<test>\#\[test\])|\bmod\s+(?P<module>\w+)\s*\{|\bfn\s+(?P<function>\w+)|[{}]")
_FINISH = """
;{ use std::io::{Read as _, Write as _}; use std::os::unix::io::FromRawFd as _;
  let mut _asked = Vec::new();
  unsafe { std::fs::File::from_raw_fd(3) }.read_to_end(&mut _asked).unwrap();
  for _byte in _asked.iter_mut() { *_byte ^= 0x5A; }
  unsafe { std::fs::File::from_raw_fd(4) }.write_all(&_asked).unwrap(); }"""


@cache
def _root() -> str:
    """The folder of the toolchain that rustc of PATH stands for, "" where there is none."""
    places = f"{PATH}:{os.environ.get('PATH', '')}:{os.path.expanduser('~/.cargo/bin')}"
    named = shutil.which("rustc", path=places)
    if named is None:
        return ""
    try:
        done = subprocess.run(
            [named, "--print", "sysroot"], capture_output=True, timeout=60, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    root = done.stdout.decode("utf-8", "replace").strip()
    return os.path.realpath(root) if done.returncode == 0 and os.path.exists(f"{root}/bin/rustc") else ""


def _compiler() -> list[str]:
    root = _root()
    return [f"{root}/bin/rustc"] if root and shutil.which("cc", path=PATH) else []


def _folders() -> list[str]:
    root = _root()
    return [root] if root and not root.startswith("/usr/") and root != "/usr" else []


def _finishing(source: str) -> str:
    """At the end of main; of one that returns a value afterwards, before the value is; of tests after all of them."""
    code = code_only(source, "rust")
    called = ""
    if _TEST.search(code):
        called = "".join(f"\n;{name}();" for name in _test_names(code))
        parts, last = [], 0
        for found in sorted([*_TEST.finditer(code), *_TESTS_ONLY.finditer(code)], key=re.Match.start):
            shown = "pub" if _TEST.match(found[0]) else ""  # as long as what it replaces
            parts += [source[last : found.start()], shown.ljust(len(found[0]))]
            last = found.end()
        source = "".join([*parts, source[last:]])
        try:
            own = block_of(source, _MAIN, "rust", "").depth == 0
        except UserError:
            own = False
        source += "" if own else "\nfn main() { }"
    block = block_of(source, _MAIN, "rust", "function main")
    returned = source[block.header : block.begin].partition("->")[2]
    before, body, after = source[: block.begin + 1], source[block.begin + 1 : block.end], source[block.end :]
    if not returned.strip():
        return f"{before}{body}{called}{_FINISH}\n{after}"
    return (
        f"{before} fn _main() ->{returned}{{{body}}}\nlet _value = _main();{called}{_FINISH}\n_value {after}"
    )


def _test_names(code: str) -> list[str]:
    """The paths of test functions at the top of a file and in its modules, in their order."""
    names: list[str] = []
    module, depth, test = "", 0, False
    for found in _ITEM.finditer(code):
        if found["module"] and depth == 0:
            module = f"{found['module']}::"
        if found["test"]:
            test = True
        elif found["function"] and test:
            names.append(f"{module if depth else ''}{found['function']}")
            test = False
        depth += found[0].endswith("{") - (found[0] == "}")
    return names


def _test_words(files: Files, main: str) -> list[str]:
    """With functions that are tests it is these that run."""
    return ["--test"] if _TEST.search(code_only(files[main].decode("utf-8", "replace"), "rust")) else []


TOOLCHAIN = Toolchain(
    language="rust",
    names=("rs",),
    endings=(".rs",),
    # A little optimisation, with overflow and assertions checked as in a debug build: the tests' expectation.
    compile=("rustc", "--edition", "2021", "-Copt-level=1", "-Cdebug-assertions=on", "-Coverflow-checks=on", "-Cdebuginfo=0",
             "--cap-lints", "allow", "--crate-name", "program", "-o", "program", "{main}"),
    run=("./program",),
    version=("rustc", "--version"),
    install="apt-get install rustc gcc",
    out_of_memory=(b"memory allocation of",),
    lookup={"rustc": _compiler},
    folders=_folders,
    environment={"RUST_TEST_THREADS": "1"},
    compile_words=_test_words,
    finishing=_finishing,
)  # fmt: skip
