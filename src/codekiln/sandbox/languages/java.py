"""Java: the JDK; the main class is found in the program's text."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path, PurePosixPath

from codekiln.sandbox.ending import at_end_of, code_only
from codekiln.sandbox.program import MB
from codekiln.sandbox.toolchain import Files, Toolchain
from codekiln.sandbox.warm import prepared

_MAIN = re.compile(r"\bstatic(?:\s+\w+){0,4}?\s+void\s+main\s*\(")
_CLASS = re.compile(r"[{}]|\b(?:class|enum|record|interface)\s+(\w+)")
_PUBLIC = re.compile(
    r"\bpublic\s(?:\s*(?:final|abstract|strictfp|sealed|static)\s)*\s*(?:class|enum|record|interface)\s+(\w+)"
)
_PACKAGE = re.compile(r"^[ \t]*package\s+([\w.]+)\s*;", re.MULTILINE)
_UTF8 = ("-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dstderr.encoding=UTF-8")
#: A collector without threads, no files in /tmp (both are for long runs), and as many threads on every machine.
_SMALL = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:ActiveProcessorCount=2", "-Xshare:auto")
_COMPILER = (
    *(f"-J{one}" for one in (*_SMALL, "-XX:TieredStopAtLevel=1", "-Xlog:disable")),
    "-encoding", "UTF-8", "-nowarn", "-proc:none",
)  # fmt: skip
_FINISH = """
try (java.io.InputStream _asked = new java.io.FileInputStream("/proc/self/fd/3");
     java.io.OutputStream _answer = new java.io.FileOutputStream("/proc/self/fd/4")) {
  for (int _byte; (_byte = _asked.read()) >= 0; ) _answer.write(_byte ^ 0x5A);
} catch (java.io.IOException _error) { throw new java.io.UncheckedIOException(_error); }"""


#: What is compiled to find out which classes of the compiler to keep ready.
_TYPICAL = """
import java.util.*;
import java.util.stream.*;
class Typical {
    interface Shape { double area(); }
    record Square(double side) implements Shape { public double area() { return side * side; } }
    enum Kind { ONE, TWO }
    static <T extends Comparable<T>> T most(List<T> of) { return Collections.max(of); }
    public static void main(String[] args) throws Exception {
        Map<String, List<Integer>> found = new HashMap<>();
        for (int at = 0; at < 3; at++) found.computeIfAbsent("a" + at, key -> new ArrayList<>()).add(at);
        Shape shape = new Square(2);
        switch (Kind.ONE) { case ONE: break; default: throw new IllegalStateException(); }
        String text = found.values().stream().map(Object::toString).collect(Collectors.joining(","));
        try { assert most(List.of(1, 2)) == 2; } catch (RuntimeException error) { text += error; } finally { text += "."; }
        System.out.println(shape instanceof Square square ? text + square.side() : text);
    }
}
"""


def _warm_words(files: Files, main: str) -> list[str]:
    """An archive of the compiler's own classes: it halves its processor time."""
    folder = prepared("javac", (TOOLCHAIN.version_text(), *_COMPILER), _archive)
    return [f"-J-XX:SharedArchiveFile={folder}/javac.jsa"] if folder else []


def _archive(folder: Path) -> None:
    source = folder / "Typical.java"
    source.write_text(_TYPICAL)
    command = [
        "javac",
        *_COMPILER,
        f"-J-XX:ArchiveClassesAtExit={folder}/javac.jsa",
        "-d",
        str(folder),
        str(source),
    ]
    subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    if not (folder / "javac.jsa").exists():
        raise OSError("the compiler's classes cannot be archived")


def _classes(code: str) -> list[tuple[str, int, int]]:
    """(name, begin, end) of the classes that are in no other, in code without comments and literals."""
    found: list[tuple[str, int, int]] = []
    name, begin, depth = "", 0, 0
    for one in _CLASS.finditer(code):
        if one[1]:
            if depth == 0:
                name, begin = one[1], one.start()
        elif one[0] == "{":
            depth += 1
        else:
            depth -= 1
            if depth == 0 and name:
                found.append((name, begin, one.end()))
                name = ""
    return found


def _main_class(text: bytes) -> str:
    """The class that holds the last `main`, with its package; where none does the first, and Java says why not."""
    code = code_only(text.decode("utf-8", "replace"), "java")
    classes = _classes(code)
    package = _PACKAGE.search(code)
    mains = [one.start() for one in _MAIN.finditer(code)]
    held = [name for name, begin, end in classes if any(begin < place < end for place in mains)]
    names = held or [name for name, _, _ in classes] or ["Main"]
    return f"{package[1]}.{names[-1] if held else names[0]}" if package else (names[-1] if held else names[0])


def _arrange(files: Files, main: str) -> tuple[Files, str]:
    """With each file named after its public class, as the compiler demands."""
    named: dict[str, bytes] = {}
    first = main
    for path, text in files.items():
        to = path
        if path.endswith(".java"):
            code = code_only(text.decode("utf-8", "replace"), "java")
            tops = {name for name, _, _ in _classes(code)}
            public = next((name for name in _PUBLIC.findall(code) if name in tops), None)
            if public and PurePosixPath(path).stem != public:
                to = str(PurePosixPath(path).with_name(f"{public}.java"))
                if to in files:
                    to = path  # two files claim the name: for the compiler to tell
        named[to] = text
        first = to if path == main else first
    return named, first


TOOLCHAIN = Toolchain(
    language="java",
    endings=(".java",),
    compile=("javac", *_COMPILER, "-d", ".", "{sources}"),
    run=("java", "-ea", "-Xmx{memory_mb}m", *_SMALL, *_UTF8, "-cp", ".", "{class}"),
    version=("javac", "-version"),
    install="apt-get install default-jdk-headless",
    memory="data",
    own_memory=256 * MB,
    own_processes=24,
    out_of_memory=(b"java.lang.OutOfMemoryError", b"Native memory allocation"),
    kept=("*.class",),
    arrange=_arrange,
    values=lambda files, main: {"class": _main_class(files[main])},
    warm_words=_warm_words,
    finishing=lambda source: at_end_of(source, _MAIN, _FINISH, "java", "method main"),
)  # fmt: skip
