"""TypeScript: the compiler that npm installs (4.x and 5.x, which run in Node, or the native one from 7 on), then Node."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from functools import cache
from pathlib import Path

from codekiln.sandbox.ending import at_end
from codekiln.sandbox.languages import javascript
from codekiln.sandbox.launch import PATH
from codekiln.sandbox.toolchain import Files, Toolchain, located

#: Declares what Node has where its types are not installed; of names that a program declares itself, nothing is.
_VARIABLES = (
    "require", "module", "exports", "process", "console", "Buffer", "global", "__dirname", "__filename", "setTimeout",
    "setInterval", "setImmediate", "clearTimeout", "clearInterval", "clearImmediate", "queueMicrotask",
    "structuredClone", "performance", "fetch", "URL", "URLSearchParams", "TextEncoder", "TextDecoder",
    "AbortController", "crypto", "assert",
)  # fmt: skip
_TYPES = ("Buffer", "URL", "URLSearchParams", "TextEncoder", "TextDecoder", "AbortController")
_MODULES = (
    "assert", "assert/strict", "async_hooks", "buffer", "child_process", "crypto", "events", "fs", "fs/promises", "http",
    "https", "module", "net", "os", "path", "perf_hooks", "process", "querystring", "readline", "readline/promises",
    "stream", "stream/promises", "string_decoder", "test", "timers", "timers/promises", "tty", "url", "util", "v8", "vm",
    "worker_threads", "zlib",
)  # fmt: skip
_DECLARED = re.compile(r"\b(?:var|let|const|function|class|enum|namespace|interface|type)\s+(\w+)")
_OWN = "node-without-types.d.ts"


@cache
def _installation() -> tuple[tuple[str, ...], str] | None:
    """(words that start the compiler, the folder that it is in), or None.

    `tsc` of PATH, be it npm's global one or a project's, leads into the package; its native program is a package beside.
    """
    named = shutil.which("tsc", path=f"{PATH}:{os.environ.get('PATH', '')}")
    node = located("node")
    if named is None or node is None:
        return None
    package = Path(os.path.realpath(named)).parent.parent
    try:
        version = json.loads((package / "package.json").read_bytes())["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if int(str(version).partition(".")[0]) < 7:
        return (node, str(package / "lib" / "tsc.js")), str(package)
    kind = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    name = f"@typescript/typescript-linux-{kind}"
    for place in (package / "node_modules" / name, package.parent / name):
        native = place / "lib" / "tsc"
        if native.is_file():
            return (str(native),), os.path.realpath(place)
    return None


def _compiler() -> tuple[str, ...]:
    found = _installation()
    return found[0] if found else ()


def _folders() -> list[str]:
    found = _installation()
    return [found[1]] if found else []


def _arrange(files: Files, main: str) -> tuple[Files, str]:
    """With declarations of what Node has."""
    declared = {
        name
        for path, text in files.items()
        if path.endswith(".ts")
        for name in _DECLARED.findall(text.decode("utf-8", "replace"))
    }
    lines = [f"declare var {name}: any;" for name in _VARIABLES if name not in declared]
    lines += [f"type {name} = any;" for name in _TYPES if name not in declared]
    if "NodeJS" not in declared:
        lines.append(
            "declare namespace NodeJS { type Timeout = any; type Timer = any; type ErrnoException = any; }"
        )
    lines += [f'declare module "{begin}{name}";' for name in _MODULES for begin in ("", "node:")]
    return {**files, _OWN: "\n".join(lines).encode()}, main


def _finishing(source: str) -> str:
    lines = javascript.FINISH.splitlines()
    return at_end(source, "\n".join(f"// @ts-ignore\n{line}" for line in lines))


TOOLCHAIN = Toolchain(
    language="typescript",
    names=("ts",),
    endings=(".ts",),
    # Without strictness, as tests of MultiPL-E were written for; without the browser's names, which programs use for
    # their own, and which take longer to read than most programs.
    compile=("tsc", "--target", "es2022", "--lib", "es2022", "--module", "commonjs", "--strict", "false",
             "--esModuleInterop", "--skipLibCheck", "{main}", _OWN),
    run=(*javascript.NODE, "{base}.js"),
    version=("tsc", "--version"),
    install="npm install -g typescript",
    memory=javascript.TOOLCHAIN.memory,
    own_memory=javascript.TOOLCHAIN.own_memory,
    own_processes=javascript.TOOLCHAIN.own_processes,
    out_of_memory=javascript.TOOLCHAIN.out_of_memory,
    kept=("*.js",),
    lookup={"tsc": _compiler},
    folders=_folders,
    arrange=_arrange,
    finishing=_finishing,
)  # fmt: skip
