"""Languages, licences, generated and vendored names."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.corpus import languages, licenses, names
from codekiln.corpus.language_rules import RULES
from codekiln.corpus.language_table import EXTENSIONS

MIT = "Permission is hereby granted, free of charge, to any person obtaining a copy ... without restriction"
BSD = (
    "Redistribution and use in source and binary forms, with or without modification. Redistributions in binary "
    "form must reproduce the above copyright notice."
)


GENERATED = (
    "a.min.js b/c.min.css x_pb2.py x_pb2_grpc.py api.pb.go package-lock.json yarn.lock poetry.lock Cargo.lock go.sum "
    "pnpm-lock.yaml form.Designer.cs m.g.dart zz_generated.deepcopy.go types.generated.ts app.js.map uv.lock"
)
ORDINARY = "a.js min.js x_pb.py lock.py clock.json block.yaml generated.py maps.js package.json cargo.toml"


def test_the_92_names():
    assert len(languages.LANGUAGES) == len(set(languages.LANGUAGES)) == 92
    owners = Counter(e for words in EXTENSIONS.values() for e in words.split())
    for extension, count in owners.items():
        # An extension of several languages has rules that tell them apart.
        assert languages.by_name(f"x.{extension}") or extension in RULES
        assert count == 1 or extension in RULES, extension
    for extension, rules in RULES.items():
        assert rules[-1][1] is None, f"{extension}: the last rule has no pattern"
        assert all(pattern is not None for _, pattern in rules[:-1])
        assert {language for language, _ in rules} <= {*languages.LANGUAGES, ""}


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("a/b.py", "", "python"),
        ("B.PY", "", "python"),
        ("x.pyi", "", "python"),
        ("Makefile", "", "makefile"),
        ("sub/CMakeLists.txt", "", "cmake"),
        ("Dockerfile", "", "dockerfile"),
        ("Dockerfile.dev", "", "dockerfile"),
        ("notes.txt", "", None),
        (".gitignore", "", None),
        ("x.C", "", "c++"),
        ("x.c", "", "c"),
        ("x.h", "int f(void);\n", "c"),
        ("x.h", "namespace a {\nclass B {\n", "c++"),
        ("x.h", "@interface Foo : NSObject\n", None),
        ("x.m", "function y = f(x)\n", "matlab"),
        ("x.m", "#import <Foundation/Foundation.h>\n", None),
        ("x.pl", "use strict;\n", "perl"),
        ("x.pl", "parent(a, b).\nold(X) :- age(X, Y).\n", "prolog"),
        ("x.ts", "let a: number = 1\n", "typescript"),
        ("x.ts", '<?xml version="1.0"?>\n<TS>', None),
        ("x.v", "module m;\n", "verilog"),
        ("x.v", "Require Import List.\n", None),
        ("x.lagda.md", "", "literate-agda"),
        ("x.coffee.md", "", "literate-coffeescript"),
        ("x.md", "", "markdown"),
        ("x.Rmd", "", "rmarkdown"),
        ("x.R", "", "r"),
        ("nb.ipynb", "", "jupyter-notebook"),
        ("run", "#!/usr/bin/env python3\n", "python"),
        ("run", "#!/usr/bin/env -S python3.11 -u\n", "python"),
        ("run", "#!/usr/bin/env A=b node\n", "javascript"),
        ("run", "#!/bin/bash -e\n", "shell"),
        ("run", "#! /usr/local/bin/perl5.30 -w\r\n", "perl"),
        ("run", "#!/bin/csh\n", "tcsh"),
        ("run", "plain words\n", None),
        ("run", "#!\n", None),
        ("data.unknown", "#!/bin/sh\n", "shell"),
        ("data.unknown", "words\n", None),
        ("data.unknown", '{"a": [1, 2]}\n', "json"),
        ("data.unknown", "{ no json\n", None),
        ("config.json.example", "{}\n", "json"),
        ("index.html.fr", "<p>\n", "html"),
        ("x.inc", "<?php echo 1;\n", "php"),
        ("x.inc", "procedure Foo;\nbegin\n  x := 1;\nend;\n", "pascal"),
        ("x.inc", "words\n", None),
        ("x.ts", "#!/usr/bin/env node\nlet a = 1\n", "typescript"),
        ("x.cgi", "#!/usr/bin/perl\n", "perl"),
        ("run", "#!/bin/sh\nexec scala $0\n!#\n", "scala"),
        ("run", "# -*- mode: ruby -*-\n", "ruby"),
        ("run", "words\n# vim: set ft=python :\n", "python"),
        ("x.py", "# vim: ft=ruby\n", "python"),
        (".cshrc", "", "tcsh"),
    ],
)
def test_detection(path, text, language):
    assert languages.detect(path, text) == language


@given(st.text(max_size=40), st.text(max_size=200))
def test_detection_never_fails(path, text):
    found = languages.detect(path, text)
    assert found is None or found in languages.LANGUAGES


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (MIT, ("MIT",)),
        ("# Permission is hereby granted,\n#   free of charge, to any person\n# obtaining a copy "
         "\n# to deal in it without restriction", ("MIT",)),
        ("Apache License\n   Version 2.0, January 2004", ("Apache-2.0",)),
        ("Licensed under the Apache License, Version 2.0 (the License)", ("Apache-2.0",)),
        (BSD, ("BSD-2-Clause",)),
        (BSD + " Neither the name may be used to endorse or promote products derived", ("BSD-3-Clause",)),
        ("Mozilla Public License Version 2.0 ... GNU General Public License, Version 2.0", ("MPL-2.0",)),
        ("GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007 ... GNU Affero General Public License version 3",
         ("GPL-3.0",)),
        ("GNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991 ... GNU Lesser General Public License", ("GPL-2.0",)),
        ("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1, February 1999", ("LGPL-2.1",)),
        ("GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007", ("AGPL-3.0",)),
        ("and/or distribute this software for any purpose with or without fee is hereby granted, provided that the "
         "above copyright notice", ("ISC",)),
        ("This is free and unencumbered software released into the public domain.", ("Unlicense",)),
        ("PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2", ("PSF-2.0",)),
        ("All rights reserved.", ()),
        ("", ()),
    ],
)  # fmt: skip
def test_licence_texts(text, ids):
    assert licenses.recognise(text) == ids


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", (("MIT",), True)),
        ("GPL-2.0-only", (("GPL-2.0-only",), False)),
        ("GPL-2.0-only OR MIT", (("GPL-2.0-only", "MIT"), True)),
        ("GPL-2.0-only AND MIT", (("GPL-2.0-only", "MIT"), False)),
        ("(MIT OR GPL-3.0) AND Apache-2.0", (("MIT", "GPL-3.0", "Apache-2.0"), True)),
        ("GPL-2.0 WITH Classpath-exception-2.0", (("GPL-2.0",), False)),
        ("MIT OR GPL-2.0 AND GPL-3.0", (("MIT", "GPL-2.0", "GPL-3.0"), True)),
        ("MIT Apache", None),
        ("(MIT", None),
        ("", None),
        ("AND", None),
        ("(" * 5000 + "MIT", None),
    ],
)
def test_spdx_expressions(expression, expected):
    assert licenses.parse_expression(expression) == expected


@given(st.text(alphabet=st.sampled_from(list("MIT AND OR WITH()-.")), max_size=60))
def test_expressions_never_fail(expression):
    licenses.parse_expression(expression)


def test_spdx_headers():
    def ids(data):
        found = licenses.from_header(data)
        return found and (found.licenses, found.license_type)

    assert ids(b"// SPDX-License-Identifier: MIT\n") == (("MIT",), "permissive")
    assert ids(b"/* SPDX-License-Identifier: GPL-2.0 */\n") == (("GPL-2.0",), "non_permissive")
    assert ids(b"<!-- SPDX-License-Identifier: MIT -->\n") == (("MIT",), "permissive")
    assert ids(
        b"#!/bin/sh\n# SPDX-License-Identifier: MIT\r\n# SPDX-License-Identifier: GPL-3.0-only\r\n"
    ) == (
        ("MIT", "GPL-3.0-only"),
        "non_permissive",
    )
    assert ids(b'print("SPDX-License-Identifier: MIT")\n') is None
    assert ids(b"x" * 6000 + b"\n# SPDX-License-Identifier: MIT\n") is None


def test_nearest_licence_wins_and_metadata_comes_second():
    folders = licenses.resolve_folders(
        {
            "LICENSE": MIT.encode(),
            "pyproject.toml": b'[project]\nlicense = "Apache-2.0"\n',
            "sub/package.json": json.dumps({"license": "ISC"}).encode(),
            "sub/deep/package.json": b'{"name": "x"}',
            "dual/LICENSE-MIT": MIT.encode(),
            "dual/LICENSE-APACHE": b"Apache License Version 2.0, January 2004",
            "closed/LICENSE": b"All rights reserved.",
            "reuse/LICENSES/GPL.txt": b"GNU GENERAL PUBLIC LICENSE Version 3",
            "broken/package.json": b"{",
            "broken/Cargo.toml": b"[package",
        }
    )

    def of(path):
        verdict = licenses.of_path(path, folders)
        return verdict.licenses, verdict.license_type

    assert of("a.py") == of("lib/x/a.py") == of("broken/a.js") == (("MIT",), "permissive")
    assert of("sub/deep/a.js") == (("ISC",), "permissive")
    assert of("dual/a.rs") == (("Apache-2.0", "MIT"), "permissive")
    assert of("closed/a.py") == ((), "non_permissive")
    assert of("reuse/src/a.py") == (("GPL-3.0",), "non_permissive")
    assert licenses.of_path("a.py", {}) == licenses.NO_LICENSE


@pytest.mark.parametrize(
    "path", ["LICENSE", "COPYING.txt", "licence.md", "UNLICENSE", "a/LICENSE-MIT", "LICENSES/X.txt"]
)
def test_licence_file_names(path):
    assert licenses.is_license_file(path)


@pytest.mark.parametrize(
    "path", ["license.py", "licenses.go", "copyright_check.sh", "LICENSES.json", "relicense"]
)
def test_names_of_code_are_no_licence_files(path):
    assert not licenses.is_license_file(path)


@pytest.mark.parametrize(
    "path",
    GENERATED.split(),
)
def test_generated_names(path):
    assert names.is_generated_name(path)


@pytest.mark.parametrize(
    "path",
    ORDINARY.split(),
)
def test_names_that_are_not_generated(path):
    assert not names.is_generated_name(path)


def test_vendored_folders():
    def of(path, *packages):
        return names.vendored_folder(path, packages.__contains__)

    assert of("a/node_modules/b/c.js") == "a/node_modules"
    assert of("vendor/x.go") == "vendor"
    assert of("build/lib/pkg/x.py") == "build"
    assert of("src/build/x.py", "src/build") is None
    assert of("vendor.py") is None
    assert of("src/distance/a.py") is None
