"""Tables of files as sources: the layouts of The Stack, any other with named columns, damaged ones in one line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_kit import corpus, program, reasons, rows, sources

from codekiln.corpus.explain import explain
from codekiln.corpus.sources import table_layout, tabular
from codekiln.corpus.sources.table_files import TableFile, holds_records
from codekiln.errors import UserError
from codekiln.shards import Dataset

STACK1 = [
    {
        "content": program(number), "max_stars_repo_path": f"src/m{number}.py", "max_stars_repo_name": f"me/r{number % 3}",
        "max_stars_repo_licenses": ["MIT"] if number % 2 else ["GPL-3.0-only"], "max_stars_repo_head_hexsha": "a" * 40, "lang": "Python",
    }
    for number in range(30)
]  # fmt: skip


def parquet(path: Path, records: list[dict[str, Any]], group: int = 7) -> Path:
    pq.write_table(pa.Table.from_pylist(records), path, row_group_size=group)
    return path


def lines(path: Path, records: list[Any]) -> Path:
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_the_stack_1_layout(tmp_path: Path) -> None:
    out = sources(tmp_path, parquet(tmp_path / "shard.parquet", STACK1))
    found = rows(out / "files")
    assert len(found) == 30
    row = found["src/m1.py"]
    assert (row["repo"], row["language"], row["licenses"], row["license_type"]) == (
        "me/r1",
        "python",
        ["MIT"],
        "permissive",
    )
    assert row["revision"] == "a" * 40
    assert row["content"] == program(1)
    assert found["src/m2.py"]["license_type"] == "non_permissive"
    built = corpus(tmp_path, out)
    assert {row["repo"] for row in Dataset.open(built / "train").rows(["repo"])} == {
        "me/r0",
        "me/r1",
        "me/r2",
    }


def test_one_row_a_repository_with_its_files(tmp_path: Path) -> None:
    files = [
        {"path": f"a{n}.py", "content": program(n), "detected_licenses": ["Apache-2.0"]} for n in range(3)
    ]
    table = parquet(
        tmp_path / "smol.parquet",
        [{"repo_name": "me/one", "files": files}, {"repo_name": "me/two", "files": files[:1]}],
    )
    found = list(Dataset.open(sources(tmp_path, table) / "files").rows())
    assert [(row["repo"], row["path"], row["licenses"]) for row in found] == [
        *(("me/one", f"a{n}.py", ["Apache-2.0"]) for n in range(3)),
        ("me/two", "a0.py", ["Apache-2.0"]),
    ]
    assert len({row["id"] for row in found}) == 4


@pytest.mark.parametrize("name", ["code.jsonl", "code.jsonl.gz", "code.ndjson"])
def test_lines_with_and_without_a_path(tmp_path: Path, name: str) -> None:
    records = [
        {"text": "class A {}\n", "meta": {"repo_name": "x/y", "path": "A.java"}},
        {"text": "x = 1\n", "meta": {"language": "Python"}},
        {"text": "#!/usr/bin/env ruby\nputs 1\n", "meta": {}},
        {"text": "who knows\n", "meta": {"language": "Klingon"}},
        {"text": None, "meta": {"path": "none.py"}},
        {"text": "a\0b", "meta": {"path": "nul.py"}},
        {"text": "x = 1\n", "meta": {"path": "../up.py"}},
        {"text": "x = '\ud800'\n", "meta": {"path": "half.py"}},
        {
            "text": json.dumps({"cells": [{"cell_type": "code", "source": "x = 2"}]}),
            "meta": {"path": "n.ipynb"},
        },
    ]
    out = sources(tmp_path, lines(tmp_path / name, records))
    found = rows(out / "files")
    languages = {path: (row["repo"], row["language"]) for path, row in found.items()}
    assert languages == {
        "A.java": ("x/y", "java"),
        "00000001": ("code", "python"),
        "00000002": ("code", "ruby"),
        "half.py": ("code", "python"),
        "n.ipynb": ("code", "python"),
    }
    assert reasons(out / "skipped") == {
        "00000003": "unknown language", "none.py": "no content", "nul.py": "binary", "../up.py": "unsafe path",
    }  # fmt: skip


def test_named_columns(tmp_path: Path) -> None:
    table = parquet(tmp_path / "t.parquet", [{"body": program(1), "where": {"file": "a.py"}}])
    with pytest.raises(
        UserError, match=r"t\.parquet has no column of file contents .* it has 'body', 'where'"
    ):
        sources(tmp_path, table)
    with pytest.raises(UserError, match=r"sources\.columns\.path: .* has no column 'file'"):
        sources(tmp_path, table, columns={"content": "body", "path": "file"})
    out = sources(tmp_path, table, columns={"content": "body", "path": "where.file"})
    assert list(rows(out / "files")) == ["a.py"]


@pytest.mark.parametrize("size", [1, 3_000, 10**9])
@pytest.mark.parametrize("kind", ["parquet", "lines"])
def test_every_record_is_read_once_whatever_the_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, kind: str
) -> None:
    path = (
        parquet(tmp_path / "x.parquet", STACK1) if kind == "parquet" else lines(tmp_path / "x.jsonl", STACK1)
    )
    monkeypatch.setattr(table_layout, "SLICE_BYTES", size)
    layout = table_layout.find(TableFile(str(path)), {})
    assert (len(layout.slices) > 1) == (size < 10**9)
    found = [record for part in layout.slices for record in tabular.records(part)]
    assert [record.row for record in found] == list(range(30))
    assert [record.content for record in found] == [record["content"] for record in STACK1]


def test_copies_in_a_table_are_files_of_their_own(tmp_path: Path) -> None:
    out = sources(tmp_path, parquet(tmp_path / "x.parquet", STACK1 * 2))
    assert len({row["id"] for row in Dataset.open(out / "files").rows()}) == 60
    built = corpus(tmp_path, out)
    kept = [row for row in Dataset.open(built / "decisions").rows() if row["kept"]]
    assert len(kept) == 30
    assert sum(len(Dataset.open(built / split)) for split in ("train", "heldout")) == 30
    with pytest.raises(
        UserError, match=r"^src/m1\.py is 2 rows of one path; give one of their ids: \w{32}, \w{32}$"
    ) as said:
        explain(out, built, "src/m1.py")
    told = [explain(out, built, one) for one in str(said.value).rpartition(": ")[2].split(", ")]
    assert {one["path"] for one in told} == {"src/m1.py"}
    assert sum(one["status"] == "dropped" for one in told) == 1


def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = parquet(tmp_path / "x.parquet", STACK1, group=3)
    monkeypatch.setattr(table_layout, "SLICE_BYTES", 4_000)
    hashes = {
        Dataset.open(sources(tmp_path / str(n), table, workers=n) / "files").content_hash for n in (1, 2)
    }
    assert len(hashes) == 1


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-40])
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: cut(parquet(p / "t.parquet", STACK1)), r"t\.parquet is not a readable Parquet file"),
        (lambda p: cut(lines(p / "t.jsonl.gz", STACK1)), r"t\.jsonl\.gz cannot be read"),
        (lambda p: lines(p / "t.jsonl", [[1], [2]]), r"t\.jsonl:1: a JSON object is wanted, not list"),
        (lambda p: cut(lines(p / "t.jsonl", STACK1[:1])), r"t\.jsonl:1: not valid JSON"),
        (lambda p: lines(p / "t.jsonl", []), r"t\.jsonl holds no record"),
        (lambda p: lines(p / "t.jsonl", [{"a": 1}]), r"has no column of file contents"),
        (lambda p: parquet(p / "t.parquet", [{"content": 3}]), r"column 'content' is int64 and not text"),
        (lambda p: lines(p / "t.jsonl", [{"content": 3}]), r"no source code found"),
    ],
)  # fmt: skip
def test_a_damaged_table_is_one_line(tmp_path: Path, make: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        sources(tmp_path / "out", make(tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("part", "column", "message"),
    [
        ("path", "size", r"sources\.columns\.path: column 'size' of .* is no text \('size' is int64\)"),
        ("licenses", "sizes", r"column 'sizes' of .* is no text \('sizes' is list<.*int64>\)"),
        ("repo", "meta.rank", r"column 'meta\.rank' of .* is no text \('meta' is struct<.*>\)"),
        ("content", "meta.none", r"column 'meta\.none' of .* is no text"),
        ("path", "none", "has no column 'none'; it has 'content', 'size', 'sizes', 'names', 'meta'"),
    ],
)
def test_a_named_column_of_another_type_is_refused(
    tmp_path: Path, part: str, column: str, message: str
) -> None:
    row = {
        "content": program(1),
        "size": 3,
        "sizes": [3],
        "names": ["MIT"],
        "meta": {"rank": 1, "path": "a.py"},
    }
    path = parquet(tmp_path / "t.parquet", [row])
    with pytest.raises(UserError, match=message):
        table_layout.find(TableFile(str(path)), {part: column})
    assert table_layout.find(TableFile(str(path)), {"licenses": "names", "path": "meta.path"}).slices


def test_lines_of_records_in_a_file_called_json(tmp_path: Path) -> None:
    found = rows(sources(tmp_path / "a", lines(tmp_path / "data.JSON", STACK1)) / "files")
    assert len(found) == len(STACK1)
    nameless = [{"content": program(number), "lang": "Python"} for number in range(3)]
    assert {
        row["repo"]
        for row in rows(sources(tmp_path / "b", lines(tmp_path / "t.json", nameless)) / "files").values()
    } == {"t"}


@pytest.mark.parametrize(
    "text", ['{"content": "x"}\n', '[{"content": "x"},\n{"content": "y"}]\n', '{"content":\n"x"}\n', ""]
)
def test_a_document_called_json_is_no_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert not holds_records(tmp_path / "a.json")


def test_a_line_that_is_no_record_costs_itself(tmp_path: Path) -> None:
    path = cut(lines(tmp_path / "t.jsonl", [STACK1[0], [1], *STACK1[1:]]))
    out = sources(tmp_path / "out", path)
    assert len(rows(out / "files")) > 10
    broken = {path: why for path, why in reasons(out / "skipped").items() if why == "no JSON object"}
    assert set(broken) == {"00000001", f"{len(STACK1):08d}"}


@pytest.mark.parametrize("first", ["[1]", "{", '{"a": 1}', "x" * 5000])
def test_a_first_line_that_is_no_record_costs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr(tabular, "MAX_LINE", 2000)
    monkeypatch.setattr(table_layout, "MAX_LINE", 2000)
    path = lines(tmp_path / "t.jsonl", STACK1)
    path.write_text(f"{first}\n\n{path.read_text()}")
    out = sources(tmp_path / "out", path)
    assert len(rows(out / "files")) == len(STACK1)
    assert "00000000" in reasons(out / "skipped")


def test_what_a_table_stores_once_is_not_unpacked_for_many_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tabular, "_BATCH_BYTES", 20_000_000)
    monkeypatch.setattr(tabular, "MAX_LINE", 10_000_000)
    path = tmp_path / "t.parquet"
    texts = ["x" * 2_000_000, program(1), *["x" * 2_000_000] * 498]
    kind = pa.dictionary(pa.int32(), pa.string())
    pq.write_table(
        pa.table({"content": pa.array(texts, kind), "path": [f"{n}.py" for n in range(500)]}), path
    )
    before = pa.total_allocated_bytes()
    found = tabular.records(table_layout.find(TableFile(str(path)), {}).slices[0])
    for _, record in zip(range(30), found):
        assert record.content
        assert pa.total_allocated_bytes() - before < 30_000_000


def test_a_value_that_is_too_long_costs_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular, "MAX_LINE", 1_000_000)
    texts = [program(1), "x" * 2_000_000, program(2)]
    path = parquet(
        tmp_path / "t.parquet", [{"content": text, "path": f"{at}.py"} for at, text in enumerate(texts)]
    )
    out = sources(tmp_path / "out", path)
    assert len(rows(out / "files")) == 2
    assert reasons(out / "skipped") == {"00000001": "more than 1,000,000 bytes"}


def test_a_row_group_that_cannot_be_read_costs_itself(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    texts = [{"content": f"def f{n}(a):\n    return a + {n}\n", "path": f"{n}.py"} for n in range(60)]
    pq.write_table(pa.Table.from_pylist(texts), path, row_group_size=20, compression="zstd")
    place = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    data[place : place + 60] = bytes(60)
    path.write_bytes(data)
    out = sources(tmp_path / "out", path)
    assert set(rows(out / "files")) == {f"{n}.py" for n in range(60) if n not in range(20, 40)}
    (why,) = reasons(out / "skipped").values()
    assert why.startswith("rows 20 to 39 cannot be read (")


@pytest.mark.parametrize(
    ("given", "ids", "kind"),
    [
        (["MIT License"], ["MIT"], "permissive"),
        (["Apache License 2.0", "MIT"], ["Apache-2.0", "MIT"], "permissive"),
        (["MIT OR GPL-3.0-only"], ["GPL-3.0-only", "MIT"], "permissive"),
        (["GNU General Public License v3.0"], ["GPL-3.0"], "non_permissive"),
        (["Other"], ["Other"], "non_permissive"),
        (["no_license"], [], "no_license"),
    ],
)
def test_licences_as_people_write_them(tmp_path: Path, given: list[str], ids: list[str], kind: str) -> None:
    file = parquet(tmp_path / "t.parquet", [{"path": "a.py", "content": program(1), "licenses": given}])
    (row,) = Dataset.open(sources(tmp_path, file) / "files").rows()
    assert (
        [one.removesuffix("-only").removesuffix("-or-later") for one in row["licenses"]],
        row["license_type"],
    ) == (
        [one.removesuffix("-only") for one in ids],
        kind,
    )


def test_old_encodings_in_a_column_of_bytes(tmp_path: Path) -> None:
    text = program(1) + "# größer – ünï\n"
    records = [
        {"path": f"{name.replace('-', '')}.py", "content": text.encode(name)}
        for name in ("utf-8", "utf-16", "cp1252")
    ]
    found = rows(sources(tmp_path, parquet(tmp_path / "t.parquet", records)) / "files")
    assert {path: row["content"] for path, row in found.items()} == {one["path"]: text for one in records}
