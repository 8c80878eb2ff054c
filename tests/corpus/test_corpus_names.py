"""Languages, generated and vendored names."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.corpus import languages
from codekiln.corpus.languages.rules import RULES
from codekiln.corpus.languages.table import EXTENSIONS
from codekiln.corpus.sources import names

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
