"""Packages of PyPI and npm as sources: what is chosen, that it is verified, remembered and never run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from corpus_kit import program, sources
from registry_kit import Server, indexed, publish, publish_npm, sdist, server, serving, wheel

from codekiln.corpus.config import SourceConfig
from codekiln.corpus.identify import identify
from codekiln.corpus.sources.registries.packages import bring
from codekiln.corpus.sources.registries.records import parse
from codekiln.corpus.sources.stage import build_sources, find
from codekiln.errors import RunError, UserError
from codekiln.shards import Dataset, LocalExecutor

__all__ = ["indexed", "server"]


def tool(version: str, *extra: str) -> bytes:
    setup = "import pathlib\npathlib.Path('ran').touch()\nraise SystemExit('executed')\n"
    files = {"PKG-INFO": f"Name: tool\nVersion: {version}\nLicense: MIT\n", "setup.py": setup}
    return sdist(
        "tool", version, files | {f"src/tool/{name}.py": program(len(name)) for name in ("core", *extra)}
    )


def chosen(*texts: str, record: Path | None = None) -> dict[str, str]:
    found = bring([spec for text in texts if (spec := parse(text))], record)
    return {text: one.package.file for text, one in found.items()}


@pytest.mark.parametrize("kind", ["json", "html"])
def test_a_package_becomes_rows(indexed: Server, tmp_path: Path, kind: str) -> None:
    publish(indexed, "tool", {"tool-1.0.tar.gz": tool("1.0"), "tool-1.2.tar.gz": tool("1.2")}, kind=kind)
    out = sources(tmp_path, *["pypi:Tool"])  # type: ignore[list-item]
    found = {row["path"]: row for row in Dataset.open(out / "files").rows()}
    assert set(found) == {"setup.py", "src/tool/core.py"}
    row = found["src/tool/core.py"]
    assert (row["repo"], row["revision"], row["licenses"]) == ("tool", "1.2", ["MIT"])
    (told,) = Dataset.open(out / "files").manifest.config["packages"].values()
    assert (told["version"], told["file"], len(told["sha256"])) == ("1.2", "tool-1.2.tar.gz", 64)
    assert not list(tmp_path.rglob("ran"))


def test_an_npm_package_becomes_rows(indexed: Server, tmp_path: Path) -> None:
    source = "export function add(left, right) {\n  const total = left + right;\n  return total;\n}\n"
    package = json.dumps({"name": "@me/add", "license": "MIT"})
    data = sdist("package", "", {"index.js": source, "package.json": package})
    publish_npm(indexed, "@me/add", {"1.0.0": data, "2.0.0-rc.1": data}, tags={"latest": "1.0.0"})
    out = sources(tmp_path, *["npm:@me/add"])  # type: ignore[list-item]
    (row,) = [row for row in Dataset.open(out / "files").rows() if row["path"] == "index.js"]
    assert (row["repo"], row["revision"], row["licenses"], row["content"]) == (
        "@me/add",
        "1.0.0",
        ["MIT"],
        source,
    )
    assert "/@me%2fadd" in indexed.paths()


def test_the_newest_release_counts_and_a_version_that_is_asked_for(indexed: Server) -> None:
    names = ["1.9", "1.10", "2.0rc1", "1.11", "0.5.dev1"]
    withdrawn = {"tool_1_11_tar_gz": {"yanked": "broken"}}
    publish(indexed, "tool", {f"tool-{name}.tar.gz": tool(name) for name in names}, **withdrawn)
    assert chosen("pypi:tool", "pypi:tool==1.9", "pypi:tool==2.0.rc1", "pypi:TOOL==1.11") == {
        "pypi:tool": "tool-1.10.tar.gz",
        "pypi:tool==1.9": "tool-1.9.tar.gz",
        "pypi:tool==2.0.rc1": "tool-2.0rc1.tar.gz",
        "pypi:TOOL==1.11": "tool-1.11.tar.gz",
    }


def test_only_pre_releases_and_only_withdrawn_versions(indexed: Server) -> None:
    publish(indexed, "early", {"early-1.0a1.tar.gz": b"x", "early-1.0b2.tar.gz": b"y"})
    assert chosen("pypi:early") == {"pypi:early": "early-1.0b2.tar.gz"}
    publish(indexed, "gone", {"gone-1.0.tar.gz": b"x"}, kind="html", gone_1_0_tar_gz={"yanked": True})
    with pytest.raises(
        UserError, match=r"source pypi:gone: every version was withdrawn; ask for one .* such as 1\.0"
    ):
        chosen("pypi:gone")
    assert chosen("pypi:gone==1.0") == {"pypi:gone==1.0": "gone-1.0.tar.gz"}


def test_source_before_wheel_and_no_wheel_for_a_machine(
    indexed: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    data = wheel({"tool/a.py": program(1)})
    built = "tool-2.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    pure = "tool-1.0-py3-none-any.whl"
    publish(indexed, "tool", {pure: data, "tool-1.0.zip": data, "tool-1.0.tar.gz": data, built: data})
    with pytest.raises(
        UserError, match=r"2\.0 has no source archive, only wheels .*; 1\.0 has one: pypi:tool==1\.0"
    ):
        chosen("pypi:tool")
    assert chosen("pypi:tool==1.0") == {"pypi:tool==1.0": "tool-1.0.tar.gz"}
    publish(indexed, "other", {"other-1.0-py3-none-any.whl": data})
    assert chosen("pypi:other") == {"pypi:other": "other-1.0-py3-none-any.whl"}
    assert "pypi:other: 1.0: no source archive; its wheel is read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "version"),
    [
        ("my-old.tool-1.0-2.tar.gz", "1.0.post2"),
        ("My_Old_Tool-1!2.0+local.1.tar.bz2", "1!2.0+local.1"),
        ("my_old_tool-3.zip", "3"),
        ("my-old-tool-extra-1.0.tar.gz", None),
        ("my_old_tool-1.0.exe", None),
        ("my_old_tool-1.0-py2-none-any.whl", "1.0"),
        ("my_old_tool-1.0-1-py2-none-any.whl", "1.0"),
        ("../my_old_tool-1.0.tar.gz", None),
        ("my_old_tool-1.0\n.tar.gz", None),
        (".my_old_tool-1.0.tar.gz", None),
    ],
)
def test_the_version_in_a_file_name(file: str, version: str | None) -> None:
    from codekiln.corpus.sources.registries.pypi import _version

    found = _version(file, "my-old-tool")
    assert (str(found) if found else None) == version


def test_npm_versions_are_ordered_as_semantic_versions(indexed: Server) -> None:
    versions = ["1.9.0", "1.10.0", "2.0.0-alpha.10", "2.0.0-alpha.9", "2.0.0-alpha.beta", "not-a-version"]
    publish_npm(indexed, "p", dict.fromkeys(versions, b"x"), tags={"next": "2.0.0-alpha.9"})
    assert chosen("npm:p", "npm:p@next", "npm:p@1.9.0") == {
        "npm:p": "p-1.10.0.tgz",
        "npm:p@next": "p-2.0.0-alpha.9.tgz",
        "npm:p@1.9.0": "p-1.9.0.tgz",
    }
    publish_npm(indexed, "q", {"1.0.0-alpha.9": b"x", "1.0.0-alpha.10": b"x", "1.0.0-alpha": b"x"})
    assert chosen("npm:q") == {"npm:q": "q-1.0.0-alpha.10.tgz"}


def test_a_resumed_run_does_not_ask_for_another_version(indexed: Server, tmp_path: Path) -> None:
    record = tmp_path / "out" / "sources.resolved.json"
    config = SourceConfig(paths=("pypi:tool",))
    publish(indexed, "tool", {"tool-1.0.tar.gz": tool("1.0")})
    first = find(config, record).fingerprint
    publish(indexed, "tool", {"tool-1.0.tar.gz": tool("1.0"), "tool-2.0.tar.gz": tool("2.0")})
    indexed.asked.clear()
    assert find(config, record).fingerprint == first
    assert indexed.asked == []
    assert find(config).fingerprint != first
    record.unlink()
    assert find(config, record).fingerprint != first


def test_a_registry_that_has_moved(indexed: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "r.json"
    publish(indexed, "tool", {"tool-1.0.tar.gz": tool("1.0")})
    chosen("pypi:tool", record=record)
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "other"))
    with serving() as second:
        monkeypatch.setenv("PIP_INDEX_URL", f"{second.url}/simple")
        publish(second, "tool", {"tool-1.0.tar.gz": tool("1.0"), "tool-2.0.tar.gz": tool("2.0")})
        assert chosen("pypi:tool", record=record) == {"pypi:tool": "tool-1.0.tar.gz"}
        monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "third"))
        publish(second, "tool", {"tool-1.0.tar.gz": tool("1.0", "more")})
        with pytest.raises(RunError, match=r"is another file than when it was first chosen"):
            chosen("pypi:tool", record=record)


def test_the_record_is_the_same_bytes_and_holds_no_login(
    indexed: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(indexed, "tool", {"tool-1.0.tar.gz": tool("1.0")})
    monkeypatch.setenv("PIP_INDEX_URL", f"{indexed.url}/simple/".replace("//", "//user:s3cret@"))
    records = [tmp_path / name / "r.json" for name in ("a", "b")]
    for record in records:
        chosen("pypi:tool", record=record)
    assert records[0].read_bytes() == records[1].read_bytes()
    assert b"s3cret" not in records[0].read_bytes()
    given = {headers.get("authorization", "") for _, headers in indexed.asked}
    assert given == {"Basic dXNlcjpzM2NyZXQ="}
    records[0].write_text("[]")
    with pytest.raises(UserError, match=r"r\.json is not what codekiln wrote"):
        chosen("pypi:tool", record=records[0])


def test_the_same_version_gives_the_same_bytes(
    indexed: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(indexed, "tool", {"tool-1.0.tar.gz": tool("1.0", "more")})
    hashes = set()
    for number, cache in enumerate(("one", "two")):
        monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / cache))
        config = SourceConfig(paths=("pypi:tool==1.0",))
        build_sources(tmp_path / str(number), config, seed=0, executor=LocalExecutor(1))
        hashes.add((tmp_path / str(number) / "files" / "manifest.json").read_bytes())
    assert len(hashes) == 1


def test_offline_a_known_version_is_enough(indexed: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(indexed, "tool", {"tool-1.0.tar.gz": tool("1.0")})
    publish_npm(indexed, "p", {"1.0.0": b"x"})
    assert len(chosen("pypi:tool", "npm:p")) == 2
    indexed.asked.clear()
    monkeypatch.setenv("CODEKILN_OFFLINE", "1")
    assert chosen("pypi:tool==1.0", "npm:p@1.0.0") == {
        "pypi:tool==1.0": "tool-1.0.tar.gz",
        "npm:p@1.0.0": "p-1.0.0.tgz",
    }
    assert indexed.asked == []
    with pytest.raises(
        RunError, match=r"newest version of pypi:tool is not known here and the network is off \(CODEKILN_OFF"
    ):
        chosen("pypi:tool")


def test_a_damaged_archive_in_the_cache_is_fetched_again(indexed: Server, tmp_path: Path) -> None:
    publish(indexed, "tool", {"tool-1.0.tar.gz": tool("1.0")})
    chosen("pypi:tool==1.0")
    (archive,) = (tmp_path / "cache").rglob("tool-1.0.tar.gz")
    archive.write_bytes(b"other")
    chosen("pypi:tool==1.0")
    assert archive.read_bytes() == tool("1.0")


def test_two_indexes_count_alike(indexed: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    publish(indexed, "tool", {"tool-1.0.tar.gz": tool("1.0")})
    (tmp_path / "own/simple/tool").mkdir(parents=True)
    (tmp_path / "own/tool-1.5.tar.gz").write_bytes(tool("1.5"))
    page = '<html><body><!-- <a href="../../tool-9.tar.gz">x</a> --><a href="../../tool-1.5.tar.gz">tool</a></body>'
    (tmp_path / "own/simple/tool/index.html").write_text(page)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{indexed.url}/none {(tmp_path / 'own/simple').as_uri()}")
    assert chosen("pypi:tool") == {"pypi:tool": "tool-1.5.tar.gz"}
    assert chosen("pypi:tool==1.0") == {"pypi:tool==1.0": "tool-1.0.tar.gz"}


def test_pip_and_npm_files_are_read(indexed: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    (home / ".config/pip").mkdir(parents=True)
    (home / ".config/pip/pip.conf").write_text(
        f"[global]\nindex_url = {indexed.url}/simple\n[install]\nretries = 1\n"
    )
    monkeypatch.setenv("TOKEN", "t0k")
    place = indexed.url.partition(":")[2]
    (home / ".npmrc").write_text(f"; mine\n@me:registry={indexed.url}/\n{place}/:_authToken=${{TOKEN}}\n")
    publish(indexed, "tool", {"tool-1.0.tar.gz": b"x"})
    publish_npm(indexed, "@me/p", {"1.0.0": b"y"})
    assert chosen("pypi:tool", "npm:@me/p") == {"pypi:tool": "tool-1.0.tar.gz", "npm:@me/p": "p-1.0.0.tgz"}
    logins = {path: headers.get("authorization") for path, headers in indexed.asked}
    assert logins["/@me%2fp"] == "Bearer t0k"
    assert logins["/simple/tool/"] is None or "Bearer" not in logins["/simple/tool/"]


def test_nothing_set_means_the_public_registries(monkeypatch: pytest.MonkeyPatch, indexed: Server) -> None:
    from codekiln.corpus.sources.registries.npmconfig import read_npm_config
    from codekiln.corpus.sources.registries.pipconfig import read_pip_config

    for name in ("PIP_INDEX_URL", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name)
    assert read_pip_config().indexes == ("https://pypi.org/simple",)
    assert read_npm_config().of("@a/b") == "https://registry.npmjs.org"


def test_identify_names_the_version(indexed: Server) -> None:
    publish(indexed, "tool", {"tool-1.0.tar.gz": tool("1.0")})
    assert [one.path for one in identify(["pypi:tool"]) if one.language == "python"] == [
        "pypi:tool==1.0/setup.py",
        "pypi:tool==1.0/src/tool/core.py",
    ]
