"""What a language needs to be run: declarations, one in each file of `languages`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath

from codekiln.errors import UserError
from codekiln.sandbox.launch import PATH, open_to_all
from codekiln.sandbox.program import MB
from codekiln.sandbox.step import Memory

Files = Mapping[str, bytes]
#: Programs are looked up here, too: compilers that a user installed live there.
_PLACES = (PATH, "/usr/local/go/bin")


@dataclass(frozen=True, eq=False)
class Toolchain:
    """How programs of a language are compiled and run.

    Words of commands may hold `{main}` (path of the main file), `{base}` (the same without its ending), `{memory_mb}`
    (the program's limit), `{processes}` and what `values` gives; the word `{sources}` stands for all files with the
    language's endings, the main one first.

    Attributes:
        language: one of the report's names.
        names: what else it is called on the command line.
        endings: of its files, with the dot; the first is that of a main file without a name.
        run: command; the first word is looked up in PATH.
        compile: command, empty where there is no such step.
        version: command that prints the version of what the language needs.
        install: how to get it, as one command.
        python: `run` begins with a Python file, which a warm interpreter runs.
        memory: which limit its processes bear.
        own_memory: bytes that its runtime takes beside the program's limit.
        own_processes: threads that its runtime starts beside the program's own.
        out_of_memory: what stderr holds where memory ran out.
        kept: patterns of the names of what the compiler makes.
        lookup: programs that PATH alone does not lead to -> the words that start them, none where not installed.
        folders: further folders that must be seen in the box, found when asked.
        environment: variables of both steps.
        arrange: changes the files and the main file's name, where a language demands a certain one.
        values: further places of words, by these files.
        compile_words: further words of the compiler for these files.
        warm_words: the same, of what `warm.warm_folder` holds, such as a precompiled header; made when asked.
        warm_environment: variables of the compiler, likewise.
        finishing: a program's text with statements at the end of its main part that answer its channel (`Step.channel`):
            each byte of descriptor 3 goes to descriptor 4, XOR 0x5A. A program that ends before says nothing. Raises
            UserError where it finds no main part; None for a language without one.
        ends: a line after which a script holds no code.
    """

    language: str
    endings: Sequence[str]
    run: Sequence[str]
    version: Sequence[str]
    install: str
    names: Sequence[str] = ()
    compile: Sequence[str] = ()
    python: bool = False
    memory: Memory = "address"
    own_memory: int = 0
    own_processes: int = 0
    out_of_memory: Sequence[bytes] = ()
    kept: Sequence[str] = ("program",)
    lookup: Mapping[str, Callable[[], Sequence[str]]] = field(default_factory=dict)
    folders: Callable[[], Sequence[str]] = tuple
    environment: Mapping[str, str] = field(default_factory=dict)
    arrange: Callable[[Files, str], tuple[Files, str]] = lambda files, main: (files, main)
    values: Callable[[Files, str], Mapping[str, str]] = lambda files, main: {}
    compile_words: Callable[[Files, str], Sequence[str]] = lambda files, main: ()
    warm_words: Callable[[Files, str], Sequence[str]] = lambda files, main: ()
    warm_environment: Callable[[], Mapping[str, str]] = dict
    finishing: Callable[[str], str] | None = None
    ends: re.Pattern[str] | None = None

    @property
    def file(self) -> str:
        """The name of a main file that has none."""
        return f"main{self.endings[0]}"

    def found(self) -> bool:
        """Whether all that it needs is installed."""
        return not self._missing()

    def need(self, shared: bool = False) -> None:
        """Raise UserError, which says how to install it, where something is missing.

        Args:
            shared: programs run as another user, under this machine's own folders, which must then be open to all.
        """
        if missing := self._missing():
            raise UserError(f"{self.language}: {missing} is not installed: {self.install}")
        for folder in self.folders() if shared else ():
            if not open_to_all(folder):
                raise UserError(
                    f"{self.language}: {folder} is closed to other users, which programs run as without namespaces: "
                    f"install it for all users ({self.install}) or use --isolation A or B"
                )

    def version_text(self) -> str:
        """The first line that its version command prints, "" where it is not installed."""
        return _said(tuple(self._started(self.version)))

    def command(
        self, words: Sequence[str], files: Files, main: str, memory: int, processes: int
    ) -> list[str]:
        """A command's words with their places filled in."""
        values = {
            "main": main,
            "base": main.removesuffix(PurePosixPath(main).suffix),
            "memory_mb": str(max(1, memory // MB)),
            "processes": str(processes),
            **self.values(files, main),
        }
        filled: list[str] = []
        for word in self._started(words):
            if word == "{sources}":
                filled += [
                    main,
                    *sorted(one for one in files if one != main and one.endswith(tuple(self.endings))),
                ]
            else:
                filled.append(word.format(**values))
        return filled

    def _missing(self) -> str:
        """The first program that is not installed, or ""."""
        for words in (self.compile, self.run, self.version):
            if _looked_up(words) and not self._started(words):
                return words[0]
        return ""

    def _started(self, words: Sequence[str]) -> list[str]:
        """Words whose first is a path, or words; none where it is not installed."""
        if not _looked_up(words):
            return list(words)
        if words[0] in self.lookup:
            first = list(self.lookup[words[0]]())
        else:
            path = located(words[0])
            first = [path] if path else []
        return [*first, *words[1:]] if first else []


def located(program: str) -> str | None:
    """The path of a program as boxes see it, or None."""
    return shutil.which(program, path=":".join(_PLACES))


@cache
def _said(command: Sequence[str]) -> str:
    """The first line that a command prints, "" where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, stdin=subprocess.DEVNULL)
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return ""
    said = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
    return said.splitlines()[0].strip() if said and done.returncode == 0 else ""


def _looked_up(words: Sequence[str]) -> bool:
    return bool(words) and not words[0].startswith(("./", "{"))
