"""Where the main part of a program ends: comments, literals, calls and declarations do not lead astray."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.errors import UserError
from codekiln.sandbox.ending import at_end_of, before_line, code_only
from codekiln.sandbox.languages import go, java, perl, rust, toolchain, toolchains
from codekiln.sandbox.languages.c import MAIN

FAMILIES = ["c", "java", "c#", "go", "rust"]


def end(text: str) -> str:
    return at_end_of(text, MAIN, "!", "c", "function main")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int main() { f(); }", "int main() { f(); !\n}"),
        ("int main() { return 0; }", "int main() {!\n return 0; }"),
        ("int main() { f(); return 0 ; }", "int main() { f();!\n return 0 ; }"),
        ("int main() { if (x) return 1; }", "int main() { if (x) return 1; !\n}"),
        ("int main() { if (x) { return 1; } }", "int main() { if (x) { return 1; } !\n}"),
        (
            "int main(void);\nint f() { }\nint main(void) { }",
            "int main(void);\nint f() { }\nint main(void) { !\n}",
        ),
        (
            "int main() { }\nint f() { main(); if (main()) { } }",
            "int main() { !\n}\nint f() { main(); if (main()) { } }",
        ),
        ('int main() { f(\'}\'); g("}\\"}"); } // }', 'int main() { f(\'}\'); g("}\\"}"); !\n} // }'),
        ('int main() { R"x(}")x"; }', 'int main() { R"x(}")x"; !\n}'),
        ("int main() { int x = 1'000'000; }", "int main() { int x = 1'000'000; !\n}"),
        ("/* int main() { */ int main() { }", "/* int main() { */ int main() { !\n}"),
    ],
)
def test_the_end_of_main(text: str, expected: str) -> None:
    assert end(text) == expected


@pytest.mark.parametrize("text", ["", "int f() { }", "// int main() { }", "int main() {", "int main();"])
def test_no_main(text: str) -> None:
    with pytest.raises(UserError, match="function main"):
        end(text)


@given(st.text(alphabet="ab{}();\"'`/*\\\n#@$r!R ", max_size=60), st.sampled_from(FAMILIES))
def test_code_keeps_its_places(text: str, family: str) -> None:
    code = code_only(text, family)
    assert len(code) == len(text)
    assert [at for at, one in enumerate(code) if one == "\n"] == [
        at for at, one in enumerate(text) if one == "\n"
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "part", ["/*", '"', "'", "`", 'R"(', 'r#"', '@"', "{", '"""', "static void main(", "\\", "main("]
)
def test_hostile_texts_are_read_in_linear_time(family: str, part: str) -> None:
    def seconds(count: int) -> float:
        text = part * count
        begun = time.process_time()
        code_only(text, family)
        for pattern in (MAIN, java._MAIN):
            try:
                at_end_of(text, pattern, "!", family, "main")
            except UserError:
                continue
        return time.process_time() - begun

    few = min(seconds(1_000) for _ in range(2))
    assert min(seconds(8_000) for _ in range(2)) < 24 * few + 0.05


def test_marks_of_scripts() -> None:
    assert before_line("a\n__END__\nb", perl._END, "!") == "a\n!\n__END__\nb"
    assert before_line("a", perl._END, "!") == "a\n!\n"
    assert before_line("x = '__END__ '", perl._END, "!") == "x = '__END__ '\n!\n"


def test_main_classes_of_java() -> None:
    one = b'/* class No { } */ package a.b; class A { class B { } } public class C { String s = "class D {"; public static void main(String[] x) { } }'
    assert java._main_class(one) == "a.b.C"
    assert java._main_class(b"public class A { } class B { static public void main(String... x) { } }") == "B"
    files, main = java._arrange(
        {"main.java": one, "x/y.java": b"package x; public final class Z { }", "z.txt": b""}, "main.java"
    )
    assert (sorted(files), main) == (["C.java", "x/Z.java", "z.txt"], "C.java")


def test_files_of_go() -> None:
    files, main = go._arrange({"main.go": b"package a_test\nfunc TestX(t *testing.T) { }"}, "main.go")
    assert (sorted(files), main) == (["go.mod", "main_test.go"], "main_test.go")
    files, main = go._arrange({"main.go": b"package main\nfunc main() { }", "go.mod": b"module x"}, "main.go")
    assert (files["go.mod"], main) == (b"module x", "main.go")


def test_tests_of_rust() -> None:
    text = "#[test]\nfn a() { }\nmod tests { #[test] fn b() { } fn c() { } }\n// #[test] fn d()"
    assert rust._test_names(code_only(text, "rust")) == ["a", "tests::b"]


def test_every_language_but_sql_can_finish() -> None:
    assert [name for name, one in toolchains().items() if one.finishing is None] == ["sql"]
    assert "if True" in (toolchain("python").finishing or str)("if True: pass")
