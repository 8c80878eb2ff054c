"""C++: g++, with a precompiled header for programs that include everything."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from codekiln.sandbox.ending import at_end_of
from codekiln.sandbox.languages.c import MAIN
from codekiln.sandbox.toolchain import Files, Toolchain
from codekiln.sandbox.warm import prepared

_ENDINGS = (".cpp", ".cc", ".cxx")
#: C++17 as MultiPL-E has it, with GNU's names as judges do; -O1 as -O2 compiles for longer than most tests run.
#: Assertions stay on: no -DNDEBUG.
_FLAGS = ("-std=gnu++17", "-O1", "-w", "-pthread")
_FINISH = """
{ FILE *_asked = fdopen(3, "rb"), *_answer = fdopen(4, "wb"); int _byte;
  while ((_byte = fgetc(_asked)) != EOF) fputc(_byte ^ 0x5A, _answer);
  fclose(_answer); }"""
#: What may stand before the include of everything: blanks, comments and the system's headers; nothing that defines.
_EVERYTHING = re.compile(
    r"""\A(?:\s++|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/|\#line[ ]1\n"""
    r"""|\#[ \t]*+include[ \t]*+<(?!bits/stdc\+\+\.h>)[^>\n]*+>[ \t]*+$)*+"""
    r"""\#[ \t]*+include[ \t]*+<bits/stdc\+\+\.h>""",
    re.MULTILINE,
)
_OPENSSL = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<openssl/", re.MULTILINE)


def _libraries(files: Files, main: str) -> list[str]:
    """OpenSSL's, for programs that include it (a task of HumanEval does)."""
    return (
        ["-lcrypto"]
        if any(_OPENSSL.search(text.decode("utf-8", "replace")) for text in files.values())
        else []
    )


def _warm_words(files: Files, main: str) -> list[str]:
    """The precompiled header, where the program's own text begins with what is in it."""
    others = [path for path in files if path != main and path.endswith(_ENDINGS)]
    if others or not _EVERYTHING.match(files[main].decode("utf-8", "replace")):
        return []
    folder = prepared("c++", (TOOLCHAIN.version_text(), *_FLAGS), _precompile)
    return ["-include", f"{folder}/everything.h"] if folder else []


def _precompile(folder: Path) -> None:
    header = folder / "everything.h"
    header.write_text("#include <bits/stdc++.h>\n")
    command = ["g++", *_FLAGS, "-x", "c++-header", str(header), "-o", f"{header}.gch"]
    if subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).returncode:
        raise OSError("the header cannot be compiled")


def _finishing(source: str) -> str:
    done = at_end_of(source, MAIN, _FINISH, "c", "function main")
    return f"#include <stdio.h>\n#line 1\n{done}"


TOOLCHAIN = Toolchain(
    language="c++",
    names=("cpp", "cc", "cxx"),
    endings=_ENDINGS,
    compile=("g++", *_FLAGS, "-o", "program", "{sources}"),
    run=("./program",),
    version=("g++", "--version"),
    install="apt-get install g++",
    out_of_memory=(b"std::bad_alloc",),
    compile_words=_libraries,
    warm_words=_warm_words,
    finishing=_finishing,
)
