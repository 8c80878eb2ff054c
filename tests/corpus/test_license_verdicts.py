"""Expressions, headers, metadata, folders, REUSE: what decides about a file."""

from __future__ import annotations

import json

import license_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.corpus import licenses
from codekiln.corpus.licenses.expressions import canonical_id, parse, permissive_ids
from codekiln.corpus.licenses.globs import matches
from codekiln.corpus.licenses.prints import prints


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", (("MIT",), True)),
        ("mit or apache-2.0", (("MIT", "Apache-2.0"), True)),
        ("GPL-2.0-only", (("GPL-2.0-only",), False)),
        ("GPL-2.0+", (("GPL-2.0-or-later",), False)),
        ("Apache-2.0+", (("Apache-2.0+",), True)),
        ("GPL-2.0-only OR MIT", (("GPL-2.0-only", "MIT"), True)),
        ("GPL-2.0-only AND MIT", (("GPL-2.0-only", "MIT"), False)),
        ("(MIT OR GPL-3.0) AND Apache-2.0", (("MIT", "GPL-3.0", "Apache-2.0"), True)),
        ("(MIT AND GPL-3.0) OR LGPL-2.1", (("MIT", "GPL-3.0", "LGPL-2.1"), False)),
        ("GPL-2.0 WITH Classpath-exception-2.0", (("GPL-2.0",), False)),
        ("Apache-2.0 WITH LLVM-exception", (("Apache-2.0",), True)),
        ("MIT OR GPL-2.0 AND GPL-3.0", (("MIT", "GPL-2.0", "GPL-3.0"), True)),
        ("LicenseRef-Mine", (("LicenseRef-Mine",), False)),
        ("Nobody-Knows-1.0", (("Nobody-Knows-1.0",), False)),
        ("MIT Apache", None),
        ("MIT WITH", None),
        ("(MIT", None),
        ("MIT)", None),
        ("MIT & ISC", None),
        ("", None),
        ("AND", None),
        ("(" * 5000 + "MIT", None),
        ("MIT AND " * 5000 + "MIT", None),
    ],
)
def test_spdx_expressions(expression, expected):
    assert licenses.parse_expression(expression) == expected
    kind = "no_license" if expected is None else "permissive" if expected[1] else "non_permissive"
    assert licenses.classify(expression) == kind


@given(st.text(alphabet=st.sampled_from(list("MIT AND OR WITH()-.")), max_size=60))
def test_expressions_never_fail(expression):
    found = parse(expression)
    if found:
        assert parse(found.text) == found


def test_the_permissive_list():
    known = set(prints().ids.values())
    assert permissive_ids() <= known
    for name in (
        "MIT",
        "Apache-2.0",
        "BSD-3-Clause",
        "ISC",
        "CC0-1.0",
        "CC-BY-4.0",
        "BlueOak-1.0.0",
        "PSF-2.0",
    ):
        assert name in permissive_ids()
    copyleft = (
        "GPL-2.0 GPL-3.0-or-later LGPL-2.1-only AGPL-3.0-only MPL-2.0 EPL-2.0 CDDL-1.0 EUPL-1.2 CC-BY-SA-4.0"
    )
    restricted = "CC-BY-NC-4.0 CC-BY-ND-4.0 BUSL-1.1 SSPL-1.0 Elastic-2.0 JSON PolyForm-Noncommercial-1.0.0"
    for name in f"{copyleft} {restricted}".split():
        assert canonical_id(name) == name
        assert name not in permissive_ids()


def header(data):
    found = licenses.from_header(data)
    return found and (found.licenses, found.license_type)


def test_spdx_headers():
    assert header(b"// SPDX-License-Identifier: MIT\n") == (("MIT",), "permissive")
    assert header(b"/* SPDX-License-Identifier: GPL-2.0 */\n") == (("GPL-2.0",), "non_permissive")
    assert header(b"<!-- SPDX-License-Identifier: MIT -->\n") == (("MIT",), "permissive")
    assert header(b"-- SPDX-License-Identifier: (MIT OR GPL-2.0-only)\r\n") == (
        ("MIT", "GPL-2.0-only"),
        "permissive",
    )
    assert header(b"REM SPDX-License-Identifier: ISC\r\n") == (("ISC",), "permissive")
    assert header(
        b"#!/bin/sh\n# SPDX-License-Identifier: MIT\r\n# SPDX-License-Identifier: GPL-3.0-only\r\n"
    ) == (("MIT", "GPL-3.0-only"), "non_permissive")
    assert header(b'print("SPDX-License-Identifier: MIT")\n') is None
    assert header(b"# SPDX-License-Identifier: (MIT\n") is None
    assert header(b"x" * 6000 + b"\n# SPDX-License-Identifier: MIT\n") is None


@pytest.mark.parametrize("mark", ["# ", "// ", " * ", "-- ", ";; ", "% "])
@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (kit.MIT, ("MIT",)),
        (kit.bsd(3), ("BSD-3-Clause",)),
        (kit.COPYRIGHT + kit.APACHE_NOTICE, ("Apache-2.0",)),
        (kit.COPYRIGHT + kit.gpl_notice("2", True), ("GPL-2.0-or-later",)),
        (kit.COPYRIGHT + kit.gpl_notice("3", False), ("GPL-3.0",)),
        (kit.COPYRIGHT + "Licensed under the MIT license, see LICENSE for details.", ("MIT",)),
        (kit.COPYRIGHT + "Released under the BSD 3-Clause License.", ("BSD-3-Clause",)),
        (kit.COPYRIGHT + "License: GPLv3+", ("GPL-3.0-or-later",)),
        (kit.COPYRIGHT + "Distributed under the Boost Software License, Version 1.0.", ("BSL-1.0",)),
        ("This code was written by Ada and is in the public domain.", ("LicenseRef-public-domain",)),
        ("Use of this source code is governed by a BSD-style license, see LICENSE.", None),
        ("A parser of licenses, compatible with the MIT license of others.", None),
        (kit.COPYRIGHT + "All rights reserved.", None),
    ],
)
def test_notices_in_comments(mark, text, ids):
    found = header((b"/*\n" if mark == " * " else b"") + kit.commented(text, mark))
    assert (found and found[0]) == ids


def test_only_the_comment_at_the_top_speaks_for_a_file():
    assert header(b"import x\n# Licensed under the MIT license\n") is None
    assert header(b'LICENSE = "Licensed under the MIT license"\n') is None
    assert header(b'"""A tool.\n\nLicensed under the MIT license.\n"""\nimport x\n') == (
        ("MIT",),
        "permissive",
    )
    assert header(b"<?php\n/**\n * @license MIT License\n */\n") == (("MIT",), "permissive")
    assert header(b"# Proprietary and confidential. Unauthorized copying of this file is prohibited.\n") == (
        (),
        "non_permissive",
    )


@given(st.binary(max_size=400))
def test_headers_never_fail(data):
    licenses.from_header(data + b" license")


METADATA = [
    ("package.json", '{"license": "MIT"}', ("MIT",)),
    ("package.json", '{"license": {"type": "ISC", "url": "x"}}', ("ISC",)),
    ("package.json", '{"licenses": [{"type": "MIT"}, {"type": "GPL-2.0"}]}', ("MIT", "GPL-2.0")),
    ("package.json", '{"license": "SEE LICENSE IN LICENSE.md"}', None),
    ("package.json", '{"license": "UNLICENSED"}', ("LicenseRef-proprietary",)),
    ("package.json", '["MIT"]', None),
    ("package.json", '{"license": 1}', None),
    ("package.json", "[" * 100_000, None),
    ("package.json", '{"license": ' + "9" * 100_000 + "}", None),
    ("composer.json", '{"license": ["MIT", "GPL-3.0-or-later"]}', ("MIT", "GPL-3.0-or-later")),
    ("Cargo.toml", '[package]\nlicense = "MIT/Apache-2.0"\n', ("MIT", "Apache-2.0")),
    ("Cargo.toml", '[workspace.package]\nlicense = "MIT OR Apache-2.0"\n', ("MIT", "Apache-2.0")),
    ("Cargo.toml", "[package]\nlicense.workspace = true\n", None),
    ("pyproject.toml", '[project]\nlicense = "BSD-3-Clause"\n', ("BSD-3-Clause",)),
    ("pyproject.toml", '[project]\nlicense = {text = "MIT License"}\n', ("MIT",)),
    ("pyproject.toml", '[project]\nlicense = {file = "LICENSE"}\n', None),
    ("pyproject.toml", '[project]\nclassifiers = ["License :: OSI Approved :: MIT License"]\n', ("MIT",)),
    ("pyproject.toml", '[tool.poetry]\nlicense = "Apache-2.0"\n', ("Apache-2.0",)),
    ("pyproject.toml", "[project\n", None),
    ("pyproject.toml", "a" + ".a" * 100_000 + " = 1\n", None),
    ("setup.cfg", "[metadata]\nlicense = BSD\n", ("BSD-3-Clause",)),
    ("setup.py", 'setup(name="x", license="MIT")', ("MIT",)),
    ("setup.py", 'setup(classifiers=["License :: OSI Approved :: Apache Software License"])', ("Apache-2.0",)),
    ("METADATA", "Name: x\nLicense: BSD\nLicense-Expression: MIT AND ISC\n\nLicense: x", ("MIT", "ISC")),
    ("METADATA", "Name: x\nLicense: Apache License, Version 2.0\n\nbody", ("Apache-2.0",)),
    ("PKG-INFO", "License: UNKNOWN\nClassifier: License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)\n",
     ("GPL-3.0-or-later",)),
    ("PKG-INFO", "Name: x\nLicense: " + kit.MIT.replace("\n", "\n        ") + "\nClassifier: x\n", ("MIT",)),
    ("x.dist-info/METADATA", "Name: x\n\nLicense: MIT", None),
    ("pom.xml", "<project><licenses><license><name>Apache License, Version 2.0</name><url>x</url></license></licenses>",
     ("Apache-2.0",)),
    ("pom.xml", '<!DOCTYPE a [<!ENTITY b "MIT">]><licenses><license><name>&b;</name></license></licenses>', None),
    ("x.gemspec", "Gem::Specification.new do |s|\n  s.license = 'MIT'\nend", ("MIT",)),
    ("x.gemspec", "  spec.licenses = ['MIT', 'GPL-2.0-only']\n", ("MIT", "GPL-2.0-only")),
    ("x.gemspec", "  spec.files = ['MIT']\n", None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "text", "ids"), METADATA)
def test_metadata(path, text, ids):
    assert licenses.is_metadata_file(path)
    found = licenses.from_metadata(path, text)
    assert (found and found.licenses) == ids
    if ids and ids[-1].startswith("GPL") and path in ("package.json", "composer.json"):
        assert found.license_type == "permissive"  # a choice


@given(st.sampled_from([row[0] for row in METADATA]), st.text(max_size=200))
def test_metadata_never_fails(path, text):
    licenses.from_metadata(path, text)


def verdicts(texts):
    folders = licenses.resolve_folders({path: text.encode() for path, text in texts.items()})

    def of(path):
        found = licenses.of_path(path, folders)
        return found.licenses, found.license_type, found.evidence

    return of


def test_nearest_licence_wins_and_metadata_comes_second():
    of = verdicts(
        {
            "LICENSE": kit.MIT,
            "pyproject.toml": '[project]\nlicense = "Apache-2.0"\n',
            "sub/package.json": json.dumps({"license": "ISC"}),
            "sub/deep/package.json": '{"name": "x"}',
            "dual/LICENSE-MIT": kit.MIT,
            "dual/LICENSE-APACHE": "Apache License Version 2.0, January 2004",
            "closed/LICENSE": "All rights reserved.",
            "script/license-path": "#!/bin/sh\nlicensee $1\n",
            "broken/package.json": "{",
            "broken/Cargo.toml": "[package",
        }
    )
    expected = (
        ("MIT",),
        "permissive",
        "LICENSE: MIT (text, 1.00); against pyproject.toml: Apache-2.0 (metadata)",
    )
    assert of("a.py") == of("lib/x/a.py") == of("broken/a.js") == expected
    assert of("sub/deep/a.js") == (("ISC",), "permissive", "sub/package.json: ISC (metadata)")
    assert of("dual/a.rs")[:2] == (("Apache-2.0", "MIT"), "permissive")
    assert of("script/a.sh") == of("a.py")
    assert of("closed/a.py") == ((), "non_permissive", "closed/LICENSE (text not recognised)")
    assert licenses.of_path("a.py", {}) == licenses.NO_LICENSE


def test_metadata_says_more_than_the_text_or_contradicts_it():
    gpl = "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007"
    of = verdicts({"COPYING": gpl, "pyproject.toml": '[project]\nlicense = "GPL-3.0-or-later"\n'})
    assert of("a.py")[:2] == (("GPL-3.0-or-later",), "non_permissive")
    of = verdicts({"COPYING": gpl, "Cargo.toml": '[package]\nlicense = "MIT OR GPL-3.0-only"\n'})
    assert of("a.rs")[:2] == (("GPL-3.0-only", "MIT"), "permissive")
    of = verdicts({"LICENSE": kit.MIT, "package.json": '{"license": "GPL-3.0"}'})
    assert of("a.js")[:2] == (("MIT",), "non_permissive")
    assert "against package.json: GPL-3.0" in of("a.js")[2]
    of = verdicts({"LICENSE": "Do ask me.", "package.json": '{"license": "MIT"}'})
    assert of("a.js")[:2] == (("MIT",), "permissive")
    assert "LICENSE (text not recognised)" in of("a.js")[2]
    of = verdicts({"LICENSE": "For non-commercial use.", "package.json": '{"license": "MIT"}'})
    assert of("a.js")[1] == "non_permissive"


def test_texts_of_bundled_parts_are_in_the_evidence():
    of = verdicts({"LICENSE": f"{kit.MIT}\n\nThis includes code from libz:\n\n{kit.ZLIB}"})
    assert of("a.py") == (("MIT",), "permissive", "LICENSE: MIT (text, 1.00), bundled parts: Zlib")


def test_header_beats_folder_and_says_so():
    folders = licenses.resolve_folders({"LICENSE": kit.MIT.encode()})
    of = licenses.of_file("a.c", b"// SPDX-License-Identifier: GPL-2.0-only\n", folders)
    assert (of.licenses, of.license_type) == (("GPL-2.0-only",), "non_permissive")
    assert of.evidence == "SPDX header of the file: GPL-2.0-only; against LICENSE: MIT (text, 1.00)"
    of = licenses.of_file("a.c", b"// SPDX-License-Identifier: Apache-2.0\n", folders)
    assert of.evidence == "SPDX header of the file: Apache-2.0"
    assert licenses.of_file("a.c", b"int a;\n", folders) == licenses.of_path("a.c", folders)


def test_folders_of_texts():
    of = verdicts(
        {"LICENSES/GPL-3.0-or-later.txt": "x", "LICENSES/MIT.txt": kit.MIT, "sub/LICENSES/odd.txt": kit.ISC}
    )
    assert of("src/a.py")[:2] == (("GPL-3.0-or-later", "MIT"), "non_permissive")
    assert of("sub/a.py")[0] == ("ISC",)
    of = verdicts({"LICENSE": kit.MIT, "LICENSES/GPL-3.0-or-later.txt": "x"})
    assert of("src/a.py")[:2] == (("MIT",), "permissive")
    of = verdicts(
        {"pkg-1.0.dist-info/licenses/LICENSE": kit.MIT, "pkg-1.0.dist-info/licenses/pkg/lib/COPYING": kit.ISC}
    )
    assert (of("pkg/a.py")[0], of("pkg/lib/a.py")[0]) == (("MIT",), ("ISC",))


REUSE = """
version = 1
[[annotations]]
path = ["docs/**", "*.cfg"]
SPDX-License-Identifier = "CC-BY-4.0"
[[annotations]]
path = "docs/closed/*.py"
SPDX-License-Identifier = ["GPL-3.0-only", "MIT"]
[[annotations]]
path = 7
SPDX-License-Identifier = "MIT"
"""
DEP5 = "Format: x\n\nFiles: src/* lib/?.c\nCopyright: me\nLicense: ISC\n\nFiles: src/x/*\nLicense: MIT or GPL-2+\n"


def test_reuse_annotations():
    of = verdicts({"REUSE.toml": REUSE, "LICENSE": kit.MIT, "inner/REUSE.toml": REUSE})
    assert of("docs/a/b.py") == (("CC-BY-4.0",), "permissive", "REUSE.toml: CC-BY-4.0 (REUSE)")
    assert of("a.cfg")[0] == ("CC-BY-4.0",)
    assert of("x/a.cfg")[0] == of("src/a.py")[0] == of("inner/a.py")[0] == ("MIT",)
    assert of("docs/closed/a.py")[:2] == (("GPL-3.0-only", "MIT"), "non_permissive")
    assert of("inner/docs/a.py")[2] == "inner/REUSE.toml: CC-BY-4.0 (REUSE)"
    of = verdicts({".reuse/dep5": DEP5})
    assert of("src/a/b.c")[0] == of("lib/x.c")[0] == ("ISC",)
    assert of("src/x/b.c")[:2] == (("MIT", "GPL-2+"), "permissive")
    assert of("other.c") == ((), "no_license", "no licence found")
    for broken in (
        "[[annotations",
        "annotations = 3",
        "[[annotations]]\npath = 'a'\n",
        "a" + ".a" * 90_000 + "=1",
    ):
        assert verdicts({"REUSE.toml": broken})("a.c")[1] == "no_license"


@pytest.mark.parametrize(
    ("pattern", "path", "flat", "expected"),
    [
        ("*", "a", False, True), ("*", "a/b", False, False), ("**", "a/b", False, True), ("*", "a/b", True, True),
        ("a/*/c", "a/b/c", False, True), ("a/*/c", "a/b/b/c", False, False), ("a/**/c", "a/b/b/c", False, True),
        ("a/**/c", "a/c", False, False), ("a**c", "a/b/c", False, True), ("a?c", "abc", False, False),
        ("a?c", "abc", True, True), (r"a\*c", "a*c", False, True), (r"a\*c", "abc", False, False), ("", "", False, True),
        ("a", "ab", False, False), ("*b*b*c", "ab/bbc", False, False), ("**b*b*c", "ab/bbc", False, True),
    ],
)  # fmt: skip
def test_globs(pattern, path, flat, expected):
    assert matches(pattern, path, flat=flat) is expected


@given(st.text("ab*/", max_size=8), st.text("ab/", max_size=8))
def test_globs_agree_with_a_regular_expression(pattern, path):
    import re

    parts = re.findall(r"\*\*|\*|[^*]", pattern)
    plain = "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
    assert matches(pattern, path) is bool(re.fullmatch(plain, path))


SPEAKING = (
    "LICENSE COPYING.txt licence.md UNLICENSE a/LICENSE-MIT LICENSES/X.txt COPYING3 COPYING.LESSER MIT-LICENSE "
    "LICENSE_1_0.txt license.html LICENSE-2.0"
)
SILENT = (
    "license.py licenses.go copyright_check.sh LICENSES.json relicense LICENSE-3rd-party.txt LICENSES_bundled.txt "
    "LICENSE.third-party mit.py"
)


@pytest.mark.parametrize("path", SPEAKING.split())
def test_licence_file_names(path):
    assert licenses.is_license_file(path)


@pytest.mark.parametrize("path", SILENT.split())
def test_names_that_do_not_speak_for_a_folder(path):
    assert not licenses.is_license_file(path)


_FOLDERS = ["", "a", "a/b", "a/b/c", "d", "a/x.dist-info", "a/x.dist-info/b", "y.egg-info", "y.egg-info/a/b"]


@given(
    st.sets(st.sampled_from(_FOLDERS)),
    st.sets(st.sampled_from(["f.py", "a/f.py", "a/b/f.py", "a/b/c/f.py", "d/e/f.py", "a/b/g.py"])),
    st.lists(st.sampled_from(["a/x.dist-info", "y.egg-info"]), unique=True),
)
def test_the_verdicts_that_files_look_at_are_enough(judged, paths, owners):
    folders = {folder: licenses.License((f"L-{folder}",), "permissive", folder) for folder in judged}
    few = licenses.looked_at([(path, owners) for path in sorted(paths)], folders)
    assert few.items() <= folders.items()
    for path in paths:
        assert licenses.of_path(path, few, owners) == licenses.of_path(path, folders, owners)
    assert licenses.looked_at([("d/f.py", ())], folders).keys() <= {"", "d"}
