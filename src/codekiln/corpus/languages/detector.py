"""Which of the report's 92 languages a file is in, as GitHub's linguist goes about it.

In order: the whole file name; the editor's mode line; the interpreter of a `#!` line, where the extension is
unknown or that of several languages; the extension; and patterns over the content where it is that of several
(`codekiln.corpus.language_rules`).
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from codekiln.corpus.languages.rules import RULES, SEEN, UNNAMED
from codekiln.corpus.languages.table import EXTENSIONS, INTERPRETERS, NAMES

#: The report's 92 names, in order.
LANGUAGES: tuple[str, ...] = tuple(EXTENSIONS)
NOTEBOOK = "jupyter-notebook"
#: Last extensions that say nothing of what is in the file, the one before them does.
_WRAPPERS = frozenset(["in", "tmpl", "template", "dist", "example", "sample", "default"])
_CODES = frozenset(
    [
        "ar",
        "cs",
        "da",
        "de",
        "en",
        "es",
        "fr",
        "he",
        "hu",
        "it",
        "ja",
        "ko",
        "nl",
        "pl",
        "pt",
        "ru",
        "sv",
        "tr",
        "uk",
        "zh",
    ]
)
_TRANSLATED = {"html": _CODES, "htm": _CODES, "md": _CODES, "rst": _CODES}
#: Characters at both ends of a file where mode lines and started interpreters are looked for.
_HEAD = 1_000


def _invert(table: dict[str, str]) -> dict[str, str]:
    return {word: language for language, words in table.items() for word in words.split()}


_BY_NAME, _BY_INTERPRETER, _BY_EXTENSION = _invert(NAMES), _invert(INTERPRETERS), _invert(EXTENSIONS)

#: Names of editor modes that are not the language's own.
_MODES: dict[str, str] = {
    "bash": "shell",
    "sh": "shell",
    "shell-script": "shell",
    "zsh": "shell",
    "csh": "tcsh",
    "cpp": "c++",
    "cs": "c#",
    "csharp": "c#",
    "js": "javascript",
    "js2": "javascript",
    "json5": "json",
    "lisp": "common-lisp",
    "emacs-lisp": "emacs-lisp",
    "gnumakefile": "makefile",
    "make": "makefile",
    "makefile-gmake": "makefile",
    "cperl": "perl",
    "py": "python",
    "rst": "restructuredtext",
    "latex": "tex",
    "plain-tex": "tex",
    "proto": "protocol-buffer",
    "sml": "standard-ml",
    "fsharp": "f#",
    "asm": "assembly",
    "nasm": "assembly",
    "dosbatch": "batchfile",
    "ps1": "powershell",
    "fundamental": "",
    "text": "",
}

_SHEBANG = re.compile(r"#![ \t]*(\S+)(?:[ \t]+(?:-\S+[ \t]+|\w+=\S*[ \t]+)*(\S+))?")
_EXEC = re.compile(r"^[ \t]*exec[ \t]+(\S+)", re.MULTILINE)
_EMACS = re.compile(r"-\*-[ \t]*(?:[^\n]*?\bmode:[ \t]*)?([\w+#-]+)[ \t]*(?:;[^\n]*)?-\*-", re.IGNORECASE)
_VIM = re.compile(r"(?:^|[ \t])(?:vi|vim|ex):[^\n]*?\b(?:ft|filetype|syntax)=([\w+#-]+)", re.MULTILINE)


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _extension(name: str) -> str:
    """The extension that counts, lower case: the longest that the tables know, or else the last.

    A template or a translation counts as what it is one of: `config.json.example`, `index.html.fr`.
    """
    parts = name.lower().split(".")
    if len(parts) > 2 and parts[-1] in _WRAPPERS | (_TRANSLATED.get(parts[-2]) or frozenset()):
        parts.pop()
    if len(parts) > 2 and ".".join(parts[-2:]) in _BY_EXTENSION:
        return ".".join(parts[-2:])
    return parts[-1] if len(parts) > 1 else ""


def by_name(path: str) -> str | None:
    """Language of a path by its last component, or None when only the content can tell (or nothing can)."""
    return _of_name(_name(path))


# A path is asked about several times while it is listed, read and measured.
@lru_cache(maxsize=1 << 14)
def _of_name(name: str) -> str | None:
    lower = name.lower()
    if lower in _BY_NAME:
        return _BY_NAME[lower]
    if lower.startswith(("dockerfile.", "containerfile.")):
        return "dockerfile"
    stem, _, last = name.rpartition(".")
    if not stem:
        return None
    if last in ("C", "H"):  # upper case means C++ by long custom
        return "c++"
    if last.lower() in ("md", "tex") and stem.lower().endswith(".lagda"):
        return "literate-agda"
    extension = _extension(name)
    return None if extension in RULES else _BY_EXTENSION.get(extension)


def may_be_code(path: str) -> bool:
    """Whether a file of this name may be in one of the languages: worth reading."""
    name = _name(path)
    return "." not in name.lstrip(".") or _of_name(name) is not None or _extension(name) in RULES


def looks_like_code(path: str, head: bytes) -> bool:
    """Whether a file whose name says nothing may be code by its first bytes: an interpreter, a page, JSON."""
    start = head[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    if "." in _name(path) and start[:1] in (b"{", b"["):
        return True
    text = start.decode("utf-8", "replace")
    return text.startswith("#!") or any(pattern.match(text) for _, pattern in UNNAMED)


def by_shebang(text: str) -> str | None:
    """Language of a `#!` first line, or None; a shell line that only starts another interpreter counts as that."""
    if not text.startswith("#!"):
        return None
    match = _SHEBANG.match(text.split("\n", 1)[0].rstrip("\r"))
    if not match:
        return None
    program = match[1].rsplit("/", 1)[-1]
    if program == "env":
        program = (match[2] or "").rsplit("/", 1)[-1]
    language = _interpreted(program)
    if language == "shell":
        started = _EXEC.search(text[:_HEAD])
        return (_interpreted(started[1].rsplit("/", 1)[-1]) if started else None) or language
    return language


def _interpreted(program: str) -> str | None:
    program = program.lower()
    return _BY_INTERPRETER.get(program) or _BY_INTERPRETER.get(program.rstrip("0123456789.-"))


def by_mode_line(text: str) -> str | None:
    """Language that an Emacs or Vim mode line names, or None."""
    head, tail = text[:_HEAD], text[-_HEAD:]
    for part in (head,) if len(text) <= _HEAD else (head, tail):
        emacs = part is head and "-*-" in part
        if emacs or "vi:" in part or "vim:" in part or "ex:" in part:
            found = (_EMACS.search(part) if emacs else None) or _VIM.search(part)
            if found:
                mode = found[1].lower()
                return _MODES.get(mode, mode if mode in EXTENSIONS else "") or None
    return None


def detect(path: str, text: str) -> str | None:
    """Language of a file by name, then content; None when it is none of the 92."""
    language = by_name(path)
    if language is not None:
        return language
    extension = _extension(_name(path))
    rules = RULES.get(extension)
    if rules is None and extension and not text.startswith("#!"):
        return _by_content(text)
    found = by_mode_line(text) or by_shebang(text)
    # An extension that says nothing by itself leaves the word to the interpreter, any other one has to agree.
    if rules is None or (found and (not rules[-1][0] or any(found == language for language, _ in rules))):
        return found
    for other, pattern in rules:
        if pattern is None or pattern.search(text, 0, SEEN):
            return other or None
    return None


def _by_content(text: str) -> str | None:
    for language, pattern in UNNAMED:
        if pattern.match(text):
            return language
    start = text[:_HEAD].lstrip("\ufeff \t\r\n")
    if start[:1] in ("{", "["):
        try:
            value = json.loads(text.lstrip("\ufeff"))
        except (ValueError, RecursionError):
            return None
        return "json" if value else None
    return None
