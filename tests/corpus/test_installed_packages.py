"""Files of several packages in one folder: each has the licence of the package that claims it."""

from __future__ import annotations

import time

import license_kit as kit
import pytest
from corpus_kit import repository, rows, sources, tar, write, zipped
from hypothesis import given
from hypothesis import strategies as st

from codekiln.corpus import licenses
from codekiln.corpus.identify import identify
from codekiln.corpus.licenses import installed as room
from codekiln.corpus.licenses.installed import find_installed, info_of

CODE = "def run():\n    return 1\n"


def record(*names: str) -> str:
    return "".join(f"{name},sha256=x,9\n" for name in names)


SITE: dict[str, str | bytes] = {
    "alpha/__init__.py": CODE,
    "alpha/parts/x.py": CODE,
    "alpha/parts/LICENSE": kit.ISC,
    "alpha/extra.py": CODE,
    "alpha-1.0.dist-info/METADATA": "Name: alpha\nLicense-Expression: MIT\nLicense-File: LICENSE\n\n",
    "alpha-1.0.dist-info/licenses/LICENSE": kit.MIT,
    "alpha-1.0.dist-info/RECORD": record(
        "alpha/__init__.py", "alpha/parts/x.py", "shared/__init__.py", "../../../beta.py", "/etc/passwd.py", "alpha/../beta.py"
    ),
    "shared/__init__.py": CODE,
    "beta.py": CODE,
    "beta-2.0.dist-info/METADATA": "Name: beta\nClassifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)\n\n",
    "beta-2.0.dist-info/RECORD": record("beta.py", "shared/__init__.py", '"odd, name.py"'),
    "odd, name.py": CODE,
    "gamma/a.py": CODE,
    "gamma_native.cpython-311.pyi": CODE,
    "Gamma-3.egg-info/PKG-INFO": "Name: Gamma\nLicense: BSD-2-Clause\n\n",
    "Gamma-3.egg-info/top_level.txt": "gamma\ngamma-native\n",
    "delta_one/a.py": CODE,
    "Delta.One-4.dist-info/METADATA": "Name: Delta.One\nLicense: Apache-2.0\n\n",
    "epsilon/a.py": CODE,
    "epsilon-5.egg-info": "Name: epsilon\nLicense: ISC\n\n",
    "zeta/a.py": CODE,
    "zeta/b.py": CODE,
    "zeta-6.egg-info/PKG-INFO": "Name: zeta\n\n",
    "zeta-6.egg-info/installed-files.txt": "../zeta/a.py\nPKG-INFO\n../../up.py\n",
    "zeta-6.egg-info/LICENSE": kit.ZLIB,
    "nobody.py": CODE,
}  # fmt: skip

EXPECTED = {
    "alpha/__init__.py": (
        ["MIT"],
        "alpha-1.0.dist-info/licenses/LICENSE: MIT (text, 1.00); alpha-1.0.dist-info/METADATA: MIT (metadata)",
    ),
    "alpha/parts/x.py": (["ISC"], "alpha/parts/LICENSE: ISC (text, 1.00)"),
    "alpha/extra.py": ([], "no licence found"),
    "shared/__init__.py": (
        ["GPL-3.0-only", "MIT"],
        "alpha-1.0.dist-info/licenses/LICENSE: MIT (text, 1.00); alpha-1.0.dist-info/METADATA: MIT (metadata); "
        "beta-2.0.dist-info/METADATA: GPL-3.0-only (metadata)",
    ),
    "beta.py": (["GPL-3.0-only"], "beta-2.0.dist-info/METADATA: GPL-3.0-only (metadata)"),
    "odd, name.py": (["GPL-3.0-only"], "beta-2.0.dist-info/METADATA: GPL-3.0-only (metadata)"),
    "gamma/a.py": (["BSD-2-Clause"], "Gamma-3.egg-info/PKG-INFO: BSD-2-Clause (metadata)"),
    "gamma_native.cpython-311.pyi": (
        ["BSD-2-Clause"],
        "Gamma-3.egg-info/PKG-INFO: BSD-2-Clause (metadata)",
    ),
    "delta_one/a.py": (["Apache-2.0"], "Delta.One-4.dist-info/METADATA: Apache-2.0 (metadata)"),
    "epsilon/a.py": (["ISC"], "epsilon-5.egg-info: ISC (metadata)"),
    "zeta/a.py": (
        ["Zlib"],
        "zeta-6.egg-info/LICENSE: Zlib (text, 0.97); zeta-6.egg-info/PKG-INFO: no licence",
    ),
    "zeta/b.py": ([], "no licence found"),
    "nobody.py": ([], "no licence found"),
}


def judged(out):
    return {path: (row["licenses"], row["license_evidence"]) for path, row in rows(out / "files").items()}


def test_each_file_has_the_licence_of_the_package_that_claims_it(tmp_path):
    write(tmp_path / "up", {"beta.py": CODE})
    site = write(tmp_path / "lib" / "site-packages", SITE)
    assert judged(sources(tmp_path, site)) == EXPECTED
    found = {one.path.removeprefix(f"{site}/"): one for one in identify([str(site)])}
    told = {path: (found[path].licenses, found[path].license_evidence) for path in EXPECTED}
    assert told == EXPECTED
    assert found["shared/__init__.py"].license_type == "non_permissive"
    assert found["alpha-1.0.dist-info/METADATA"].licenses == ["MIT"]


@pytest.mark.parametrize("kind", ["zip", "tar", "bare", "tree"])
def test_the_same_in_archives_and_repositories(tmp_path, kind):
    members = [(f"site/{name}", data.encode()) for name, data in SITE.items() if isinstance(data, str)]
    if kind == "zip":
        path = zipped(tmp_path / "site.zip", members)
    elif kind == "tar":
        path = tar(tmp_path / "site.tar.gz", members, "w:gz")
    else:
        path = repository(tmp_path / "site", SITE)
    assert judged(sources(tmp_path, path, **({"revision": "HEAD"} if kind == "bare" else {}))) == EXPECTED


def test_a_package_alone_in_its_folder_speaks_for_all_of_it(tmp_path):
    alone = {name: text for name, text in SITE.items() if "-info" not in name or name.startswith("alpha-")}
    found = judged(sources(tmp_path, write(tmp_path / "site-packages", alone)))
    assert found["nobody.py"] == (["MIT"], "alpha-1.0.dist-info/licenses/LICENSE: MIT (text, 1.00)")


def test_packages_inside_a_package_speak_for_their_own_files():
    paths = ["a/__init__.py", "a/lib/b/x.py", "a/lib/c.py", "a-1.dist-info/RECORD", "z-1.dist-info/RECORD",
             "a/lib/b-1.dist-info/RECORD", "a/lib/c-1.dist-info/RECORD"]  # fmt: skip
    lists = {
        "a-1.dist-info/RECORD": record(*paths),
        "a/lib/b-1.dist-info/RECORD": record("b/x.py"),
        "a/lib/c-1.dist-info/RECORD": record("c.py"),
    }
    found = find_installed(paths, lambda wanted: [lists.get(one, "").encode() for one in wanted])
    texts = {
        "a-1.dist-info/METADATA": b"License-Expression: MIT\n\n",
        "a/lib/b-1.dist-info/METADATA": b"License-Expression: ISC\n\n",
        "a/lib/b-1.dist-info/licenses/b/LICENSE": kit.ZLIB.encode(),
        "a/lib/LICENSE": b"All rights reserved.",
    }
    folders = licenses.resolve_folders(texts, found)

    def of(path):
        return licenses.of_path(path, folders, found.owners.get(path, ())).licenses

    assert of("a/__init__.py") == ("MIT",)
    assert of("a/lib/b/x.py") == (
        "Zlib",
    )  # a licence file inside the info speaks for the folder that it names
    assert of("a/lib/c.py") == ()


def test_a_licence_text_that_a_package_put_into_the_folder_is_its_own():
    paths = ["a.py", "b.py", "LICENSE", "a-1.dist-info/RECORD", "b-1.dist-info/RECORD"]
    lists = {"a-1.dist-info/RECORD": record("a.py", "LICENSE"), "b-1.dist-info/RECORD": record("b.py")}
    found = find_installed(paths, lambda wanted: [lists[one].encode() for one in wanted])
    folders = licenses.resolve_folders({"LICENSE": kit.MIT.encode()}, found)
    assert licenses.of_path("a.py", folders, found.owners["a.py"]).licenses == ("MIT",)
    assert licenses.of_path("b.py", folders, found.owners["b.py"]) == licenses.NO_LICENSE


def test_a_changed_record_is_read_again(tmp_path):
    site = write(tmp_path / "site-packages", SITE)
    sources(tmp_path, site)
    write(site, {"alpha-1.0.dist-info/RECORD": record("nobody.py")})
    found = judged(sources(tmp_path, site))
    assert (found["nobody.py"][0], found["alpha/__init__.py"][0]) == (["MIT"], [])


def test_lists_of_strangers_are_read_within_limits(monkeypatch):
    infos = [f"{letter}-1.dist-info/RECORD" for letter in "abc"]
    paths = ["a.py", "b.py", "c.py", *infos]
    monkeypatch.setattr(room, "LIST_BYTES", 100)
    monkeypatch.setattr(room, "ALL_BYTES", 150)
    data = {
        infos[0]: b"b.py,,\n" + b"x" * 100,
        infos[1]: b"c.py,,\n" + b"x\n" * 40,
        infos[2]: b"a.py,,\n" * 14,
    }
    found = find_installed(paths, lambda wanted: [data[one] for one in wanted])
    # Too long alone, read, too long together with it: what has no list claims what has its name.
    assert found.owners == {"a.py": ("a-1.dist-info",), "c.py": ("b-1.dist-info", "c-1.dist-info")}
    assert find_installed(paths, lambda wanted: [None, b'"' * 99, b"\xff\0\n"]).owners.keys() == {
        "a.py", "b.py", "c.py",
    }  # fmt: skip


def test_what_too_many_claim_is_nobodys():
    infos = [f"p{number}-1.egg-info/top_level.txt" for number in range(room.MAX_OWNERS + 1)]
    found = find_installed(["same/a.py", *infos], lambda wanted: [b"same\n" for _ in wanted])
    assert found.owners == {}
    found = find_installed(["same/a.py", *infos[1:]], lambda wanted: [b"same\n" for _ in wanted])
    assert len(found.owners["same/a.py"]) == room.MAX_OWNERS


def test_hostile_lists_take_time_in_proportion_to_their_length():
    infos = [f"p{number}.egg-info/top_level.txt" for number in range(5_000)]
    paths = [
        "a/" * 300 + "x.py",
        *(f"t/{number}.py" for number in range(5_000)),
        *infos,
        "r-1.dist-info/RECORD",
    ]
    data = {"r-1.dist-info/RECORD": b"".join(b"t/%d.py,,\n" % n for n in range(5_000)) + b'"' * 1_000_000}
    started = time.process_time()
    find_installed(paths, lambda wanted: [data.get(one, b"t\na\n" * 50) for one in wanted])
    assert time.process_time() - started < 2


def test_links_are_not_followed(tmp_path):
    site = write(tmp_path / "site-packages", SITE)
    outside = write(tmp_path / "outside", {"RECORD": record("nobody.py")})
    (site / "alpha-1.0.dist-info" / "RECORD").unlink()
    (site / "alpha-1.0.dist-info" / "RECORD").symlink_to(outside / "RECORD")
    found = judged(sources(tmp_path, site))
    assert (found["nobody.py"][0], found["alpha/extra.py"][0]) == ([], ["MIT"])


@given(st.lists(st.text('a/.-x\0\n",é\ud800', max_size=12), max_size=8), st.binary(max_size=200))
def test_never_fails_and_claims_only_what_is_there(paths, data):
    paths += ["a-1.dist-info/RECORD", "b-1.egg-info/top_level.txt"]
    found = find_installed(paths, lambda wanted: [data for _ in wanted])
    assert found.owners.keys() <= set(paths)
    assert {info_of(one) for many in found.owners.values() for one in many} <= found.infos
