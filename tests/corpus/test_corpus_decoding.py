"""Bytes to text: what comes back is what was written, or a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.corpus.sources.decoding import BINARY, UNKNOWN, decode

WRITTEN = [
    ("cp1252", "# caf\xe9 \xe0 la cr\xe8me, na\xefve fa\xe7on\nx = 1\n"),
    ("cp1252", "it\u2019s \u201cquoted\u201d \u2013 dash\n"),
    ("cp1252", "x = '\xa7'\n" * 3),
    ("cp1251", "# Привет, это комментарий к программе\nx = 1\n"),
    ("koi8_r", "# Привет, это комментарий к программе\nx = 1\n"),
    ("cp932", "// これはコメントです。日本語の文章。\nint x;\n"),
    ("euc_jp", "// これはコメントです。日本語の文章。\nint x;\n"),
    ("gb18030", "// 这是一个中文注释，用于测试编码\nint x;\n"),
    ("big5", "// 這是一個中文註解，用於測試編碼\nint x;\n"),
    ("cp949", "// 이것은 한국어 주석입니다 테스트\nint x;\n"),
    ("utf-16", "int x; // \N{ROCKET}\n"),
    ("utf-32", "int x; // \N{ROCKET}\n"),
    ("utf-8", "int x; // \N{ROCKET}\n"),
]


@pytest.mark.parametrize(("encoding", "text"), WRITTEN)
@pytest.mark.parametrize("code_before", [0, 3000])
def test_source_code_of_each_encoding_comes_back(encoding: str, text: str, code_before: int) -> None:
    text = "int counter = counter + 1;\n" * code_before + text
    assert decode(text.encode(encoding)) == (text, encoding)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a\0b", BINARY),
        (b"\xff\xfea\0\0\0", BINARY),
        (b"\xff\xfea", BINARY),
        (b"\xff\xfe\0\xd8", BINARY),
        (bytes(range(128, 256)) * 4, UNKNOWN),
        (b"int x; /* \x81\x8d */\n", UNKNOWN),
    ],
)
def test_what_is_no_text_has_a_reason(data: bytes, reason: str) -> None:
    assert decode(data) == (None, reason)


@given(st.binary(max_size=300))
def test_any_bytes_end_in_text_of_an_encoding_or_a_reason(data: bytes) -> None:
    text, encoding = decode(data)
    if text is None:
        assert encoding in (BINARY, UNKNOWN)
    else:
        assert "\0" not in text
        text.encode("utf-8")
