"""Tables at addresses: read by ranges over http, by fsspec's drivers elsewhere; never more than is wanted."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_kit import program, sources
from registry_kit import Server, indexed, server

from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources import table_layout, tabular
from codekiln.corpus.sources.places import locate
from codekiln.corpus.sources.remote_tables import bring
from codekiln.corpus.sources.stage import find
from codekiln.downloads import ranges
from codekiln.errors import CodekilnError, RunError, UserError
from codekiln.shards import Dataset

__all__ = ["indexed", "server"]

RECORDS = [
    {
        "content": program(number),
        "path": f"src/m{number}.py",
        "repo_name": "me/r",
        "license": ["MIT"],
        "noise": "x" * 2000,
    }
    for number in range(40)
]


def as_parquet(records: list[dict[str, Any]] = RECORDS, group: int = 5) -> bytes:
    out = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(records), out, row_group_size=group)
    return out.getvalue().to_pybytes()


def as_lines(records: list[dict[str, Any]] = RECORDS) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def as_zst(data: bytes) -> bytes:
    half = len(data) // 2
    return b"".join(pa.Codec("zstd").compress(part, asbytes=True) for part in (data[:half], data[half:]))


FORMS = {
    "t.parquet": as_parquet(), "t.jsonl": as_lines(), "t.jsonl.gz": gzip.compress(as_lines()), "t.jsonl.zst": as_zst(as_lines()),
}  # fmt: skip


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


def contents(out: Path) -> set[str]:
    return {row["content"] for row in Dataset.open(out / "files").rows(["content"])}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("how", ["http", "plain http", "memory", "file", "path"])
def test_every_form_from_everywhere(
    indexed: Server, memory: Any, tmp_path: Path, name: str, how: str
) -> None:
    (tmp_path / name).write_bytes(FORMS[name])
    memory.pipe(f"/data/{name}", FORMS[name])
    headers = {"ETag": '"v1"'} if how == "http" else {"Accept-Ranges": "none"}
    indexed.pages[f"/{name}?key=s3cret"] = (200, headers, FORMS[name])
    address = {
        "memory": f"memory://data/{name}", "file": (tmp_path / name).as_uri(), "path": str(tmp_path / name),
    }.get(how, f"{indexed.url}/{name}?key=s3cret")  # fmt: skip
    out = sources(tmp_path, *[address])  # type: ignore[list-item]
    assert contents(out) == {record["content"] for record in RECORDS}
    assert "s3cret" not in (out / "files" / "manifest.json").read_text()


@pytest.mark.parametrize("size", [1, 3_000, 10**9])
@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl"])
def test_slices_read_each_record_once(
    indexed: Server, monkeypatch: pytest.MonkeyPatch, size: int, name: str
) -> None:
    monkeypatch.setattr(table_layout, "SLICE_BYTES", size)
    monkeypatch.setattr(ranges, "_AHEAD", 512)
    indexed.pages[f"/{name}"] = (200, {"ETag": '"v1"'}, b"\n \n" * (name == "t.jsonl") + FORMS[name])
    layout = table_layout.find(bring(f"{indexed.url}/{name}"), {})
    assert (len(layout.slices) > 1) == (size < 10**9)
    found = [record for part in layout.slices for record in tabular.records(part)]
    assert [record.content for record in found] == [record["content"] for record in RECORDS]
    assert len({record.row for record in found}) == len(RECORDS)


def test_only_what_is_wanted_is_fetched(indexed: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import random

    draw = random.Random(0)
    records = [{**record, "noise": draw.randbytes(60_000).hex()} for record in RECORDS]
    data = as_parquet(records, 10)
    indexed.pages["/t.parquet"] = (200, {"ETag": '"v1"'}, data)
    monkeypatch.setattr(ranges, "_AHEAD", 4096)
    layout = table_layout.find(bring(f"{indexed.url}/t.parquet"), {})
    assert len([record for part in layout.slices for record in tabular.records(part)]) == len(RECORDS)
    assert indexed.bytes < len(data) / 10


def test_patterns(memory: Any, tmp_path: Path) -> None:
    for number in range(3):
        memory.pipe(f"/set/train-{number}.parquet", as_parquet(RECORDS[number : number + 1]))
    memory.pipe("/set/other.parquet", as_parquet(RECORDS[9:]))
    places = locate(["memory://set/train-*.parquet"])
    assert [str(place.table) for place in places] == [
        f"memory:///set/train-{number}.parquet" for number in range(3)
    ]
    out = sources(tmp_path, *["memory://set/train-*.parquet"])  # type: ignore[list-item]
    assert contents(out) == {program(number) for number in range(3)}


def test_the_mark_changes_with_the_content(indexed: Server, memory: Any) -> None:
    def mark(url: str) -> str:
        return find(SourceConfig(paths=(url,))).fingerprint

    for headers in (
        {"ETag": '"v1"'},
        {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
        {},
        {"ETag": 'W/"v1"'},
    ):
        indexed.pages["/t.parquet"] = (200, dict(headers), FORMS["t.parquet"])
        first = mark(f"{indexed.url}/t.parquet")
        assert mark(f"{indexed.url}/t.parquet") == first
        changed = {key: value.replace("1", "2") for key, value in headers.items()}
        indexed.pages["/t.parquet"] = (200, changed, as_parquet(RECORDS[::-1]))
        assert mark(f"{indexed.url}/t.parquet") != first
    memory.pipe("/t.parquet", FORMS["t.parquet"])
    first = mark("memory://t.parquet")
    memory.pipe("/t.parquet", as_parquet(RECORDS[::-1]))
    assert mark("memory://t.parquet") != first


def test_a_file_that_changes_while_it_is_read(indexed: Server, memory: Any) -> None:
    indexed.pages["/t.parquet"] = (200, {"ETag": '"v1"'}, FORMS["t.parquet"])
    (part,) = table_layout.find(bring(f"{indexed.url}/t.parquet"), {}).slices
    indexed.pages["/t.parquet"] = (200, {"ETag": '"v2"'}, FORMS["t.parquet"])
    with pytest.raises(RunError, match=r"/t\.parquet changed while it was read; run again"):
        list(tabular.records(part))
    memory.pipe("/t.parquet", FORMS["t.parquet"])
    (part,) = table_layout.find(bring("memory://t.parquet"), {}).slices
    memory.pipe("/t.parquet", as_parquet(RECORDS[:3]))
    with pytest.raises(RunError, match="changed while it was read"):
        list(tabular.records(part))


def test_a_connection_that_breaks_is_taken_up_again(indexed: Server) -> None:
    page = (200, {}, FORMS["t.jsonl.gz"])
    indexed.pages["/t.parquet"] = indexed.fails(1, (200, {"ETag": '"v1"'}, FORMS["t.parquet"]))
    assert len(table_layout.find(bring(f"{indexed.url}/t.parquet"), {}).slices) == 1
    indexed.pages["/t.jsonl.gz"] = indexed.breaks(1, page, 500)
    file = bring(f"{indexed.url}/t.jsonl.gz")
    assert not file.is_remote
    assert Path(file.where).read_bytes() == FORMS["t.jsonl.gz"]


@pytest.mark.parametrize(
    ("url", "kind", "match"),
    [
        ("{}/none.parquet", UserError, r"source http://127.*/none\.parquet: no such file is there \(404\)"),
        ("{}/a*.parquet", UserError, "a web server cannot list its files"),
        ("{}/broken.parquet", UserError, r"broken\.parquet is not a readable Parquet file"),
        ("{}/broken.jsonl", UserError, r"broken\.jsonl: byte 0: not valid JSON"),
        ("{}/cut.jsonl.zst", UserError, r"cut\.jsonl\.zst cannot be read"),
        ("{}/empty.jsonl", CodekilnError, "holds no record|answered 416"),
        ("http://127.0.0.1:9/x.parquet", RunError, "cannot be reached"),
        ("memory://none/x.parquet", UserError, "no such table is there"),
        ("memory://none/*.parquet", UserError, "no such table is there"),
        ("file:///none/x.parquet", UserError, "no such table is there"),
        ("nonesuch://x/y.parquet", UserError, "nonesuch"),
        ("{}/repo.git", UserError, "is an address; clone or download it first"),
        ("git@host:me/repo.git", UserError, "is an address; clone or download it first"),
    ],
)
def test_mistakes_are_one_line(
    indexed: Server, memory: Any, url: str, kind: type[CodekilnError], match: str
) -> None:
    indexed.pages["/broken.parquet"] = (200, {"ETag": '"1"'}, b"PAR1 not PAR1")
    indexed.pages["/broken.jsonl"] = (200, {"ETag": '"1"'}, b"{\n")
    indexed.pages["/cut.jsonl.zst"] = (200, {"ETag": '"1"'}, FORMS["t.jsonl.zst"][:-9])
    indexed.pages["/empty.jsonl"] = (200, {"ETag": '"1"'}, b"")
    with pytest.raises(kind, match=match) as error:
        find(SourceConfig(paths=(url.format(indexed.url),)))
    assert "\n" not in str(error.value)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch, indexed: Server) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UserError, match=r"s3:// needs the package s3fs, which is not here: pip install s3fs"):
        find(SourceConfig(paths=("s3://bucket/x.parquet",)))
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UserError, match=r"need fsspec: pip install 'codekiln\[remote\]'"):
        find(SourceConfig(paths=("s3://bucket/x.parquet",)))
    monkeypatch.setenv("CODEKILN_OFFLINE", "1")
    with pytest.raises(RunError, match=r"is an address and the network is off \(CODEKILN_OFFLINE\)"):
        find(SourceConfig(paths=(f"{indexed.url}/x.parquet",)))
