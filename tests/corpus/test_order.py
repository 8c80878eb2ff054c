"""Dependency order: labelled small repositories of many languages, cycles, properties, hostile text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.corpus.order.graph import dependencies, order
from codekiln.corpus.order.imports import FINDERS
from codekiln.corpus.order.packages import PACKAGED

#: language -> files {path: content}, and the dependencies that a reader of the language would name.
REPOSITORIES: dict[str, tuple[dict[str, str], set[tuple[str, str]]]] = {
    "python": (
        {
            "setup.py": "from setuptools import setup\n",
            "src/shop/__init__.py": "from .cart import Cart\n",
            "src/shop/cart.py": "import json\nfrom shop.items import Item, Price\nfrom . import money\n",
            "src/shop/items.py": "import os, sys as system\nimport shop.money as m\n",
            "src/shop/money.py": "from __future__ import annotations\n",
            "src/shop/json.py": "x = 1\n",
            "src/shop/web/__init__.py": "",
            "src/shop/web/views.py": "from ..cart import (\n    Cart,\n    total,\n)\nfrom ...other import x\n",
            "tests/test_cart.py": "from shop import cart\nfrom tests.kit import make\n",
            "tests/kit.py": "def make(): ...\n",
            "tools/run.py": "import helper\n",
            "tools/helper.py": "",
        },
        {
            ("src/shop/__init__.py", "src/shop/cart.py"),
            ("src/shop/cart.py", "src/shop/items.py"),
            ("src/shop/cart.py", "src/shop/money.py"),
            ("src/shop/items.py", "src/shop/money.py"),
            ("src/shop/web/views.py", "src/shop/cart.py"),
            ("tests/test_cart.py", "src/shop/cart.py"),
            ("tests/test_cart.py", "tests/kit.py"),
            ("tools/run.py", "tools/helper.py"),
        },
    ),
    "typescript": (
        {
            "src/app.ts": "import React from 'react'\nimport { Cart } from './cart'\nexport * from \"./util/index.js\"\n",
            "src/cart.ts": "import type {\n  Item,\n} from '@/models/item'\nconst x = await import('./lazy')\n",
            "src/lazy.tsx": "const m = require('../src/util')\n",
            "src/util/index.ts": "export const a = 1\n",
            "src/models/item.d.ts": "import 'side-effect'\nexport interface Item {}\n",
        },
        {
            ("src/app.ts", "src/cart.ts"),
            ("src/app.ts", "src/util/index.ts"),
            ("src/cart.ts", "src/models/item.d.ts"),
            ("src/cart.ts", "src/lazy.tsx"),
            ("src/lazy.tsx", "src/util/index.ts"),
        },
    ),
    "javascript": (
        {
            "index.js": "const a = require('./lib/a')\nimport b from './lib/b.mjs'\nimport './lib'\n",
            "lib/a.js": "module.exports = 1\n",
            "lib/b.mjs": "export { x } from '../c.js'\n",
            "lib/index.js": "",
            "c.js": "",
        },
        {("index.js", "lib/a.js"), ("index.js", "lib/b.mjs"), ("index.js", "lib/index.js"), ("lib/b.mjs", "c.js")},
    ),
    "java": (
        {
            "src/main/java/org/shop/Cart.java": "package org.shop;\nimport java.util.List;\nimport org.shop.model.Item;\nclass Cart { Money m; }\n",
            "src/main/java/org/shop/Money.java": "package org.shop;\nclass Money {}\n",
            "src/main/java/org/shop/model/Item.java": "package org.shop.model;\nimport static org.shop.Money.ZERO;\nclass Item {}\n",
            "src/main/java/org/shop/web/View.java": "package org.shop.web;\nimport org.shop.model.*;\nimport org.shop.Cart.Inner;\nclass View { Item i; }\n",
        },
        {
            ("src/main/java/org/shop/Cart.java", "src/main/java/org/shop/model/Item.java"),
            ("src/main/java/org/shop/Cart.java", "src/main/java/org/shop/Money.java"),
            ("src/main/java/org/shop/model/Item.java", "src/main/java/org/shop/Money.java"),
            ("src/main/java/org/shop/web/View.java", "src/main/java/org/shop/model/Item.java"),
            ("src/main/java/org/shop/web/View.java", "src/main/java/org/shop/Cart.java"),
        },
    ),
    "kotlin": (
        {
            "a/Main.kt": "package org.app\nimport org.app.data.Store\nimport org.app.text.shout\nfun main() = Store()\n",
            "a/Store.kt": "package org.app.data\nclass Store\n",
            "a/Text.kt": "package org.app.text\nfun shout(s: String) = s\n",
        },
        {("a/Main.kt", "a/Store.kt"), ("a/Main.kt", "a/Text.kt")},
    ),
    "scala": (
        {
            "A.scala": "package app\nimport app.core.{B, C => D}\nimport app.util._\nobject A { val e = E }\n",
            "B.scala": "package app.core\nclass B\n",
            "C.scala": "package app.core\nclass C\n",
            "E.scala": "package app.util\nobject E\n",
            "F.scala": "package app.util\nobject F\n",
        },
        {("A.scala", "B.scala"), ("A.scala", "C.scala"), ("A.scala", "E.scala")},
    ),
    "go": (
        {
            "cmd/app/main.go": 'package main\n\nimport (\n\t"fmt"\n\tst "example.org/shop/store"\n)\n',
            "store/store.go": 'package store\n\nimport "example.org/shop/internal/money"\n',
            "store/file.go": "package store\n",
            "internal/money/money.go": "package money\n",
            "fmt/fmt.go": "package fmt\n",
        },
        {
            ("cmd/app/main.go", "store/store.go"),
            ("cmd/app/main.go", "store/file.go"),
            ("store/store.go", "internal/money/money.go"),
        },
    ),
    "rust": (
        {
            "src/lib.rs": "pub mod cart;\nmod money;\n",
            "src/cart/mod.rs": "mod line;\nuse crate::money::{Money, Zero};\nuse std::fmt;\n",
            "src/cart/line.rs": "use super::super::money;\n",
            "src/money.rs": "",
            "src/bin.rs": "use crate::{cart::line::Line, money};\n",
        },
        {
            ("src/lib.rs", "src/cart/mod.rs"),
            ("src/lib.rs", "src/money.rs"),
            ("src/cart/mod.rs", "src/cart/line.rs"),
            ("src/cart/mod.rs", "src/money.rs"),
            ("src/cart/line.rs", "src/money.rs"),
            ("src/bin.rs", "src/cart/line.rs"),
            ("src/bin.rs", "src/money.rs"),
        },
    ),
    "c++": (
        {
            "src/main.cpp": '#include <vector>\n#include "cart.h"\n#  include "shop/money.hpp"\n#include <shop/item.h>\n',
            "src/cart.h": '#include "../include/shop/item.h"\n',
            "include/shop/money.hpp": "",
            "include/shop/item.h": "",
            "third/vector": "",
        },
        {
            ("src/main.cpp", "src/cart.h"),
            ("src/main.cpp", "include/shop/money.hpp"),
            ("src/main.cpp", "include/shop/item.h"),
            ("src/cart.h", "include/shop/item.h"),
        },
    ),
    "c#": (
        {
            "App.cs": "using System;\nusing Shop.Models;\nnamespace Shop;\nclass App { Item i; Helper h; }\n",
            "Helper.cs": "namespace Shop\n{\n class Helper {}\n}\n",
            "Models/Item.cs": "namespace Shop.Models;\nclass Item {}\n",
            "Models/Other.cs": "namespace Shop.Models;\nclass Other {}\n",
        },
        {("App.cs", "Helper.cs"), ("App.cs", "Models/Item.cs")},
    ),
    "php": (
        {
            "public/index.php": "<?php\nrequire __DIR__ . '/../src/boot.php';\nuse Shop\\Cart;\n",
            "src/boot.php": "<?php\n",
            "src/Cart.php": "<?php\nnamespace Shop;\nuse Shop\\Model\\{Item, Price};\nclass Cart extends Base {}\n",
            "src/Base.php": "<?php\nnamespace Shop;\nclass Base {}\n",
            "src/Model/Item.php": "<?php\nnamespace Shop\\Model;\n",
            "src/Model/Price.php": "<?php\nnamespace Shop\\Model;\n",
        },
        {
            ("public/index.php", "src/boot.php"),
            ("public/index.php", "src/Cart.php"),
            ("src/Cart.php", "src/Base.php"),
            ("src/Cart.php", "src/Model/Item.php"),
            ("src/Cart.php", "src/Model/Price.php"),
        },
    ),
    "ruby": (
        {
            "lib/shop.rb": "require 'json'\nrequire 'shop/cart'\nrequire_relative 'shop/money'\n",
            "lib/shop/cart.rb": "require_relative './money'\n",
            "lib/shop/money.rb": "",
            "test/cart_test.rb": "require_relative '../lib/shop'\n",
        },
        {
            ("lib/shop.rb", "lib/shop/cart.rb"),
            ("lib/shop.rb", "lib/shop/money.rb"),
            ("lib/shop/cart.rb", "lib/shop/money.rb"),
            ("test/cart_test.rb", "lib/shop.rb"),
        },
    ),
    "dart": (
        {
            "lib/main.dart": "import 'package:shop/cart.dart';\nimport 'dart:io';\npart 'main.g.dart';\n",
            "lib/cart.dart": "export 'src/item.dart';\n",
            "lib/src/item.dart": "",
            "lib/main.g.dart": "",
        },
        {
            ("lib/main.dart", "lib/cart.dart"),
            ("lib/main.dart", "lib/main.g.dart"),
            ("lib/cart.dart", "lib/src/item.dart"),
        },
    ),
    "haskell": (
        {"src/App/Main.hs": "import qualified App.Core as C\nimport Data.List\n", "src/App/Core.hs": ""},
        {("src/App/Main.hs", "src/App/Core.hs")},
    ),
    "lua": ({"main.lua": 'local a = require("game.map")\n', "game/map.lua": ""}, {("main.lua", "game/map.lua")}),
    "perl": ({"run.pl": "use strict;\nuse My::Thing;\n", "lib/My/Thing.pm": ""}, {("run.pl", "lib/My/Thing.pm")}),
    "protocol-buffer": (
        {"api/a.proto": 'import "common/b.proto";\n', "proto/common/b.proto": ""},
        {("api/a.proto", "proto/common/b.proto")},
    ),
    "shell": ({"run.sh": "source ./lib/log.sh\n. lib/x.sh\n", "lib/log.sh": "", "lib/x.sh": ""},
              {("run.sh", "lib/log.sh"), ("run.sh", "lib/x.sh")}),
}  # fmt: skip


def named(language: str, files: dict[str, str]) -> list[tuple[str, str, str]]:
    return [(path, language, text) for path, text in files.items()]


@pytest.mark.parametrize("language", REPOSITORIES)
def test_dependencies_of_labelled_repositories(language: str) -> None:
    files, expected = REPOSITORIES[language]
    listed = named(language, files)
    found = {(listed[a][0], listed[b][0]) for a, b in dependencies(listed)}
    assert found == expected
    places = [listed[place][0] for place in order(listed)]
    assert sorted(places) == sorted(files)
    assert all(places.index(needed) < places.index(user) for user, needed in expected)


def test_without_dependencies_the_order_is_that_of_the_paths() -> None:
    files = [
        ("b.swift", "swift", "import a\n"),
        ("a/z.md", "markdown", ""),
        ("a.py", "python", ""),
        ("a.x", "", ""),
    ]
    assert [files[place][0] for place in order(files)] == ["a.py", "a.x", "a/z.md", "b.swift"]
    assert order([]) == []


def test_a_needed_file_moves_right_before_its_first_user() -> None:
    files = named(
        "python", {"a.py": "import z\n", "b.py": "", "c.py": "import z\n", "z.py": "import y\n", "y.py": ""}
    )
    assert [files[place][0] for place in order(files)] == ["y.py", "z.py", "a.py", "b.py", "c.py"]


def test_given_ranks_decide_between_equals_only() -> None:
    files = named("python", {"a.py": "import b\n", "b.py": "", "c.py": "", "d.py": ""})
    assert [files[place][0] for place in order(files, ranks=[0, 3, 2, 1])] == ["b.py", "a.py", "d.py", "c.py"]


def test_a_cycle_is_broken_at_the_file_that_needs_least() -> None:
    # a needs b and c, which need a: b has one file left and comes before c by path; then a has one left as well.
    files = named(
        "python", {"a.py": "import b, c\n", "b.py": "import a\n", "c.py": "import a\n", "d.py": "import a\n"}
    )
    assert [files[place][0] for place in order(files)] == ["b.py", "a.py", "c.py", "d.py"]


def test_a_long_chain_and_a_long_cycle_need_no_recursion() -> None:
    count = 20_000
    chain = [(f"m{at}.py", "python", f"import m{at + 1}\n") for at in range(count)]
    names = [chain[place][0] for place in order(chain)]
    assert names[0] == f"m{count - 1}.py"
    assert names[-1] == "m0.py"
    ring = [(f"m{at}.py", "python", f"import m{(at + 1) % count}\n") for at in range(count)]
    assert sorted(order(ring)) == list(range(count))


FILES = st.lists(st.tuples(st.integers(0, 15), st.lists(st.integers(0, 15), max_size=4)), max_size=16)


@given(FILES, st.randoms())
@settings(max_examples=150, deadline=None)
def test_a_permutation_that_respects_what_is_no_cycle_whatever_the_order_given(drawn, random) -> None:  # type: ignore[no-untyped-def]
    files = [
        (f"p/m{name}.py", "python", "".join(f"from . import m{n}\n" for n in needs)) for name, needs in drawn
    ]
    pairs = dependencies(files)
    places = order(files)
    assert sorted(places) == list(range(len(files)))
    at = {place: rank for rank, place in enumerate(places)}
    reach = {place: {place} for place in at}
    for _ in at:
        for user, needed in pairs:
            reach[user] |= reach[needed]
    for user, needed in pairs:
        if user not in reach[needed]:
            assert at[needed] < at[user]
    shuffled = files[:]
    random.shuffle(shuffled)
    assert [shuffled[place] for place in order(shuffled)] == [files[place] for place in places]


WALLS = [
    "a",
    " ",
    "(",
    "\n",
    '"',
    "=",
    ".",
    "import ",
    "from a import (",
    "use a::{",
    "#include ",
    "require(",
    "{",
    "'",
]


@pytest.mark.parametrize("wall", WALLS)
def test_hostile_text_takes_linear_time(wall: str) -> None:
    text = wall * (1_000_000 // len(wall))
    for language in sorted({*FINDERS, *PACKAGED}):
        begun = time.process_time()
        dependencies([("a/b.x", language, text[:200_000]), ("a/c.x", language, "")])
        assert time.process_time() - begun < 0.5, (language, wall)


def test_mixed_hostile_text_of_a_megabyte() -> None:
    text = "".join(
        f"from {'.' * 30} import (\n" + "import " + " " * 50 + "use crate::a::{" + "{" for _ in range(8000)
    )
    for language in ("python", "rust", "typescript", "java", "c++", "go"):
        begun = time.process_time()
        dependencies([("a/b.x", language, text)])
        assert time.process_time() - begun < 1, language


def test_hostile_paths_stay_inside_and_are_fast() -> None:
    deep = "/".join(["d"] * 3000) + "/a.py"
    files = [
        (deep, "python", "from " + "." * 32 + "x import y\n"),
        ("../../etc/passwd", "python", "import a\n"),
    ]
    files += [(f"{n}/utils.py", "python", "import utils\nfrom .utils import x\n") for n in range(3000)]
    files += [
        (f"{n}/u.h", "c", '#include "../../../../../u.h"\n#include "u.h"\n#include "x/u.h"\n')
        for n in range(3000)
    ]
    begun = time.process_time()
    assert sorted(order(files)) == list(range(len(files)))
    assert time.process_time() - begun < 3


def test_ten_thousand_files_in_seconds() -> None:
    files = [
        (
            f"pkg{n % 100}/m{n}.py",
            "python",
            f"from pkg{(n * 7) % 100} import m{(n * 7) % 10_000}\nimport os\n" + "x = 1\n" * 50,
        )
        for n in range(10_000)
    ]
    begun = time.process_time()
    order(files)
    assert time.process_time() - begun < 5
