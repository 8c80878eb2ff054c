"""Imports of languages that name classes by package: Java, Kotlin, Scala, Groovy, C#, PHP.

A class is expected in the file that has its name. Classes of the same package, and of one imported as a whole, need no
import of their own: there a capitalised word that is such a class counts.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from codekiln.corpus.order.imports import _quoted
from codekiln.corpus.order.pathindex import PathIndex

_PACKAGE = re.compile(r"^[ \t]{0,8}package[ \t]{1,8}([\w.]{1,300})", re.MULTILINE)
_IMPORT = re.compile(
    r"^[ \t]{0,40}import[ \t]{1,8}(?:static[ \t]{1,8})?([\w.]{1,300})([*_]|\{[^{}\n]{0,500}\})?", re.MULTILINE
)
_NAMESPACE = re.compile(r"^[ \t]{0,8}namespace[ \t]{1,8}([\w.]{1,300})", re.MULTILINE)
_USING = re.compile(
    r"^[ \t]{0,8}(?:global[ \t]{1,8})?using[ \t]{1,8}(?:static[ \t]{1,8}|\w{1,100}[ \t]{0,8}=[ \t]{0,8})?([\w.]{1,300})[ \t]{0,8};",
    re.MULTILINE,
)
_PHP_NAMESPACE = re.compile(
    r"^[ \t]{0,8}(?:<\?php[ \t]{1,8})?namespace[ \t]{1,8}([\w\\]{1,300})", re.MULTILINE
)
_PHP_USE = re.compile(
    r"^[ \t]{0,8}use[ \t]{1,8}(?:function[ \t]{1,8}|const[ \t]{1,8})?\\?([\w\\]{1,300})(\{[^{}]{0,2000}\})?",
    re.MULTILINE,
)
_PHP_REQUIRE = _quoted(r"\b(?:require|include)(?:_once)?\b[^;\n'\"]{0,80}['\"]([^'\"\n]{1,300})['\"]")
_CLASS = re.compile(r"\b[A-Z]\w{0,100}")
_WORD = re.compile(r"\w+")
#: A package of at most so many files stands for what is imported from it by a name that is no file's.
_FEW = 3

PACKAGED = {"java": "java", "kotlin": "java", "scala": "java", "groovy": "java", "c#": "c#", "php": "php"}
_PATTERNS = {"java": (_PACKAGE, "."), "c#": (_NAMESPACE, "."), "php": (_PHP_NAMESPACE, "\\")}


class Packages:
    """The packages of one family of languages: package -> name of a file -> number of the file."""

    def __init__(self, family: str, files: Sequence[tuple[int, str, str]]) -> None:
        """`files` are (number, path, content), by number."""
        self.family = family
        pattern, self._mark = _PATTERNS[family]
        self._own: dict[int, str] = {}
        self._names: dict[str, dict[str, int]] = {}
        for number, path, text in files:
            found = pattern.search(text)
            package = found[1].strip(self._mark) if found else ""
            self._own[number] = package
            name = posixpath.basename(path).split(".")[0]
            self._names.setdefault(package, {}).setdefault(name, number)

    def find(self, number: int, path: str, text: str, index: PathIndex) -> Iterator[int | None]:
        """The files that a file needs."""
        whole = [self._own[number]]
        for target, everything in self._imports(text):
            if everything:
                whole.append(target)
                continue
            found = self._class(target)
            if found is None and self.family == "c#":
                whole.append(target)
            elif (
                found is None and len(names := self._names.get(target.rpartition(self._mark)[0], {})) <= _FEW
            ):
                yield from names.values()
            else:
                yield found
        tables = [self._names[package] for package in dict.fromkeys(whole) if package in self._names]
        if any(len(table) > 1 or table is not self._names.get(whole[0]) for table in tables):
            for word in dict.fromkeys(_CLASS.findall(text)):
                yield from (table[word] for table in tables[:_MOST] if word in table)
        if self.family == "php":
            yield from _PHP_REQUIRE(path, text, index)

    def _imports(self, text: str) -> Iterator[tuple[str, bool]]:
        """(name, whether it is a whole package) of every import."""
        if self.family == "c#":
            yield from ((name, False) for name in _USING.findall(text))
            return
        for name, rest in (_IMPORT if self.family == "java" else _PHP_USE).findall(text):
            base = name.removesuffix("._").strip(self._mark)
            if rest.startswith("{"):
                yield from ((f"{base}{self._mark}{word}", False) for word in _WORD.findall(rest))
            else:
                yield base, bool(rest) or name.endswith("._")

    def _class(self, name: str) -> int | None:
        """The file of a class, of a member of it or of a class inside it."""
        for _ in range(3):
            package, _mark, last = name.rpartition(self._mark)
            found = self._names.get(package, {}).get(last)
            if found is not None:
                return found
            name = package
        return None


#: Whole packages that one file's words are looked up in at most.
_MOST = 32
