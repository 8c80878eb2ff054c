from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.evaluation.truncate import truncate_block, truncate_line

CODE = st.text(alphabet="ab }{\t\n\r:", max_size=60)


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("return x", "return x"),
        ("return x\n    return y", "return x"),
        ("return x\r\n    return y", "return x"),
        ("return x\rreturn y", "return x"),
        ("\n    return x", ""),
        ("", ""),
        ("x = 1  \n", "x = 1  "),
        ("s = 'a\u2028b'\nz", "s = 'a\u2028b'"),
    ],
)
def test_a_line_ends_at_the_first_newline(completion: str, expected: str) -> None:
    assert truncate_line(completion) == expected


def test_a_block_ends_where_a_line_dedents_below_the_hole() -> None:
    prefix = "def f(x):\n    if x:\n        "
    assert (
        truncate_block("a()\n        b()\n    return 1\n", prefix, "\n    return 2\n") == "a()\n        b()"
    )
    assert (
        truncate_block("a()\n            b()\n        c()", prefix, "") == "a()\n            b()\n        c()"
    )


def test_a_block_ends_at_the_line_that_follows_the_hole() -> None:
    prefix, suffix = "def f():\n    ", "\n\n    return total\n"
    assert truncate_block("a()\n    b()\n    return total\n    c()", prefix, suffix) == "a()\n    b()"
    # Written at once: the hole holds nothing.
    assert truncate_block("return total\n", prefix, suffix) == ""
    # The same words deeper inside the block are not that line.
    inner = "if a:\n        return total\n    b()"
    assert truncate_block(inner, prefix, suffix) == inner


def test_the_closing_brace_belongs_to_the_suffix() -> None:
    prefix, suffix = "int f() {\n    ", "\n}\n"
    body = "if (a) {\n        b();\n    }\n    return 1;"
    assert truncate_block(body + "\n}\n\nint g() {\n    c();\n}\n", prefix, suffix) == body
    # One level in, where a brace of the block itself stands at the hole's depth.
    assert truncate_block(body + "\n    }\n}", "int f() {\n  x {\n    ", "\n  }\n}\n") == body + "\n    }"


def test_tabs_reach_the_next_stop_of_eight() -> None:
    prefix = "\tif x {\n\t\t"
    assert truncate_block("a()\n\t\tb()\n\t}\n", prefix, "\n\t}\n") == "a()\n\t\tb()"
    # Sixteen spaces are as deep as two tabs.
    assert truncate_block("a()\n                b()\n        c()", prefix, "") == "a()\n                b()"


def test_blank_lines_do_not_end_a_block_but_are_dropped_at_its_end() -> None:
    prefix = "    "
    assert truncate_block("a()\n\n    b()\n\n\nc()", prefix, "") == "a()\n\n    b()"
    assert truncate_block("\n    a()\nb()", prefix, "") == "\n    a()"
    assert truncate_block("\n\n", prefix, "") == ""
    assert truncate_block("   \nrest", prefix, "") == ""


def test_crlf_files_keep_their_newlines_inside_a_block() -> None:
    prefix, suffix = "def f():\r\n    ", "\r\n    return 1\r\n"
    assert truncate_block("a()\r\n    b()\r\n    return 1\r\n", prefix, suffix) == "a()\r\n    b()"
    assert truncate_block("a()\r\n\r\nb()", prefix, suffix) == "a()"


def test_the_rest_of_the_holes_own_line_is_not_what_follows() -> None:
    assert truncate_block("x\n    ) + y", "    f(", ") + y\n") == "x\n    ) + y"


@given(CODE, CODE, CODE)
def test_truncating_takes_a_prefix_and_is_idempotent(completion: str, prefix: str, suffix: str) -> None:
    line = truncate_line(completion)
    block = truncate_block(completion, prefix, suffix)
    assert completion.startswith(line)
    assert completion.startswith(block)
    assert "\n" not in line
    assert truncate_line(line) == line
    assert truncate_block(block, prefix, suffix) == block


@given(st.lists(st.sampled_from(["a()", "  b()", "c()  ", "\td()"]), min_size=1, max_size=6))
def test_a_block_that_keeps_its_depth_is_kept_whole(lines: list[str]) -> None:
    body = "\n    ".join([*lines, "end()"])
    assert truncate_block(body, "    ", "\n    after()\n") == body
    assert truncate_block(body + "\nafter()", "    ", "\nafter()\n") == body
