"""The attribution of what was kept, and the opt-out list."""

from __future__ import annotations

import json

import pytest

from codekiln.corpus import licenses
from codekiln.errors import UserError

ROWS = [
    {"repo": "b", "path": "z.py", "licenses": ["MIT"], "license_evidence": "LICENSE: MIT", "revision": "abc",
     "content": "# Copyright (c) 2020 Ada <ada@example.org>\n# Copyright 2021 Bob\n"},
    {"repo": "b", "path": "a.py", "licenses": ["MIT"], "license_evidence": "SPDX header", "revision": "abc",
     "content": "/* Copyright (c) 2020 Ada <ada@example.org> */\n"},
    {"repo": "b", "path": "g.py", "licenses": ["ISC"], "license_evidence": "x", "revision": "abc", "content": ""},
    {"repo": "a", "path": "n.py", "licenses": None, "license_evidence": "no licence found"},
]  # fmt: skip


def test_attribution():
    entries = licenses.attribution(ROWS)
    assert entries == licenses.attribution(reversed(ROWS))
    assert [(entry["repo"], entry["licenses"], entry["files"]) for entry in entries] == [
        ("a", [], ["n.py"]), ("b", ["ISC"], ["g.py"]), ("b", ["MIT"], ["a.py", "z.py"]),
    ]  # fmt: skip
    assert entries[2]["copyright"] == ["Copyright (c) 2020 Ada <ada@example.org>", "Copyright 2021 Bob"]
    assert entries[2]["evidence"] == ["LICENSE: MIT", "SPDX header"]
    assert json.loads(json.dumps(entries)) == entries
    text = licenses.attribution_text(entries)
    assert "b at abc\n  Licence: MIT\n" in text
    assert "  Copyright 2021 Bob\n  Files: 2\n    a.py\n    z.py\n" in text
    assert licenses.attribution_text([]) == ""


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("// Copyright 2009 The Go Authors. All rights reserved.\n", ["Copyright 2009 The Go Authors. All rights reserved."]),
        ("# © 2020 Ada\n# (c) 2019 Bob", ["© 2020 Ada", "(c) 2019 Bob"]),
        ("the above copyright notice and\ncopyright holders\n", []),
        ("Copyright (c) <year> <holder>\nCopyright {yyyy} x", []),
        ("x = copyright(text)\n", []),
    ],
)  # fmt: skip
def test_copyright_lines(text, lines):
    assert licenses.copyright_lines(text) == lines


def test_opt_out_list(tmp_path):
    path = tmp_path / "opt-out.txt"
    path.write_text(
        "# asked on 3 May\n\nada/engine\nBob/*  # all of them\ncarol/mixed:vendor\ncarol/mixed:src/*.py\npypi:thing\n"
        "carol/mixed:**/x.js\n",
    )
    listed = licenses.read_opt_outs(path)

    def out(repo, name):
        return licenses.opted_out(repo, name, listed)

    assert out("ada/engine", "a.py") == "ada/engine"
    assert out("Ada/Engine", "a.py") == "ada/engine"
    assert out("ada/engine2", "a.py") is None
    assert out("bob/x", "deep/a.py") == "Bob/*"
    assert out("carol/mixed", "vendor/x/a.py") == "carol/mixed:vendor"
    assert out("carol/mixed", "src/a.py") == "carol/mixed:src/*.py"
    assert out("carol/mixed", "src/deep/a.py") is None
    assert out("carol/mixed", "vendors/a.py") is None
    assert out("carol/mixed", "a/b/x.js") == "carol/mixed:**/x.js"
    assert out("pypi:thing", "a.py") == "pypi:thing"
    assert licenses.opted_out("a", "b", []) is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b":src", "before the colon"), (b"repo:", "after the colon"), (b"a\x07b", "control letters"),
        (b"x" * 2000, "longer than 1000"), (b"repo:../x", "has . or .. in it"), (b"two words", "has a space"),
    ],
)  # fmt: skip
def test_bad_lines_are_named(tmp_path, line, problem):
    path = tmp_path / "opt-out.txt"
    path.write_bytes(b"fine\n" + line + b"\n")
    with pytest.raises(UserError, match=rf"opt-out\.txt:2: .*{problem}"):
        licenses.read_opt_outs(path)


def test_lists_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        licenses.read_opt_outs(tmp_path / "none.txt")
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(UserError, match=r"not UTF-8 \(byte 3\)"):
        licenses.read_opt_outs(path)
