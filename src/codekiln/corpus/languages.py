"""Which of the report's 92 languages a file is in: by name, by extension, by shebang line.

A few extensions belong to several languages; a pattern over the content then decides (`_AMBIGUOUS`).
"""

from __future__ import annotations

import re

#: Extensions of each language, lower case without the dot, as the languages' own tools use them.
EXTENSIONS: dict[str, str] = {
    "ada": "adb ads ada",
    "agda": "agda",
    "alloy": "als",
    "antlr": "g4 g3",
    "applescript": "applescript scpt",
    "assembly": "asm s nasm a51 x68",
    "augeas": "aug",
    "awk": "awk gawk mawk auk",
    "batchfile": "bat cmd",
    "bluespec": "bsv bs",
    "c": "c h idc cats",
    "c#": "cs csx cake",
    "c++": "cpp cc cxx c++ hpp hh hxx h++ ipp inl tpp txx ino cppm ixx",
    "clojure": "clj cljs cljc cljx edn boot bb",
    "cmake": "cmake",
    "coffeescript": "coffee cson iced",
    "common-lisp": "lisp lsp cl asd ny",
    "css": "css",
    "cuda": "cu cuh",
    "dart": "dart",
    "dockerfile": "dockerfile containerfile",
    "elixir": "ex exs",
    "elm": "elm",
    "emacs-lisp": "el emacs",
    "erlang": "erl hrl escript xrl yrl",
    "f#": "fs fsi fsx",
    "fortran": "f f77 f90 f95 f03 f08 for fpp ftn",
    "glsl": "glsl vert frag geom tesc tese comp vsh fsh vs vshader fshader shader glslv glslf",
    "go": "go",
    "groovy": "groovy gvy gy gradle grt gtpl",
    "haskell": "hs hsc hs-boot",
    "html": "html htm xhtml xht hta",
    "idris": "idr lidr",
    "isabelle": "thy",
    "java": "java jav",
    "java-server-pages": "jsp jspf jspx tag",
    "javascript": "js mjs cjs jsx es es6 jsm",
    "json": "json jsonc json5 geojson webmanifest jsonld topojson",
    "julia": "jl",
    "jupyter-notebook": "ipynb",
    "kotlin": "kt kts ktm",
    "lean": "lean hlean",
    "literate-agda": "lagda",
    "literate-coffeescript": "litcoffee",
    "literate-haskell": "lhs",
    "lua": "lua rockspec nse wlua luau p8",
    "makefile": "mk mak make",
    "maple": "mpl",
    "markdown": "md markdown mdown mkd mkdn mdwn mdx",
    "mathematica": "wl wls nb nbp mathematica mt cdf",
    "matlab": "m matlab",
    "objectc++": "mm",
    "ocaml": "ml mli mll mly eliom",
    "pascal": "pas pp dpr lpr dpk",
    "perl": "pl pm pod t psgi al perl",
    "php": "php phtml php3 php4 php5 phps phpt",
    "powershell": "ps1 psm1 psd1",
    "prolog": "pro prolog plt yap",
    "protocol-buffer": "proto",
    "python": "py pyi pyw pyx pxd pxi gyp gypi wsgi py3 bzl",
    "r": "r rsx rd",
    "racket": "rkt rktd rktl scrbl",
    "restructuredtext": "rst rest",
    "rmarkdown": "rmd qmd",
    "ruby": "rb rake gemspec ru podspec thor jbuilder builder rabl rbw rbi",
    "rust": "rs",
    "sas": "sas",
    "scala": "scala sbt sc",
    "scheme": "scm ss sld sls sps sch",
    "shell": "sh bash zsh ksh bats ebuild eclass command",
    "smalltalk": "st",
    "solidity": "sol",
    "sparql": "sparql rq",
    "sql": "sql ddl dml pls plsql pks pkb pck psql tsql",
    "stan": "stan",
    "standard-ml": "sml sig fun",
    "stata": "do ado doh mata sthlp ihlp",
    "swift": "swift",
    "systemverilog": "sv svh vh",
    "tcl": "tcl tk adp tm itcl itk exp",
    "tcsh": "tcsh csh",
    "tex": "tex sty cls ltx dtx ins bbx cbx tikz lbx",
    "thrift": "thrift",
    "typescript": "ts tsx mts cts",
    "verilog": "v veo",
    "vhdl": "vhd vhdl vho vht",
    "visual-basic": "vb vbs bas frm vba vbhtml",
    "vue": "vue",
    "xslt": "xsl xslt",
    "yacc": "y yy yacc",
    "yaml": "yml yaml",
    "zig": "zig",
}

#: The report's 92 names, in order.
LANGUAGES: tuple[str, ...] = tuple(EXTENSIONS)

#: Whole file names, lower case.
_NAMES: dict[str, str] = {
    "cmake": "cmakelists.txt",
    "clojure": "build.boot",
    "dockerfile": "dockerfile containerfile",
    "emacs-lisp": ".emacs .spacemacs",
    "groovy": "jenkinsfile",
    "javascript": "jakefile",
    "json": ".babelrc .eslintrc .jshintrc .prettierrc .swcrc .watchmanconfig",
    "lua": ".luacheckrc",
    "makefile": "makefile gnumakefile bsdmakefile kbuild makefile.am makefile.in makefile.inc",
    "perl": "cpanfile",
    "python": "sconstruct sconscript wscript snakefile build.bazel workspace .pythonrc .pystartup tiltfile",
    "r": ".rprofile",
    "ruby": "gemfile rakefile guardfile capfile vagrantfile podfile fastfile appfile thorfile berksfile "
    "brewfile dangerfile .irbrc .pryrc",
    "shell": ".bashrc .bash_profile .bash_aliases .bash_logout .profile .zshrc .zshenv .zprofile .zlogin "
    ".kshrc pkgbuild apkbuild gradlew",
    "tcsh": ".cshrc .tcshrc .login",
    "yaml": ".clang-format .clang-tidy .clangd citation.cff .gemrc",
}

#: Interpreters of shebang lines, without version numbers.
_INTERPRETERS: dict[str, str] = {
    "awk": "awk gawk mawk nawk",
    "clojure": "bb",
    "coffeescript": "coffee",
    "common-lisp": "sbcl clisp ecl ccl lisp",
    "dart": "dart",
    "elixir": "elixir",
    "erlang": "escript",
    "groovy": "groovy",
    "haskell": "runhaskell runghc stack",
    "javascript": "node nodejs rhino qjs",
    "julia": "julia",
    "kotlin": "kotlin",
    "lua": "lua luajit luau",
    "makefile": "make gmake",
    "ocaml": "ocaml ocamlrun",
    "perl": "perl",
    "php": "php",
    "powershell": "pwsh powershell",
    "prolog": "swipl yap",
    "python": "python pypy pythonw",
    "r": "rscript",
    "racket": "racket",
    "ruby": "ruby jruby rbx macruby",
    "scala": "scala",
    "scheme": "guile scheme gosh csi chicken",
    "shell": "sh bash zsh ksh dash ash mksh pdksh rc bats",
    "stata": "stata",
    "swift": "swift",
    "tcl": "tclsh wish expect",
    "tcsh": "csh tcsh",
    "typescript": "ts-node deno tsx bun",
}


def _invert(table: dict[str, str]) -> dict[str, str]:
    return {word: language for language, words in table.items() for word in words.split()}


_BY_EXTENSION, _BY_NAME, _BY_INTERPRETER = _invert(EXTENSIONS), _invert(_NAMES), _invert(_INTERPRETERS)

# Extension -> (language or "" for one outside the 92, pattern); the first pattern that occurs decides, else the
# table above holds. Patterns are anchored at line starts, so that each is a linear scan.
_AMBIGUOUS: dict[str, list[tuple[str, re.Pattern[str]]]] = {
    extension: [(language, re.compile(pattern, re.MULTILINE)) for language, pattern in rules]
    for extension, rules in {
        "h": [
            ("", r"^[ \t]*@(?:interface|protocol|class)\b"),
            (
                "c++",
                r"^[ \t]*(?:class\s+\w+\s*[:{]|template\s*<|namespace(?:\s+[\w:]+)?\s*\{|using namespace\b"
                r"|(?:public|private|protected):|#include <(?:string|vector|map|memory|iostream|utility)>)",
            ),
        ],
        "m": [
            ("", r"^[ \t]*(?:#import\b|@(?:interface|implementation|protocol|class|import)\b)"),
            ("mathematica", r"^[ \t]*(?:BeginPackage\[|\(\* ::Package:: \*\))"),
        ],
        "pl": [("prolog", r"^(?::-|[a-z]\w*(?:\([^()\n]*\))?\s*:-)")],
        "pro": [("", r"^[ \t]*(?:TEMPLATE|QT|SOURCES|CONFIG)\s*[+*]?=")],
        "v": [("", r"^[ \t]*(?:Require |Proof\.|Qed\.|Theorem |Lemma |From \w+ Require)")],
        "ts": [("", r"\A\s*(?:<\?xml|<!DOCTYPE TS|<TS\b)")],
        "fs": [("glsl", r"^[ \t]*(?:#version \d|precision \w+ float;|void main\s*\(|varying )")],
        "cls": [("visual-basic", r"^VERSION 1\.0 CLASS"), ("", r"^[ \t]*(?:public|private|global) .*class ")],
        "st": [("", r"\$[\w.]+\$|^\w+\([\w, ]*\) ::=")],
        "t": [("", r"^[ \t]*(?:terra|local) \w+")],
        "pp": [("", r"^[ \t]*(?:class|define|node) [\w:]+ ?[({]")],
        "rd": [("", r"\\(?:name|title|usage)\{")],
        "ml": [("standard-ml", r"^(?:structure|signature|functor) \w+")],
        "sig": [("", r"\A-----BEGIN PGP")],
        "exp": [("", r"\A(?!#!)[^\n]*\n(?:[ \t]*\d+\n)+")],
    }.items()
}

_SHEBANG = re.compile(r"#![ \t]*(\S+)(?:[ \t]+(?:-\S+[ \t]+|\w+=\S*[ \t]+)*(\S+))?")


def by_name(path: str) -> str | None:
    """Language of a path by its last component, or None when only the content can tell (or nothing can)."""
    name = path.rsplit("/", 1)[-1]
    lower = name.lower()
    if lower in _BY_NAME:
        return _BY_NAME[lower]
    if lower.startswith(("dockerfile.", "containerfile.")):
        return "dockerfile"
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem:
        return None
    if extension in ("C", "H"):  # upper case means C++ by long custom
        return "c++"
    extension = extension.lower()
    if extension in ("md", "tex") and stem.lower().endswith(".lagda"):
        return "literate-agda"
    if extension == "md" and stem.lower().endswith(".coffee"):
        return "literate-coffeescript"
    return _BY_EXTENSION.get(extension)


def has_extension(path: str) -> bool:
    """Whether the name has an extension (a leading dot does not count)."""
    return "." in path.rsplit("/", 1)[-1].lstrip(".")


def by_shebang(text: str) -> str | None:
    """Language of a `#!` first line, or None."""
    if not text.startswith("#!"):
        return None
    match = _SHEBANG.match(text.split("\n", 1)[0].rstrip("\r"))
    if not match:
        return None
    program = match[1].rsplit("/", 1)[-1]
    if program == "env":
        program = (match[2] or "").rsplit("/", 1)[-1]
    return _BY_INTERPRETER.get(program.lower().rstrip("0123456789."))


def detect(path: str, text: str) -> str | None:
    """Language of a file by name, then content; None when it is none of the 92."""
    language = by_name(path)
    if language is None:
        return None if has_extension(path) else by_shebang(text)
    for other, pattern in _AMBIGUOUS.get(path.rsplit(".", 1)[-1].lower(), ()):
        if pattern.search(text, 0, 65_536):
            return other or None
    return language
