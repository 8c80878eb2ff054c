"""How the content decides where an extension is that of several languages.

`RULES` maps an extension to rules in order: the first whose pattern occurs in the beginning of the file decides,
and the last has no pattern. "" is a language outside the report's 92. Patterns are anchored at line starts
wherever they can be and repeat nothing inside a repetition, so that each is close to a linear scan.
"""

from __future__ import annotations

import re

#: Characters of a file that the patterns see.
SEEN = 50_000

Rule = tuple[str, re.Pattern[str] | None]

_XML = r"\A\W{0,3}(?:<\?xml|<!DOCTYPE|<[\w:]+\s+xmlns)"
_RAKU = r"^[ \t]*(?:use v6|(?:my )?class \w+ (?:is|does)\b|(?:multi|proto) (?:sub|method)|grammar \w|unit \w)"
_FORTH = r"^(?:: \S|new-device|\\ |also |previous )"
_VB_FORM = r"^\W{0,3}VERSION \d|^Attribute VB_|^[ \t]*Begin (?:VB\.|\{)"
_PASCAL = (
    r"(?i)^[ \t]*(?:\{\$|unit \w+;|program \w+|uses \w|interface\s*$|implementation\s*$"
    r"|(?:class )?(?:procedure|function|constructor|destructor) [\w.]+|begin\s*$)|^[^\n'\"#]*\w\s*:= "
)
_ASSEMBLY = (
    r"(?i)^[ \t]*(?:;|\.(?:text|data|globl|global|equ|set|macro|include|byte|word|org|section|if|ifdef|proc)\b)"
    r"|^[ \t]*(?:[\w.$@?]+:?[ \t]+)?(?:movl?|lda|ldx|jmp|jsr|call|push|pop|equ|db|dw|dd|resb|endm|endp|proc"
    r"|macro|segment|int|add|sub|cmp|ret|rts|xor)(?:[ \t]|$)"
)
_CPP_HEADER = (
    r"^[ \t]*#\s*include <\w+>|^[ \t]*template\s*<|^[ \t]*(?:try|catch\s*\(|namespace\b|using\b)"
    r"|^[ \t]*(?:class|(?:public|protected|private)(?:\s+\w+)?\s*:)|^[^\n\"'/*]*\bstd::\w|^[ \t]*#\s*ifdef\s+__cplusplus\s+.*\bclass\b"
    r"|^[^\n\"'/*]*\w::~?\w|^[ \t]*(?:virtual|explicit|constexpr|friend|operator)\b"
)

_PATTERNS: dict[str, list[tuple[str, str | None]]] = {
    "al": [
        (
            "",
            r"(?i)^\W{0,3}(?:codeunit|page|table|report|enum|query|xmlport|interface|permissionset)\w* (?:\d|\")",
        ),
        ("perl", None),
    ],
    "app": [("erlang", r"^\{\s*'?application'?\s*,"), ("", None)],
    "bas": [
        ("visual-basic", r"^\W{0,3}Attribute VB_"),
        (
            "",
            r"\A\s*\d|B4\w=true|(?i:^[ \t]*(?:#include|#define|#lang|#if|declare sub|defint|rem |print |cls\b|dim shared))",
        ),
        (
            "visual-basic",
            r"(?i)^[ \t]*(?:(?:public|private|friend) |option explicit|(?:end )?(?:sub|function)\b)",
        ),
        ("", None),
    ],
    "bb": [("clojure", r"^[ \t]*\((?:ns|def\w*|let|require|println)\b|^#!.*\bbb\b"), ("", None)],
    "boot": [("clojure", None)],
    "cake": [
        (
            "coffeescript",
            r"^[ \t]*(?:task|option) ['\"]|^\{?\w[\w, ]{0,100}\}?[ \t]{0,9}=[ \t]{0,9}require\b|->[ \t]{0,9}$",
        ),
        ("c#", None),
    ],
    "cgi": [("", None)],
    "cl": [
        ("common-lisp", r"(?i)^[ \t]*\((?:def\w+|in-package|declaim|let|use-package|load)\b|^;;"),
        ("", None),
    ],
    "cls": [
        ("visual-basic", _VB_FORM),
        (
            "tex",
            r"^[ \t]*\\(?:NeedsTeXFormat|ProvidesClass|LoadClass|DeclareOption|newcommand|def|RequirePackage)\b",
        ),
        ("", None),
    ],
    "cp": [("c++", r"^[ \t]*(?:#\s*(?:include|define|if)|//|class |namespace |template)"), ("", None)],
    "cs": [("smalltalk", r"^!|![\w ]+ methodsFor: "), ("c#", None)],
    "d": [
        (
            "",
            r"^(?:module [\w.]+;|import [\w.]+|[ \t]*unittest\b|#pragma D |(?:\w+:){3}\w+|BEGIN\b|(?:tick|profile)-)",
        ),
        ("makefile", r"^[^\s#:=][^\n#:=]*:(?![:=])(?:[^\n;{]*)$"),
        ("", None),
    ],
    "ec": [("c", r"(?i)^[ \t]*(?:exec sql|\$include|\$ifdef|#[ \t]*include)"), ("", None)],
    "es": [("erlang", r"^[ \t]*%%|^-module\(|^main\(.*->|\A#!.*escript"), ("javascript", None)],
    "eslintrc": [("json", r"\A\s*(?:\{|//|/\*)"), ("yaml", None)],
    "ex": [
        ("", r"^(?:include [\w/]+\.e\b|with trace|without warning|(?:global )?procedure |constant \w+ =)"),
        ("elixir", None),
    ],
    "exp": [("tcl", r"\A#!|^[ \t]*(?:set|proc|spawn|expect|send|if|puts|package|global)\b"), ("", None)],
    "f": [("", _FORTH + r"|\bflowop\b"), ("fortran", None)],
    "fcgi": [("php", r"<\?php"), ("", None)],
    "for": [("", _FORTH), ("fortran", None)],
    "fpp": [
        (
            "",
            r"^[ \t]*(?:(?:active|passive|queued) component|(?:module|topology|struct|enum|port) \w+ \{|instance \w+:)",
        ),
        ("fortran", None),
    ],
    "frag": [
        ("glsl", r"^[ \t]*(?:#version|precision |uniform |varying |void main\s*\(|in |out )"),
        ("javascript", r"^[ \t]*(?:\(?[ \t]?function|var |let |const \w+ =|window\.|\$\()|=>"),
        ("makefile", r"^[\w./$()-]+\s*:(?!=)"),
        ("glsl", None),
    ],
    "frm": [("visual-basic", _VB_FORM), ("", None)],
    "fs": [
        (
            "glsl",
            r"^[ \t]*(?:#version|precision \w+ \w+;|uniform |varying |attribute |void main\s*\(|(?:in|out) \w+ \w+;|vec[234] )",
        ),
        ("f#", r"^[ \t]*(?:#light|#nowarn|#if|open \w|let |module [\w.]+|namespace |type \w|\[<|\(\*|///)"),
        ("", _FORTH + r"|#pragma\s+(?:rs|version)|__attribute__|#include"),
        ("f#", None),
    ],
    "gs": [
        ("glsl", r"^#version|^[ \t]*layout\s*\(|\bEmitVertex\b"),
        ("", r"^(?:uses [\w.]+|\[indent|init\s*$|package [\w.]+\s*$|enhancement )"),
        ("javascript", None),
    ],
    "h": [
        ("", r"^[ \t]*(?:@(?:interface|protocol|class|property|end|import)\b|#import\s+[<\"])"),
        ("c++", _CPP_HEADER),
        ("c", None),
    ],
    "hh": [("", r"\A(?:#!.*\n)?<\?hh"), ("c++", None)],
    "i": [("", r"^%(?:module|include|inline|typemap|\{)|^# \d+ \""), ("assembly", _ASSEMBLY), ("", None)],
    "ice": [("json", r"\A\s*[{\[]"), ("", None)],
    "inc": [
        ("php", r"<\?(?:php|=|\s)"),
        (
            "",
            r"^(?:stock|native|forward) |^#pragma (?:semicolon|tabsize)|^#(?:declare|local|macro) |^(?:inherit|require) |^(?:[A-Z_]++|[A-Z_][A-Z]*+_\w++) [?+:]?= \"|^\w+ = \"|^do_\w+\(\)",
        ),
        ("html", r"\A\s*<(?:!|/?[a-zA-Z])"),
        (
            "sql",
            r"(?i)^[ \t]*(?:create (?:table|procedure|function|index|view)|select .* from|insert into|alter table|drop \w+|delimiter )",
        ),
        ("pascal", _PASCAL),
        (
            "c++",
            r"^[ \t]*(?:#\s*(?:include|define|ifn?def|pragma|undef)|//|template\s*<|namespace |static |typedef )|\w::\w",
        ),
        ("assembly", _ASSEMBLY),
        ("", None),
    ],
    "l": [
        ("", r"^%[%{]|^\.(?:TH|SH|\\\")|^\((?:de|class|dm|symbols|load) |^%option"),
        ("common-lisp", r"(?i)^[ \t]*\((?:def\w+|in-package|declaim|setq|eval-when)\b|^;"),
        ("", None),
    ],
    "lisp": [("", r"\A#!.*newlisp|^\(define |^\(context "), ("common-lisp", None)],
    "lsp": [("", r"\A#!.*newlisp|^\(define |^\(context "), ("common-lisp", None)],
    "m": [
        ("", r"^[ \t]*(?:#(?:import|include)\b|@(?:interface|implementation|protocol|class|import|end)\b)"),
        (
            "",
            r"^:- (?:module|interface|import_module)|^implement \w+;|^\w[\w%]*(?:\([\w,]*\))?[ \t]+;|^[ \t]+;;? |^: \w+ \(",
        ),
        (
            "mathematica",
            r"^\(\*|\*\)\s*$|^[ \t]*\w+::\w+\s*=|^[^\n%\[]{0,80}\w\[[^\n\]]{0,100}_[^\n\]]{0,100}\][ \t]*:?=|^(?:BeginPackage|Begin|Needs|Get)\[",
        ),
        ("", r"^/[/*]"),
        ("matlab", None),
    ],
    "ma": [("mathematica", r"\(\*|\w\[|:="), ("", None)],
    "md": [("", r"^\(define_(?:insn|expand|attr|predicate|constants)|^;;"), ("markdown", None)],
    "mir": [("yaml", r"\A---|^[\w]+:"), ("", None)],
    "ml": [
        (
            "standard-ml",
            r"^[ \t]*(?:fun [\w'(][^\n=>]{0,200}=|(?:structure|signature) \w+ *[=:]|functor \w+ *\(|datatype [\w' ]+=|infixr? \d|val \w+ = fn\b)",
        ),
        ("ocaml", None),
    ],
    "mm": [("", _XML + r"|^<"), ("objectc++", None)],
    "mpl": [("maple", r":=|\bproc\s*\(|\bend(?: proc| module)?[:;]|^#"), ("", None)],
    "nas": [("", r"^[ \t]*var \w+ = |\bfunc\s*[({]"), ("assembly", None)],
    "nb": [("mathematica", r"Notebook\[|\(\*|\bCell\["), ("", None)],
    "pp": [("pascal", _PASCAL), ("", None)],
    "php": [("", r"\A(?:#!.*\n)?<\?hh"), ("php", None)],
    "pl": [
        ("prolog", r"^:-|^[a-z]\w*(?:\([^\n]*\))?\s*(?::-|-->)|^\w[\w]*\([^\n]*\)\.\s*$"),
        ("", _RAKU),
        ("perl", None),
    ],
    "plt": [("", r"^[ \t]*(?:set|unset|plot|splot|reset|pause) "), ("prolog", None)],
    "pluginspec": [("", _XML), ("ruby", None)],
    "pm": [("", _RAKU + r"|\A\W{0,3}/\* XPM \*/"), ("perl", None)],
    "pro": [
        ("prolog", r"^:-|^[a-z]\w*(?:\([^\n]*\))?\s*(?::-|-->)|^[a-z]\w*\([^\n]*\)\.\s*$"),
        ("", None),
    ],
    "p8": [("", r"\A\s*-----BEGIN"), ("lua", None)],
    "q": [
        ("sql", r"(?i)\A(?:\s|--[^\n]*\n)*(?:select|create|insert|with|set|drop|use|alter|from|explain)\b"),
        ("", None),
    ],
    "r": [("", r"(?i)\A\s*(?:red|rebol)\b|^[ \t]*rebol \[|^#include|^resource '"), ("r", None)],
    "rd": [("r", r"^[ \t]*\\(?:name|title|usage|alias|docType)\{|<-"), ("", None)],
    "re": [
        ("c++", r"^[ \t]*(?:#\s*(?:include|define|ifn?def|if)|namespace |using |template)|/\*!re2c"),
        ("", None),
    ],
    "releaserc": [("json", r"\A\s*[{\[]"), ("yaml", None)],
    "rpy": [
        ("", r"^[ \t]*(?:label \w+\s*:|define |init(?: python)?\s*:|screen |image |\$ |transform )"),
        ("python", None),
    ],
    "rs": [("", _XML + r"|^#include|^#pragma\s+(?:rs|version)|__attribute__"), ("rust", None)],
    "sc": [
        (
            "",
            r"\bSynth(?:Def)?\b|\^(?:this|super)\.|^[ \t]*\+ \w+ \{|^[ \t]*~\w+\s*=|^[ \t]*\*\w+ \{|\bPbind\b|\{\s*\|[\w, =]+\||\bclassvar\b|\.ar\(",
        ),
        ("scala", None),
    ],
    "scd": [("markdown", r"\A[\w-]+\(\d\)"), ("", None)],
    "sch": [("", _XML + r"|\AEESchema|\A\(kicad|\Av 20\d\d"), ("scheme", None)],
    "scm": [
        ("", r"^[^\n;\"]*\)\s*@[\w.]+|^[ \t]*\(#(?:eq|match|any-of|set|lua-match)[?!]|^; inherits"),
        ("scheme", None),
    ],
    "shader": [("", r"^[ \t]*(?i:shader) \""), ("glsl", None)],
    "sig": [("", r"\A-----BEGIN"), ("standard-ml", None)],
    "sls": [("", r"^\{%|^[\w./-]+:[ \t]*$|^[ \t]+- "), ("scheme", None)],
    "sol": [("", r"^(?:[DGMT]\d\d+\*|%FS|%MO)"), ("solidity", None)],
    "spec": [
        ("", r"^(?:%\w+|Name:|Summary:|Version:|Release:|License:)"),
        ("python", r"\bAnalysis\(|^# -\*- (?:mode: )?python|^(?:import|from) \w"),
        ("ruby", r"^[ \t]*(?:require|describe|context|it) |\bdo\s*$|^end\b"),
        ("", None),
    ],
    "st": [
        ("", r"\$\w[\w.()]*\$|^\w+\([\w, ]*\) ::=|<\w+(?:\.\w+|:\{|\(\))|^(?:group|delimiters|template) "),
        ("smalltalk", None),
    ],
    "syntax": [("yaml", r"\A(?:%YAML|---)|^\w+:"), ("", None)],
    "t": [
        (
            "",
            _RAKU
            + r"|^[ \t]*(?:terra \w|local \w+\s*=|% |var \w+ : |put \"|end (?:if|loop|for)\b|import C\b)",
        ),
        ("perl", None),
    ],
    "tact": [("json", r"\A\s*[{\[]"), ("", None)],
    "toc": [("tex", r"^\\"), ("", None)],
    "trigger": [("shell", r"\A#!|^[ \t]*(?:if \[|fi\b|export )"), ("", None)],
    "ts": [("", r"\A\W{0,3}(?:<\?xml|<!DOCTYPE TS|<TS\b)"), ("typescript", None)],
    "v": [
        (
            "",
            r"^[ \t]*(?:Require |From \w+ Require|Proof\b|Qed\.|Theorem |Lemma |Definition |Inductive |Fixpoint |Section \w+\.|Module \w+)",
        ),
        ("", r"^(?:pub )?fn [\w(]|^import \w+(?:\.\w+)*[ \t]*$"),
        ("verilog", None),
    ],
    "vs": [("glsl", r"#version|^[ \t]*(?:attribute|uniform|varying|in|out) \w|gl_Position"), ("", None)],
    "vba": [("", r"^\" |UseVimball"), ("visual-basic", None)],
    "yy": [("json", r"\A\s*[{\[]"), ("yacc", None)],
}

#: What the content says by itself, for names that say nothing: only what can hardly be anything else.
UNNAMED: list[tuple[str, re.Pattern[str]]] = [
    (
        "html",
        re.compile(
            r"\A\W{0,3}(?:<!--[^>]{0,400}-->\s*|<\?xml[^>]{0,100}>\s*)?<(?:!doctype html|html)\b",
            re.IGNORECASE,
        ),
    ),
    ("php", re.compile(r"\A<\?php\s")),
]

RULES: dict[str, list[Rule]] = {
    extension: [
        (language, re.compile(pattern, re.MULTILINE) if pattern else None) for language, pattern in rules
    ]
    for extension, rules in _PATTERNS.items()
}
