"""Licence files are recognised by what they say."""

from __future__ import annotations

import json
import time
from pathlib import Path

import license_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.corpus import licenses
from codekiln.corpus.licenses.expressions import base_id
from codekiln.corpus.licenses.texts import find_texts

APACHE = (Path(__file__).parents[2] / "LICENSE").read_text()
COMMON = Path("/usr/share/common-licenses")

SHORT = {
    "MIT": kit.MIT,
    "MIT-0": kit.MIT_0,
    "BSD-2-Clause": kit.bsd(2),
    "BSD-3-Clause": kit.bsd(3),
    "BSD-4-Clause": kit.bsd(4),
    "ISC": kit.ISC,
    "0BSD": kit.ZERO_BSD,
    "Zlib": kit.ZLIB,
    "Unlicense": kit.UNLICENSE,
    "BSL-1.0": kit.BOOST,
    "WTFPL": kit.WTFPL,
    "Apache-2.0": APACHE,
}


def wrapped(text: str, width: int) -> str:
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) > width:
            lines.append(line)
            line = ""
        line += word + " "
    return "\n".join([*lines, line])


@pytest.mark.parametrize("name", SHORT)
def test_texts(name):
    assert licenses.recognise(SHORT[name]) == (name,)


@pytest.mark.parametrize("name", SHORT)
def test_layout_and_marks_do_not_matter(name):
    text = SHORT[name]
    assert licenses.recognise(wrapped(text, 40)) == (name,)
    assert licenses.recognise(" ".join(text.split())) == (name,)
    assert licenses.recognise(text.replace("\n", "\r\n").upper()) == (name,)
    assert licenses.recognise(kit.commented(text, " * ").removesuffix(b"\nx = 1\n")) == (name,)
    assert licenses.recognise(text.replace('"', "“").replace("'", "’")) == (name,)
    assert licenses.recognise("\ufeff" + text) == (name,)
    assert licenses.recognise(b"\xff\xfe" + text.encode("utf-16-le")) == (name,)
    page = (
        "<!DOCTYPE html><html><body><p>"
        + text.replace('"', "&quot;").replace("\n\n", "</p>\n<p>")
        + "</p></html>"
    )
    assert licenses.recognise(page) == (name,)
    markdown = "# License\n\n" + "\n\n".join(f"> {part}" for part in text.split("\n\n"))
    assert licenses.recognise(markdown) == (name,)


@pytest.mark.parametrize("clauses", [2, 3, 4])
def test_names_that_are_filled_in(clauses):
    text = kit.bsd(clauses, "The Foundation of Somewhere and its Department of Engines")
    assert licenses.recognise(text) == (f"BSD-{clauses}-Clause",)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("GPL-1", "GPL-1.0"), ("GPL-2", "GPL-2.0"), ("GPL-3", "GPL-3.0"), ("LGPL-2", "LGPL-2.0"),
        ("LGPL-2.1", "LGPL-2.1"), ("LGPL-3", "LGPL-3.0"), ("GFDL-1.2", "GFDL-1.2"), ("GFDL-1.3", "GFDL-1.3"),
        ("Apache-2.0", "Apache-2.0"), ("MPL-1.1", "MPL-1.1"), ("MPL-2.0", "MPL-2.0"), ("CC0-1.0", "CC0-1.0"),
    ],
)  # fmt: skip
def test_long_texts(file, name):
    path = COMMON / file
    if not path.exists():
        pytest.skip(f"this system has no {path}")
    found = licenses.identify(path.read_bytes())
    assert found.ids == (name,)
    assert not found.limit


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (kit.APACHE_NOTICE, "Apache-2.0"),
        (kit.gpl_notice("3", True), "GPL-3.0-or-later"),
        (kit.gpl_notice("2", True), "GPL-2.0-or-later"),
        (kit.gpl_notice("2", False), "GPL-2.0"),
        (kit.gpl_notice("2.1", True, "Lesser "), "LGPL-2.1-or-later"),
        (kit.gpl_notice("3", True, "Affero "), "AGPL-3.0-or-later"),
    ],
)
def test_notices(text, name):
    assert [base_id(one) for one in licenses.recognise(text)] == [base_id(name)]
    if "later" in name:
        assert licenses.recognise(text) == (name,)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Apache License\n   Version 2.0, January 2004", ("Apache-2.0",)),
        ("Licensed under the Apache License, Version 2.0 (the License)", ("Apache-2.0",)),
        ("The MIT License", ("MIT",)),
        ("This project is licensed under the MIT license, see above", ("MIT",)),
        ("Dual licensed under MIT or Apache 2.0.", ("Apache-2.0", "MIT")),
        ("Mozilla Public License Version 2.0 ... GNU General Public License, Version 2.0", ("MPL-2.0",)),
        ("GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007 ... GNU Affero General Public License version 3",
         ("GPL-3.0",)),
        ("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1, February 1999", ("LGPL-2.1",)),
        ("GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007", ("AGPL-3.0",)),
        ("Released under the GPL, version 2 or any later version", ("GPL-2.0-or-later",)),
        ("PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2", ("PSF-2.0",)),
        ("https://creativecommons.org/licenses/by-sa/4.0/", ("CC-BY-SA-4.0",)),
        ("SIL Open Font License", ("OFL-1.1",)),
        ("Business Source License 1.1", ("BUSL-1.1",)),
        ("a BSD-style license", ()),
        ("All rights reserved.", ()),
        ("", ()),
    ],
)  # fmt: skip
def test_names_in_short_files(text, ids):
    assert licenses.recognise(text) == ids


def test_two_licences_of_one_project():
    found = licenses.identify(f"{kit.MIT}\n\n{kit.APACHE_NOTICE}".encode())
    assert (found.ids, found.bundled, found.either) == (("MIT", "Apache-2.0"), (), False)
    found = licenses.identify(f"Choose either of these.\n\n{kit.MIT}\n\nor\n\n{kit.bsd(3)}".encode())
    assert (found.ids, found.either) == (("MIT", "BSD-3-Clause"), True)


@pytest.mark.parametrize(
    "between",
    [
        "This software includes code from libfoo:\n\n",
        "Parts of it are licensed as follows:\n\n",
        "----\n\nlibfoo\n\n",
        "Third-party licenses\n====\n\n",
    ],
)
def test_texts_of_bundled_parts_do_not_decide(between):
    found = licenses.identify(f"{kit.MIT}\n\n{between}{kit.bsd(3)}\n\n{kit.ZLIB}".encode())
    assert (found.ids, found.bundled) == (("MIT",), ("BSD-3-Clause", "Zlib"))


def test_every_copy_is_found():
    names = [
        match.name
        for match in find_texts("\n\nlib\n\n".join([kit.MIT, kit.bsd(2), kit.MIT, kit.ISC]).encode())
    ]
    assert names == ["MIT", "BSD-2-Clause", "MIT", "ISC"]


@pytest.mark.parametrize(
    "condition",
    [
        '"Commons Clause" License Condition v1.0\n',
        "The Software may be used for non-commercial purposes.",
        "For commercial use, a separate license is required.",
        "Use in a commercial product is forbidden without commercial licence.",
        "For academic use only.",
    ],
)
def test_conditions_that_restrict_are_seen(condition):
    for text in (f"{condition}\n\n{kit.MIT}", f"{kit.MIT}\n\n{condition}\n"):
        assert licenses.identify(text.encode()).limit, text[:60]
        assert licenses.resolve_folders({"LICENSE": text.encode()})[""].license_type == "non_permissive"
    for text in SHORT.values():
        assert not licenses.identify(text.encode()).limit


def test_a_text_with_other_conditions_is_not_taken_for_a_known_one():
    first, second = kit.MIT_BODY.split("\n\nThe above")
    changed = (
        first[: len(first) // 2]
        + " for evaluation only, for thirty days, by natural persons. " * 6
        + second[:200]
    )
    assert licenses.recognise(changed) == ()


def test_installed_packages_that_state_their_licence():
    """PEP 639: the package says which licence it has and which one file holds its text."""
    rows = list(kit.labelled())
    if len(rows) < 15:
        pytest.skip(f"only {len(rows)} installed packages state a licence and one file of it; 15 are needed")
    wrong = []
    for package, expression, data in rows:
        parsed = licenses.parse_expression(expression)
        assert parsed is not None
        found = licenses.recognise(data)
        if {base_id(one) for one in found} != {base_id(one) for one in parsed[0]}:
            wrong.append((package, expression, found))
    assert len(wrong) <= 0.04 * len(rows), wrong


@given(st.text(max_size=300))
def test_any_text(text):
    assert licenses.recognise(text) == licenses.recognise(text.encode("utf-8", "replace"))


@given(st.binary(max_size=300), st.sampled_from(sorted(SHORT)))
def test_noise_around_a_text(noise, name):
    noise = noise.replace(b"<", b"")
    assert name in licenses.recognise(SHORT[name].encode() + b"\n\n" + noise) or name == "WTFPL"


HOSTILE = [
    "a", " ", "(", "\n", '"', "=", "*", "#", "<", "&", ".", "-", "'", "a ", "gpl ", "mit ", "licensed under ", "not ",
    "commercial ", "apache license, version ", "gnu general public license version ", "permission is hereby granted ",
    "/*\n", '"""\n', "parts of ", "the software is provided as is without warranty of any kind ",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_megabyte_of_anything_takes_less_than_a_second(unit):
    data = (unit * (1_000_000 // len(unit) + 1))[:1_000_000]
    start = time.process_time()
    licenses.identify(data.encode())
    licenses.from_header(data.encode())
    licenses.copyright_lines(data)
    licenses.parse_expression(data)
    for name in (
        "package.json",
        "pyproject.toml",
        "METADATA",
        "pom.xml",
        "setup.cfg",
        "setup.py",
        "x.gemspec",
    ):
        licenses.from_metadata(name, data)
    licenses.from_metadata("package.json", json.dumps({"license": data}))
    licenses.resolve_folders({"REUSE.toml": data.encode(), ".reuse/dep5": data.encode()})
    assert time.process_time() - start < 1


def test_many_texts_in_one_file_take_little_time():
    data = "\n\n".join(list(SHORT.values()) * 20).encode()
    start = time.process_time()
    assert licenses.identify(data).ids
    assert time.process_time() - start < 3
