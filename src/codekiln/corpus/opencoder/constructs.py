"""What the code of some languages is made of: functions, variables, imports, plain returns, by patterns at line starts.

OpenCoder parses Python and JavaScript and has patterns for C, C++, C#, Java and Go. Here all have patterns, over code
without its comments. An import, a print or a pass is a statement, not any line with `important`, `blueprint` or `password`
in it. Measured against their own code: benchmarks/results/2026-11-23-opencoder.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r"[A-Za-z_$][\w$]*"
#: Words that open a statement and no declaration, before a name and a bracket.
_NOT_TYPE = r"(?!(?:return|else|new|throw|case|goto|delete|typedef|using|package|import|await|yield)\b)"
_MODIFIER = (
    r"(?:(?:public|protected|private|internal|static|final|abstract|synchronized|native|virtual|override|async|sealed"
    r"|partial|readonly|volatile|transient|default)[ \t]+){0,6}"
)
_SHORT = r"""(?:[\w.]{0,80}|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]{0,4}')"""


@dataclass(frozen=True)
class Pack:
    """Patterns of a language, each for the whole of what it names; `variable` is None where no rule asks for one.

    `plain` are the patterns of lines without logic besides functions: imports, types, plain variables and returns.
    """

    function: re.Pattern[str]
    variable: re.Pattern[str] | None
    plain: re.Pattern[str]
    print: re.Pattern[str]


def _pattern(*ways: str) -> re.Pattern[str]:
    return re.compile("^[ \t]*(?:" + "|".join(ways) + ")", re.MULTILINE)


def _lines(pattern: str) -> re.Pattern[str]:
    """Lines that hold the pattern, each once."""
    return re.compile(rf"{pattern}[^\n]*")


_C_TYPE = r"(?:unsigned[ \t]+)?(?:int|float|double|char|bool|std::string|auto)"
_CS_TYPE = r"(?:int|float|double|char|string|bool|byte|sbyte|short|ushort|uint|long|ulong|decimal)"
_JAVA_TYPE = r"(?:int|long|float|boolean|char|double|[A-Z][\w<>,?\[\]]{0,80})"
_RETURN = rf"return(?:[ \t]++{_SHORT})?[ \t]*;[ \t]*$"
# A declaration without a body counts as well: most of a header.
_C_FUNCTION = (
    rf"{_NOT_TYPE}(?:[A-Za-z_][\w:<>,]{{0,80}}[ \t*&]+){{1,6}}~?[A-Za-z_][\w:~]{{0,80}}[ \t]*\([^();]{{0,500}}\)"
    r"[^;{}()\n=]{0,80}\s{0,80}[{:;]"
)
# A constructor has no type before its name, and counts as no function.
_METHOD = rf"{_MODIFIER}{_NOT_TYPE}(?!(?:if|public|private|protected|internal)\b)(?:<\w+>[ \t]*)?[A-Za-z_][\w<>,.?\[\]]{{0,80}}[ \t]+\w{{1,80}}[ \t]*\([^();]{{0,500}}\)"
_C = Pack(
    _pattern(_C_FUNCTION),
    None,
    _pattern(
        r"#[ \t]*include\b", r"class[ \t]+\w+[^;{\n]{0,200}\s{0,80}\{", rf"{_C_TYPE}[ \t]+\w+[ \t]*;", _RETURN
    ),
    _lines(r"\b[fs]?n?printf[ \t]*\("),
)

PACKS: dict[str, Pack] = {
    "c": _C,
    "c++": Pack(_C.function, None, _C.plain, _lines(r"\bcout\b|\b[fs]?n?printf[ \t]*\(")),
    "c#": Pack(
        _pattern(_METHOD),
        None,
        _pattern(
            r"using[ \t]+[\w.]+[ \t]*;", rf"{_MODIFIER}class[ \t]+\w+", rf"{_MODIFIER}{_CS_TYPE}\??[ \t]+\w+[ \t]*;",
            r"return\b[^;\n]{0,500};",
        ),
        _lines(r"\bConsole\.WriteLine\b"),
    ),
    "java": Pack(
        _pattern(_METHOD),
        _pattern(rf"{_MODIFIER}{_NOT_TYPE}{_JAVA_TYPE}(?:\[\])?[ \t]+\w+[ \t]*[=;]"),
        _pattern(
            r"import[ \t]+[\w.*]+[ \t]*;", rf"{_MODIFIER}class[ \t]+\w+", rf"{_MODIFIER}{_JAVA_TYPE}[ \t]+\w+[ \t]*;", _RETURN
        ),
        _lines(r"\bSystem\.out\.print"),
    ),
    "go": Pack(
        re.compile(r"^func\b", re.MULTILINE),
        None,
        _pattern(
            r'import[ \t]+(?:"|\()', r"type[ \t]+\w+[ \t]+(?:struct|interface)\b", r"var[ \t]+\w+[ \t]+\w+[ \t]*;?[ \t]*$",
            r"return\b",
        ),
        _lines(r"\bfmt\.Print"),
    ),
    "javascript": Pack(
        _pattern(
            rf"(?:export[ \t]+(?:default[ \t]+)?)?(?:async[ \t]+)?function\b[ \t*]*{_NAME}",
            rf"(?:export[ \t]+)?(?:const|let|var)[ \t]+{_NAME}[ \t]*=[ \t]*(?:async[ \t]+)?function\b",
            rf"module\.exports\.{_NAME}[ \t]*=[ \t]*(?:async[ \t]+)?(?:function\b|\([^()\n]{{0,200}}\)[ \t]*=>)",
        ),
        re.compile(r"\b(?:const|let|var)[ \t\n]+[\w$\[{]|\bmodule\.exports\.[\w$]+[ \t]*="),
        _pattern(
            r"import\b", rf"(?:export[ \t]+(?:default[ \t]+)?)?class[ \t]+{_NAME}",
            rf"(?:export[ \t]+)?(?:const|let|var)[ \t]+{_NAME}[ \t]*(?:=[ \t]*{_SHORT})?[ \t]*;?[ \t]*$",
            rf"return(?:[ \t]++{_SHORT})?[ \t]*+;?[ \t]*+$",
        ),
        _lines(r"\bconsole\.log\b"),
    ),
    "python": Pack(
        _pattern(r"def[ \t]"),
        _pattern(
            r"[A-Za-z_]\w*[ \t]*(?::[^=\n]{1,200})?=(?!=)", r"for[ \t]+\w+[ \t]+in\b", r"def[ \t]+\w+[ \t]*\([ \t\n]*\w",
        ),
        _pattern(r"import[ \t]", r"from[ \t]+[\w.]+[ \t]+import\b", r"class[ \t]+\w", r"return\b"),
        _lines(r"\bprint\b"),
    ),
}  # fmt: skip

_PYTHON_IMPORT = _pattern(r"import[ \t]", r"from[ \t]+[\w.]+[ \t]+import\b")
_PASS = re.compile(r"(?:^|:)[ \t]*pass[ \t]*$", re.MULTILINE)
# A function of one line that returns: its header ends with a colon, and what follows is not indented as its body is.
_ONE_RETURN = re.compile(
    r"^([ \t]*)def[ \t][^\n]*:[ \t]*(?:\n[ \t]+)?return\b[^\n]*(?=((?:\n[ \t]*){1,3})(\S|\Z))", re.MULTILINE
)
_CLASS = re.compile(r"[ \t]*class[ \t]+\w")
_MEMBER = re.compile(r"[A-Za-z_]\w*[ \t]*[:=](?!=)")
_DIRECTIVE = re.compile(r"^[ \t]*(?:#[ \t]*[a-z]|(?:struct|using)\b)[^\n]*", re.MULTILINE)
_MAIN = re.compile(r"\bmain\s{0,80}\([^){]{0,500}\)\s{0,80}\{")
_HEADERS = (".h", ".hpp", ".hxx", ".hh", ".h++")

#: Signals of the packs, in order.
SIGNALS = (
    "oc_functions", "oc_no_variable", "oc_no_logic", "oc_print_lines", "oc_import_lines", "oc_pass_lines",
    "oc_return_functions", "oc_directive_lines", "oc_mains", "oc_go_test",
)  # fmt: skip


def constructs(path: str, language: str, code: str, lines: list[str]) -> dict[str, float | bool | None]:
    """Signals of a language's pack, as shares of its lines of code; None where the language has none.

    Args:
        code: the file without comments.
        lines: its lines that are not blank.
    """
    found: dict[str, float | bool | None] = dict.fromkeys(SIGNALS)
    pack, count = PACKS.get(language), len(lines)
    if pack is None or not count:
        return found
    functions = len(pack.function.findall(code))
    plain = functions + len(pack.plain.findall(code)) + (_members(lines) if language == "python" else 0)
    found |= {
        "oc_functions": round(functions / count, 6),
        "oc_no_variable": pack.variable.search(code) is None if pack.variable else None,
        "oc_no_logic": round(plain / count, 6),
        "oc_print_lines": round(len(pack.print.findall(code)) / count, 6),
    }
    if language == "python":
        found["oc_import_lines"] = round(len(_PYTHON_IMPORT.findall(code)) / count, 6)
        found["oc_pass_lines"] = round(len(_PASS.findall(code)) / count, 6)
        found["oc_return_functions"] = round(_one_returns(code) / count, 6)
    elif language in ("c", "c++"):
        found["oc_mains"] = len(_MAIN.findall(code))
        if not path.lower().endswith(_HEADERS):
            found["oc_directive_lines"] = round(len(_DIRECTIVE.findall(code)) / count, 6)
    elif language == "go":
        found["oc_go_test"] = path.lower().endswith("_test.go")
    return found


def _one_returns(code: str) -> int:
    """Functions of Python whose only statement returns."""
    return sum(
        match[3] == "" or len(match[2].rpartition("\n")[2].expandtabs()) <= len(match[1].expandtabs())
        for match in _ONE_RETURN.finditer(code)
    )


def _members(lines: list[str]) -> int:
    """Variables that stand directly in a class of Python."""
    if not any("class" in line for line in lines):
        return 0
    found = 0
    open_classes: list[list[int]] = []  # of each class that is open: its indentation, and that of its members
    for line in lines:
        body = line.lstrip(" \t")
        indent = len(line) - len(body)
        while open_classes and indent <= open_classes[-1][0]:
            open_classes.pop()
        if open_classes:
            if open_classes[-1][1] < 0:
                open_classes[-1][1] = indent
            found += indent == open_classes[-1][1] and _MEMBER.match(body) is not None
        if _CLASS.match(line):
            open_classes.append([indent, -1])
    return found
