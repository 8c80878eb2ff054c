"""Go: programs, and files of tests as `go test` runs them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path, PurePosixPath

from codekiln.machine import available_cores
from codekiln.sandbox.ending import at_end_of, code_only
from codekiln.sandbox.launch import PATH
from codekiln.sandbox.program import MB
from codekiln.sandbox.toolchain import Files, Toolchain, located
from codekiln.sandbox.warm import prepared

_MAIN = re.compile(r"^func\s+main\s*\(", re.MULTILINE)
_TEST = re.compile(r"^func\s+Test\w*\s*\(", re.MULTILINE)
_ANSWER = """
{ _asked, _ := _io.ReadAll(_os.NewFile(3, "")); for _at := range _asked { _asked[_at] ^= 0x5A }
  _os.NewFile(4, "").Write(_asked) }"""


#: Compiled once: Go 1.20 and later come without compiled packages, and the first program would wait for them.
_PACKAGES = (
    "bufio", "bytes", "container/heap", "container/list", "container/ring", "context", "crypto/md5", "crypto/rand",
    "crypto/sha1", "crypto/sha256", "crypto/sha512", "encoding/base64", "encoding/binary", "encoding/csv", "encoding/hex",
    "encoding/json", "errors", "flag", "fmt", "hash/crc32", "hash/fnv", "io", "log", "maps", "math", "math/big", "math/bits",
    "math/cmplx", "math/rand", "os", "path", "path/filepath", "reflect", "regexp", "runtime", "slices", "sort", "strconv",
    "strings", "sync", "sync/atomic", "testing", "text/tabwriter", "text/template", "time", "unicode", "unicode/utf8",
)  # fmt: skip
#: No modules but the program's own and the standard library; nothing of cgo, which would need gcc; as many threads
#: on every machine.
_ENVIRONMENT = {
    "GOFLAGS": "-mod=mod",
    "GOPROXY": "off",
    "GOTOOLCHAIN": "local",
    "GOTELEMETRY": "off",
    "CGO_ENABLED": "0",
    "GOMAXPROCS": "2",
}


def _warm_environment() -> dict[str, str]:
    """The folder of compiled packages; Go does without writing to it."""
    folder = prepared("go", (TOOLCHAIN.version_text(), *_PACKAGES), _build)
    return {"GOCACHE": str(folder)} if folder else {}


def _build(folder: Path) -> None:
    go = located("go") or "go"
    environment = {**_ENVIRONMENT, "GOCACHE": str(folder), "GOENV": "off", "HOME": str(folder), "PATH": PATH}
    environment["GOMAXPROCS"] = str(available_cores())

    def told(*words: str) -> str:
        done = subprocess.run(
            [go, *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise OSError("the standard library cannot be compiled")
        return done.stdout

    there = set(told("list", "std").split())
    # With a program's main, which the linker and `go test` want more for.
    (folder / "go.mod").write_text("module program\n")
    (folder / "main.go").write_text("package main\nfunc main() { }\n")
    (folder / "main_test.go").write_text('package main\nimport "testing"\nfunc TestIt(t *testing.T) { }\n')
    told("build", *(one for one in _PACKAGES if one in there))
    told("build", "-o", os.devnull, ".")
    told("test", "-c", "-o", os.devnull, ".")


def _is_test(text: bytes) -> bool:
    code = code_only(text.decode("utf-8", "replace"), "go")
    return not _MAIN.search(code) and bool(_TEST.search(code))


def _arrange(files: Files, main: str) -> tuple[Files, str]:
    """With a go.mod, and a file of tests under a name that the compiler takes as one."""
    files = dict(files)
    if _is_test(files[main]) and not main.endswith("_test.go"):
        name = f"{main.removesuffix('.go')}_test.go"
        if name not in files:
            files = {(name if path == main else path): text for path, text in files.items()}
            main = name
    files.setdefault("go.mod", b"module program\n")
    return files, main


def _values(files: Files, main: str) -> dict[str, str]:
    """Tests are compiled without being run; a flag that changes nothing stands where programs need none."""
    verb, kind = ("test", "-c") if main.endswith("_test.go") else ("build", "-a=false")
    return {"verb": verb, "kind": kind, "package": f"./{PurePosixPath(main).parent}"}


def _finishing(source: str) -> str:
    """Statements at the end of main; for tests a main of theirs, which ends them."""
    source = re.sub(
        r"^([ \t]*package[ \t]+\w+[ \t]*;?)",
        r'\1; import _os "os"; import _io "io"',
        source,
        count=1,
        flags=re.M,
    )
    if _is_test(source.encode()):
        return f"{source}\nfunc TestMain(m *testing.M) {{\n_code := m.Run()\nif _code == 0 {_ANSWER.lstrip()}\n_os.Exit(_code) }}\n"
    return at_end_of(source, _MAIN, _ANSWER, "go", "function main")


TOOLCHAIN = Toolchain(
    language="go",
    names=("golang",),
    endings=(".go",),
    compile=("go", "{verb}", "{kind}", "-o", "program", "{package}"),
    run=("./program",),
    version=("go", "version"),
    install="apt-get install golang-go",
    memory="data",
    own_memory=64 * MB,
    own_processes=16,
    out_of_memory=(b"runtime: out of memory", b"cannot allocate memory"),
    environment=_ENVIRONMENT,
    warm_environment=_warm_environment,
    arrange=_arrange,
    values=_values,
    finishing=_finishing,
)
