"""Registries that fail, hang, lie or send too much, and users' mistakes: one line, the right exit code, in bounded time."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from corpus_kit import program, repository, sources
from registry_kit import Server, indexed, publish, publish_npm, sdist, server

from codekiln.cli.main import run
from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources.listing import from_paths
from codekiln.corpus.sources.registries.packages import bring
from codekiln.corpus.sources.registries.pages import read_page
from codekiln.corpus.sources.registries.records import parse
from codekiln.downloads.web import WebError
from codekiln.errors import CodekilnError, RunError, UserError
from codekiln.shards import Dataset

__all__ = ["indexed", "server"]

DATA = sdist("tool", "1.0", {"LICENSE": "MIT", "tool.py": program(1), "more.py": program(2)})
JSON = {"Content-Type": "application/vnd.pypi.simple.v1+json"}


def failing(text: str, kind: type[CodekilnError], match: str) -> CodekilnError:
    spec = parse(text)
    assert spec
    with pytest.raises(kind, match=match) as error:
        bring([spec])
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600
    return error.value


@pytest.mark.parametrize(
    "text",
    [
        "pypi:", "pypi:../etc/passwd", "pypi:a/b", "pypi:a b", "pypi:a==", "pypi:a==../1", "pypi:a>=1", "pypi:-a",
        "pypi:a[extra]", "pypi:ä", "npm:", "npm:@scope", "npm:@scope/", "npm:../x", "npm:@a/../b", "npm:a@", "npm:a@^1.0",
        "npm:.hidden", "pypi:a\n", "npm:a%2fb", "pypi:" + "a" * 300,
    ],
)  # fmt: skip
def test_a_name_that_can_be_none(text: str) -> None:
    with pytest.raises(UserError, match=r"no package name; write|no version; write"):
        parse(text)


def test_what_is_no_package_is_left_alone() -> None:
    assert parse("src/pypi:x") is None
    assert parse("npmx:y") is None
    assert parse("./pypi:x") is None


def test_an_unknown_package_or_version_is_the_users_mistake(indexed: Server) -> None:
    failing(
        "pypi:tool", UserError, r"source pypi:tool: no such package on http://127.*/simple; check its name"
    )
    failing("npm:tool", UserError, r"source npm:tool: no such package on http://127")
    publish(indexed, "tool", {"tool-1.0.tar.gz": DATA, "tool-0.9.tar.gz": DATA})
    failing("pypi:tool==2", UserError, r"there is no such version; the newest are 1\.0, 0\.9")
    failing("pypi:tool==two", UserError, r"'two' is no version of a Python package")
    publish_npm(indexed, "tool", {"1.0.0": DATA})
    failing("npm:tool@2.0.0", UserError, r"no such version or tag; the newest are 1\.0\.0")
    indexed.pages["/simple/empty/"] = (200, JSON, b'{"meta":{"api-version":"1.0"},"files":[]}')
    failing("pypi:empty", UserError, "has no file of it that is known")
    indexed.pages["/locked"] = (403, {}, b"")
    failing("npm:locked", UserError, r"answered 403 Forbidden; it wants a login")


def test_a_server_that_recovers_is_asked_again(indexed: Server) -> None:
    publish(indexed, "tool", {"tool-1.0.tar.gz": DATA})
    page, file = indexed.pages["/simple/tool/"], indexed.pages["/files/tool-1.0.tar.gz"]
    assert isinstance(page, tuple) and isinstance(file, tuple)  # noqa: PT018
    indexed.pages["/simple/tool/"] = indexed.fails(3, page, 500)
    indexed.pages["/files/tool-1.0.tar.gz"] = indexed.breaks(3, file, 100)
    spec = parse("pypi:tool")
    assert spec
    assert bring([spec])["pypi:tool"].path.read_bytes() == DATA
    ranges = [headers.get("range") for path, headers in indexed.asked if path.startswith("/files/")]
    assert ranges == [None, "bytes=100-", "bytes=200-", "bytes=300-"]


def test_a_server_that_does_not_recover(indexed: Server) -> None:
    publish(indexed, "tool", {"tool-1.0.tar.gz": DATA})
    page, file = indexed.pages["/simple/tool/"], indexed.pages["/files/tool-1.0.tar.gz"]
    assert isinstance(page, tuple) and isinstance(file, tuple)  # noqa: PT018
    indexed.pages["/simple/tool/"] = indexed.fails(99, page, 500)
    assert failing("pypi:tool", RunError, r"/simple/tool/ answered 500").exit_code == 1
    indexed.pages["/simple/tool/"] = page
    indexed.pages["/files/tool-1.0.tar.gz"] = indexed.breaks(99, file, 10)
    failing("pypi:tool", RunError, r"tool-1\.0\.tar\.gz broke off after 10 of ")


@pytest.mark.parametrize("how", ["hangs", "drips"])
def test_a_server_that_hangs(indexed: Server, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setenv("PIP_TIMEOUT", "0.1")
    monkeypatch.setenv("PIP_RETRIES", "1")
    indexed.pages["/simple/tool/"] = getattr(indexed, how)
    began = time.monotonic()
    failing("pypi:tool", RunError, r"does not answer \(timeout\)|gave no whole answer within 1 s")
    assert time.monotonic() - began < 5


def test_nobody_listens(indexed: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    failing(
        "pypi:tool", RunError, r"http://127\.0\.0\.1:9/simple/tool/ cannot be reached \(Connection refused\)"
    )
    monkeypatch.setenv("PIP_INDEX_URL", "ftp://127.0.0.1/simple")
    failing("pypi:tool", UserError, "is no http, https or file address")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    failing("pypi:tool", UserError, "says no-index")


def test_another_content_than_the_index_says(indexed: Server, tmp_path: Path) -> None:
    publish(indexed, "tool", {"tool-1.0.tar.gz": DATA})
    indexed.pages["/files/tool-1.0.tar.gz"] = (200, {}, DATA + b"!")
    failing(
        "pypi:tool",
        RunError,
        r"tool-1\.0\.tar\.gz has the sha256 [0-9a-f]{16}…, not [0-9a-f]{16}… .*; removed",
    )
    assert not list((tmp_path / "cache").rglob("tool-*"))
    publish_npm(indexed, "tool", {"1.0.0": DATA}, integrity="", shasum="0" * 40)
    failing("npm:tool", RunError, r"has the sha1 ")
    publish_npm(indexed, "tool", {"1.0.0": DATA}, integrity="sha512-!", shasum="")
    failing("npm:tool", UserError, r"gives no hash of 1\.0\.0")


def test_what_an_earlier_call_left_of_another_file(indexed: Server, tmp_path: Path) -> None:
    publish(indexed, "tool", {"tool-1.0.tar.gz": DATA})
    digest = hashlib.sha256(DATA).hexdigest()
    for left in (b"x" * 50, b"x" * len(DATA), b"x" * (len(DATA) + 9), DATA[:77]):
        partial = tmp_path / "cache" / "archives" / f"sha256-{digest}" / "tool-1.0.tar.gz.partial"
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(left)
        partial.with_name("tool-1.0.tar.gz").unlink(missing_ok=True)
        spec = parse("pypi:tool")
        assert spec
        assert bring([spec])["pypi:tool"].path.read_bytes() == DATA


def test_a_redirect_may_not_leave_the_web(indexed: Server, tmp_path: Path) -> None:
    secret = tmp_path / "secret.tar.gz"
    secret.write_bytes(DATA)
    publish(indexed, "tool", {"tool-1.0.tar.gz": DATA})
    for target in (secret.as_uri(), "ftp://127.0.0.1/x", "data:text/plain,x", "//", "/loop"):
        indexed.pages["/loop"] = (302, {"Location": target}, b"")
        indexed.pages["/files/tool-1.0.tar.gz"] = (302, {"Location": target}, b"")
        failing(
            "pypi:tool",
            RunError,
            "redirects to .*, which is not followed|only http and https addresses are followed|no address",
        )
    indexed.pages["/files/real.tar.gz"] = (200, {}, DATA)
    indexed.pages["/files/tool-1.0.tar.gz"] = (307, {"Location": "/files/real.tar.gz"}, b"")
    spec = parse("pypi:tool")
    assert spec
    assert bring([spec])["pypi:tool"].path.read_bytes() == DATA


def test_links_that_may_not_be_followed_are_no_files() -> None:
    def links(base: str, *found: str) -> list[str]:
        files = [{"filename": "tool-1.0.tar.gz", "url": url} for url in found]
        return [one.url for one in read_page(json.dumps({"files": files}).encode(), "application/json", base)]

    given = [
        "http://h/x",
        "https://other/x",
        "file:///etc/x",
        "ftp://h/x",
        "/x\n",
        "javascript:x",
        "https://[",
        "//h2/x",
    ]
    assert links("https://h/simple/tool/", *given) == ["https://other/x", "https://h2/x"]
    assert links("http://h/simple/tool/", *given) == ["http://h/x", "https://other/x", "http://h2/x"]


@pytest.mark.parametrize(("kind", "what"), [("text/html", "html"), ("application/json", "json")])
def test_a_page_of_a_hundred_megabytes(indexed: Server, kind: str, what: str) -> None:
    indexed.pages["/simple/tool/"] = indexed.floods(kind, 100)
    failing("pypi:tool", RunError, "is no page of a package index: more than 64 MiB")


def test_a_compressed_page_that_unpacks_to_more(indexed: Server) -> None:
    import gzip

    bomb = gzip.compress(b" " * (80 * 1024**2), 1)
    indexed.pages["/simple/tool/"] = (200, {"Content-Encoding": "gzip", "Content-Type": "text/html"}, bomb)
    failing("pypi:tool", RunError, "more than 64 MiB")
    indexed.pages["/simple/tool/"] = (200, {"Content-Encoding": "gzip"}, bomb[:1000])
    failing("pypi:tool", RunError, "broke off")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"files": {}}', b"{" * 100_000, b"\xff", b'{"meta": 1, "files": []}']
)
def test_a_page_that_is_none(indexed: Server, body: bytes) -> None:
    indexed.pages["/simple/tool/"] = (200, JSON, body)
    failing("pypi:tool", RunError, r"is no page of a package index \(damaged JSON\)")
    indexed.pages["/tool"] = (200, {}, body.replace(b"files", b"versions"))
    assert parse("npm:tool") is not None
    with pytest.raises(CodekilnError) as error:
        bring([spec for spec in [parse("npm:tool")] if spec])
    assert "\n" not in str(error.value)


def test_a_later_version_of_the_format(indexed: Server) -> None:
    indexed.pages["/simple/tool/"] = (200, JSON, b'{"meta":{"api-version":"2.0"},"files":[]}')
    failing("pypi:tool", RunError, r"speaks version 2\.0 of the index format")


@pytest.mark.parametrize(
    "unit", ["<a ", '<a href="', "<a href='", "<a x= ", "<!--", "<base ", '<a "', "<a / = ", "<a\n\n\n", "<"]
)
def test_reading_a_page_takes_time_in_proportion(unit: str) -> None:
    body = (unit * (1024**2 // len(unit))).encode()
    began = time.monotonic()
    with_many = read_page(body, "text/html", "https://h/simple/tool/")
    assert time.monotonic() - began < 3
    assert all("://" in one.url for one in with_many)


def test_an_archive_that_unpacks_without_end(indexed: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as bundle:
        info = tarfile.TarInfo("tool-1.0/big.py")
        info.size = 30 * 1024**2
        bundle.addfile(info, io.BytesIO(bytes(info.size)))
    publish(indexed, "tool", {"tool-1.0.tar.gz": out.getvalue()})
    from codekiln.corpus.sources import archives

    walk = archives.listing
    monkeypatch.setattr(archives, "listing", lambda path, keep: walk(path, keep, max_total=1024**2))
    with pytest.raises(UserError, match="unpacks to more than"):
        from_paths(SourceConfig(paths=("pypi:tool",)))


def test_every_source_is_settled_before_the_first_is_read(
    indexed: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = repository(tmp_path / "repo", {f"m{number}.py": program(number) for number in range(5)})
    publish(indexed, "tool", {"tool-1.0.tar.gz": DATA})

    def build(*given: Any) -> tuple[int, str]:
        status = run(
            [
                "corpus",
                "build",
                *map(str, given),
                "-o",
                str(tmp_path / "out"),
                "--workers",
                "1",
                "--set",
                "corpus.licenses=any",
            ]
        )
        return status, capsys.readouterr().err

    status, said = build("pypi:missing")
    assert status == 2
    assert said.strip().splitlines()[-1].startswith("codekiln: error: source pypi:missing: no such")
    status, said = build(code, "pypi:tool", tmp_path / "none")
    assert (status, "does not exist" in said) == (2, True)
    assert not [path for path in indexed.paths() if path.startswith("/files/")]
    assert not (tmp_path / "out" / "sources").exists()
    status, said = build(code, "pypi:tool")
    assert status == 0, said
    assert (
        json.loads((tmp_path / "out" / "sources.resolved.json").read_text())["packages"]["pypi:tool"][
            "version"
        ]
        == "1.0"
    )


@pytest.mark.parametrize("how", ["missing", "fails", "hangs", "broken archive"])
def test_a_package_that_cannot_be_had_costs_itself(
    indexed: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    monkeypatch.setenv("PIP_TIMEOUT", "0.1")
    monkeypatch.setenv("PIP_RETRIES", "1")
    publish(indexed, "tool", {"tool-1.0.tar.gz": DATA})
    reason = {
        "missing": "no such package",
        "fails": "answered 500",
        "hangs": "does not answer",
        "broken archive": "sha256",
    }
    if how == "fails":
        indexed.pages["/simple/other/"] = (500, {}, b"")
    elif how == "hangs":
        indexed.pages["/simple/other/"] = indexed.hangs
    elif how == "broken archive":
        publish(indexed, "other", {"other-1.0.tar.gz": DATA})
        indexed.pages["/files/other-1.0.tar.gz"] = (200, {}, DATA[:-9] + b"something")
    out = sources(tmp_path, *["pypi:other", "pypi:tool"])  # type: ignore[list-item]
    assert {row["repo"] for row in Dataset.open(out / "files").rows()} == {"tool"}
    (left_out,) = (row for row in Dataset.open(out / "skipped").rows() if row["repo"] == "pypi:other")
    assert reason[how] in left_out["reason"]
    told = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert len(told) == 1
    assert "(this source is left out, the others are read)" in told[0]

    # When it can be had, a build reads it.
    publish(
        indexed,
        "other",
        {"other-1.0.tar.gz": sdist("other", "1.0", {"LICENSE": "MIT", "other.py": program(3)})},
    )
    again = sources(tmp_path / "again", *["pypi:other", "pypi:tool"])  # type: ignore[list-item]
    assert {row["repo"] for row in Dataset.open(again / "files").rows()} == {"tool", "other"}


def test_an_answer_of_odd_types_is_no_traceback(indexed: Server) -> None:
    files = [
        1,
        {},
        {"filename": 1, "url": 2},
        {"filename": "tool-1.0.tar.gz", "url": "x", "hashes": [], "yanked": 3},
    ]
    indexed.pages["/simple/tool/"] = (200, JSON, json.dumps({"files": files}).encode())
    failing("pypi:tool", RunError, "404")
    for dist in (
        {},
        {"tarball": 1},
        {"tarball": "file:///etc/x", "shasum": "0" * 40},
        {"tarball": "x", "integrity": 4},
    ):
        indexed.pages["/tool"] = (
            200,
            {},
            json.dumps({"versions": {"1.0.0": {"dist": dist}, "x": 1}, "dist-tags": 1}).encode(),
        )
        with pytest.raises(CodekilnError) as error:
            bring([spec for spec in [parse("npm:tool")] if spec])
        assert "\n" not in str(error.value)


def test_a_refused_page_is_not_tried_again() -> None:
    with pytest.raises(WebError, match="damaged JSON") as error:
        read_page(b"{", "application/json", "https://h/")
    assert not error.value.again
