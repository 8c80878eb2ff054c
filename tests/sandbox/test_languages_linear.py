"""What looks through programs' texts takes linear time on texts made against it."""

from __future__ import annotations

import contextlib
import gc
import time

import pytest

from codekiln.errors import UserError
from codekiln.sandbox.languages import toolchains
from codekiln.sandbox.toolchain import Toolchain

#: Beginnings of what patterns look for, without ends.
_UNITS = (
    "static ", "public ", "public static ", "static public ", " static\n\n", "class a ", "class a{", "{", "}", "fn ", "mod a {",
    "func main(", "func Test", "package a\n", "var x ", "/*", "//", "'", '"', "`", "\\", "#[test] ", "#[cfg(test)]\n",
    "int main(", "int main", "main(", "  ", "\n", "\t\n", "\r\n", "const a", "`${", "=begin\n", "<<A\n", "$(", 'R"(', 'r#"',
    "static void main", "let ", "type ", "'''", '"""', "import a\n", "def ", "--", "[[", "void main", "return ", "end\n", "<?php ",
    "?>", "$a", "=pod\n", '@"', '$"{', "Task ", "#include <a>\n", "#include <bits/stdc++.h>\n",
)  # fmt: skip
#: What stands around them in a second try: inside of a program's main part.
_AROUND = {
    "c": "int main() {%s}", "c++": "int main() {%s}", "go": "package main\nfunc main() {%s}", "rust": "fn main() {%s}",
    "java": "class A { public static void main(String[] a) {%s} }", "c#": "class A { static void Main() {%s} }",
}  # fmt: skip


def _seconds(tools: Toolchain, unit: str, around: str, size: int) -> float:
    text = around % (unit * (size // len(unit)))
    files = {tools.file: text.encode()}
    begun = time.process_time()
    files, main = tools.arrange(files, tools.file)
    tools.values(files, main)
    tools.compile_words(files, main)
    if tools.finishing:
        with contextlib.suppress(UserError):
            tools.finishing(text)
    return time.process_time() - begun


@pytest.mark.parametrize("language", list(toolchains()))
def test_texts_are_read_in_linear_time(language: str) -> None:
    tools, slow = toolchains()[language], []
    gc.disable()
    try:
        for around in ("%s", _AROUND.get(language)):
            for unit in _UNITS if around else ():
                if _seconds(tools, unit, around, 16_000) < 0.04:
                    continue
                # Four times as much takes four times as long; what is quadratic takes sixteen times.
                few, many = (
                    min(_seconds(tools, unit, around, size) for _ in range(2)) for size in (12_000, 48_000)
                )
                if many > 9 * few:
                    slow.append((unit, few, many))
    finally:
        gc.enable()
    assert not slow
