"""Decontamination: constructed copies, the rule's edges, a slow reference, hostile text, the real test sets."""

from __future__ import annotations

import gzip
import json
import lzma
import re
import time
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.cli.main import run
from codekiln.corpus.decontamination.build import GramRules, build_index
from codekiln.corpus.decontamination.index import GRAM, TEXTS, Index, open_index, save_index
from codekiln.corpus.decontamination.match import CONTAMINATION, contaminated, contamination_table, detail
from codekiln.corpus.decontamination.notices import without_notices
from codekiln.corpus.decontamination.prepare import prepare_index
from codekiln.corpus.decontamination.testfiles import files_against, read_texts
from codekiln.corpus.decontamination.words import canonical, run_hashes, runs_at, words_of
from codekiln.errors import RunError, UserError

BENCHMARKS = Path(__file__).parents[2].parent / "shared" / "benchmarks"
BARE = GramRules(letters=0, notices=False)

PROMPT = '''from typing import List

def has_close(numbers: List[float], threshold: float) -> bool:
    """ Check if in given list of numbers, are any two numbers closer to each other than
    given threshold.
    """
'''
SOLUTION = """    for idx, elem in enumerate(numbers):
        for idx2, elem2 in enumerate(numbers):
            if idx != idx2:
                distance = abs(elem - elem2)
                if distance < threshold:
                    return True
    return False
"""


def texts(*rows: tuple[str, str, str, str]) -> pa.Table:
    return pa.table(dict(zip(TEXTS.names, zip(*rows))), schema=TEXTS)


def index_of(*entries: str, rules: GramRules | None = None) -> Index:
    return build_index(texts(*(("set", str(n), "text", text) for n, text in enumerate(entries))), rules)


@pytest.fixture(scope="module")
def humaneval() -> Index:
    return build_index(
        texts(
            ("he", "HE/0", "prompt", PROMPT),
            ("he", "HE/0", "solution", SOLUTION),
            ("she", "S/0", "prompt", PROMPT),
        )
    )


def one(index: Index, text: str) -> list[Any]:
    return contaminated([text], index)[0]


def test_a_verbatim_copy_is_told_with_line_words_and_owners(humaneval: Index) -> None:
    matches = one(humaneval, "import os\n\n\n" + PROMPT + SOLUTION)
    assert matches[0].line == 4
    assert matches[0].gram == "from typing import list def has_close numbers list float threshold"
    assert [tuple(owner) for owner in matches[0].owners] == [
        ("he", "HE/0", "prompt", 1),
        ("she", "S/0", "prompt", 1),
    ]
    assert matches[0].items == 2
    assert len({match.gram for match in matches}) == len(matches)
    assert [match.line for match in matches] == sorted(match.line for match in matches)
    assert "shares 10 words with he HE/0" in detail(matches)


CHANGES = {
    "indented": lambda text: "".join("            " + line for line in text.splitlines(True)),
    "tabs": lambda text: text.replace("    ", "\t"),
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "one line": lambda text: " ".join(text.split()),
    "loose": lambda text: re.sub(r"([(),:\[\]])", r" \1 ", text),
    "hash comment": lambda text: "".join("# " + line for line in text.splitlines(True)),
    "block comment": lambda text: "/*\n" + "".join(" * " + line for line in text.splitlines(True)) + "*/",
    "upper case": str.upper,
    "non-breaking": lambda text: text.replace(" ", "\u00a0"),
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "other quotes": lambda text: text.replace('"""', "'''"),
    "decomposed beside": lambda text: "caf" + "e\u0301\n" + text,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("part", [PROMPT, SOLUTION], ids=["prompt", "solution"])
def test_a_reformatted_copy_is_found(humaneval: Index, change: str, part: str) -> None:
    assert one(humaneval, "x = 1\n" + CHANGES[change](part) + "\ny = 2\n")


def test_ten_words_are_a_match_and_nine_are_none() -> None:
    words = [
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ]
    index = index_of(" ".join(words))
    assert len(one(index, "zero " + " ".join(words[:10]) + " end")) == 1
    assert one(index, " ".join(words[:9])) == []
    assert one(index, " ".join(words[:5]) + " and " + " ".join(words[5:])) == []
    assert one(index, "".join(words)) == []
    assert [match.line for match in one(index, "a\n\r\n" + "\n".join(words))] == [3, 4, 5]


def test_runs_do_not_go_from_one_text_to_the_next() -> None:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    index = index_of(" ".join(words))
    assert contaminated([" ".join(words[:5]), " ".join(words[5:]), " ".join(words)], index)[:2] == [[], []]
    two = build_index(texts(("s", "a", "p", " ".join(words[:5])), ("s", "a", "q", " ".join(words[5:]))))
    assert contaminated([" ".join(words)], two)[0] != []  # both are short texts, matched whole
    assert {len(match.gram.split()) for match in contaminated([" ".join(words)], two)[0]} == {5}


def test_short_items_count_whole_and_only_where_the_item_has_no_longer_text() -> None:
    index = build_index(
        texts(
            ("short", "a", "question", "How many singers do we have?"),
            ("short", "b", "question", "two words"),
            ("short", "c", "question", "1, 2, 3, 4"),
            ("long", "d", "prompt", "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda"),
            ("long", "d", "solution", "return number modulo one"),
        )
    )
    assert [match.gram for match in one(index, "-- how many\n-- SINGERS do we have")] == [
        "how many singers do we have"
    ]
    assert one(index, "how many singers do we") == []
    assert one(index, "two words, return number modulo one; 1, 2, 3, 4") == []
    assert index.names["counts"]["items_without_runs"] == 2
    assert one(index_of("1 2 3 4", rules=BARE), "1, 2, 3, 4, 5")


def test_letters_of_other_scripts() -> None:
    russian = "напишите функцию которая возвращает сумму всех чётных чисел из данного списка целых"
    chinese = "编写一个函数返回列表中所有偶数之和"
    index = index_of(russian, chinese, "naïve café Straße Ünïcode is good for all of us now")
    assert one(index, russian.upper())
    assert one(index, unicodedata.normalize("NFD", russian))
    assert one(index, f"# {chinese[3:14]}!")
    assert one(index, chinese[:9]) == []
    assert one(index, "NAÏVE CAFÉ STRASSE") == []
    assert one(index, "naïve, café; “straße” ünïcode — is good for all of us")


def test_what_copies_everywhere_is_no_test_data_unless_asked_for() -> None:
    notice = (
        "# Copyright 2024 The Team. All rights reserved.\n#\n# Licensed under the Apache License, Version 2.0\n\n"
        "# you may not use this file except in compliance with the License, of course and so on\n"
    )
    code = "def solve(first, second):\n    return combine(first, second, using=third, other=fourth, more=fifth)\n"
    numbers = "data = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]\n"
    index = index_of(notice + code + numbers)
    assert one(index, notice) == []
    assert one(index, numbers) == []
    assert one(index, code)
    bare = index_of(notice + code + numbers, rules=BARE)
    assert one(bare, notice)
    assert one(bare, numbers)
    assert one(index_of(notice + code, rules=GramRules(ignore=(code,))), code) == []
    shared = [f"import numpy as np import pandas as pd import scipy as sp task {n}" for n in range(5)]
    assert one(index_of(*shared), shared[0])[0].owners[0].items == 5
    assert one(index_of(*shared, rules=GramRules(most_items=4)), shared[0][:-7]) == []
    assert one(index_of(*shared, rules=GramRules(most_items=5)), shared[0][:-7])


def test_a_notice_is_left_out_with_its_comment_and_nothing_else() -> None:
    task = "# Write a function that checks a driver's license number.\ndef check(license): ...\n"
    assert without_notices(task) == task
    assert without_notices("// Copyright (c) 2020 Me\n//\n// more\n\nint a;\n// b\n") == "int a;\n// b\n"
    assert without_notices("a\n\nPermission is hereby granted, free of\ncharge\n\nb") == "a\n\nb"


def test_a_hash_that_is_met_by_chance_drops_no_file(humaneval: Index) -> None:
    other = "quite different words that nobody has ever put into any benchmark at all so far today"
    words = words_of([other.encode()])
    hashes = run_hashes(words.hashes, GRAM)
    forged = Index(
        **{
            **{name: getattr(humaneval, name) for name in humaneval.__dataclass_fields__},
            "hashes": np.sort(np.concatenate([humaneval.hashes[len(hashes) :], hashes])),
            "bits": np.full(len(humaneval.bits), 255, np.uint8),
        }
    )
    assert one(forged, other) == []


WORDS = st.sampled_from(["a", "b", "cc", "ddd", "eeee", "é", "x" * 9, "y" * 70, "7"])
DOCUMENTS = st.lists(
    st.lists(
        st.tuples(WORDS, st.sampled_from([" ", "\n", "\r\n", "(", ", ", "—", "\t", "\0"])), max_size=30
    ).map(lambda pairs: "".join(word + gap for word, gap in pairs)),
    max_size=6,
)


def reference(documents: list[str], items: list[str]) -> list[dict[str, int]]:
    """Runs of words and the line of the first, by plain string work."""
    split = [re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower()) for text in items]
    grams = {tuple(words[at : at + 10]) for words in split for at in range(len(words) - 9)}
    grams |= {tuple(words) for words in split if 3 <= len(words) < 10}
    found = []
    for text in documents:
        words = [(m[0].lower(), 1 + text.count("\n", 0, m.start())) for m in re.finditer(r"\w+", text)]
        hits: dict[str, int] = {}
        for at in range(len(words)):
            for size in range(3, 11):
                run_of = tuple(word for word, _ in words[at : at + size])
                if len(run_of) == size and run_of in grams:
                    hits.setdefault(" ".join(run_of), words[at][1])
        found.append(hits)
    return found


@given(DOCUMENTS, DOCUMENTS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_equal_to_a_slow_reference(documents: list[str], items: list[str], copy: bool) -> None:
    if copy:
        documents = [*documents, *("b ".join(items[:2]).join(["cc ", " b"]) for _ in range(2))]
    index = index_of(*items, rules=BARE) if items else build_index(TEXTS.empty_table(), BARE)
    found = [{match.gram: match.line for match in matches} for matches in contaminated(documents, index)]
    assert found == reference(documents, items)


@given(st.text(alphabet="ab é_9\n(-\u3042\u0301", max_size=300))
@settings(max_examples=200, deadline=None)
def test_words_hash_alike_wherever_they_stand(text: str) -> None:
    words = words_of([canonical(text)])
    alone = words_of([b"\n\n(" + canonical(text) + b")"])
    assert np.array_equal(words.hashes, alone.hashes)
    for count in range(2, 11):
        runs = run_hashes(words.hashes, count)
        assert np.array_equal(runs, runs_at(words.hashes, np.arange(len(runs)), count))


def test_large_texts_are_the_same_as_small_ones() -> None:
    item = "alpha beta gamma delta epsilon zeta eta theta iota kappa"
    index = index_of(item)
    for before in (262_100, 262_143, 262_144, 262_145, 1_050_000):
        matches = one(index, "x " * (before // 2) + "\n" + item + "\n" + "y\n" * 1000)
        assert [match.line for match in matches] == [2]
        assert one(index, "z" * before + " " + item)


WALLS = [
    "a",
    " ",
    "(",
    "\n",
    '"',
    "=",
    "a ",
    "é",
    "\u0301",
    "\u0301\u0316",
    "あ",
    "\ufdfa",
    "a" * 65 + " ",
    "# copyright 2020\n",
    "\0",
]


@pytest.mark.parametrize("wall", WALLS)
def test_hostile_text_takes_linear_time(humaneval: Index, wall: str) -> None:
    text = wall * (1_000_000 // len(wall))
    begun = time.process_time()
    one(humaneval, text)
    index_of(text)
    assert time.process_time() - begun < 2


def test_a_document_of_test_data_alone_takes_linear_time(humaneval: Index) -> None:
    begun = time.process_time()
    assert one(humaneval, (PROMPT + SOLUTION) * 2000)
    assert time.process_time() - begun < 2


def test_the_index_is_the_same_bytes_for_any_order_of_rows(tmp_path: Path) -> None:
    rows = [
        ("b", "2", "p", PROMPT),
        ("a", "1", "q", SOLUTION),
        ("a", "3", "p", "three short words"),
        ("a", "1", "p", PROMPT),
    ]
    for name, order in (("one", rows), ("two", rows[::-1])):
        save_index(build_index(texts(*order)), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    index = open_index(str(tmp_path / "one"))
    assert one(index, PROMPT) == one(build_index(texts(*rows)), PROMPT)
    (tmp_path / "broken").write_bytes((tmp_path / "one").read_bytes()[:500])
    with pytest.raises(RunError, match="delete it and run again"):
        open_index(str(tmp_path / "broken"))


def test_a_table_of_files_gives_a_row_each(tmp_path: Path, humaneval: Index) -> None:
    save_index(humaneval, tmp_path / "index")
    files = pa.table({"id": ["a", "b"], "content": [PROMPT + SOLUTION, "nothing"]})
    table, counters = contamination_table(files, str(tmp_path / "index"))
    assert table.schema == CONTAMINATION
    assert counters == {"files": 2, "contaminated": 1}
    first, second = table.to_pylist()
    assert (first["line"], first["benchmark"], first["item"], first["benchmarks"]) == (
        7,
        "he",
        "HE/0",
        ["he", "she"],
    )
    assert second["grams"] == 0
    assert second["gram"] is None


def lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_files_of_known_test_sets_and_ones_own(tmp_path: Path) -> None:
    row = {
        "task_id": "HumanEval/7",
        "prompt": PROMPT,
        "canonical_solution": SOLUTION,
        "test": "t" * 20,
        "entry_point": "e",
    }
    (tmp_path / "HumanEval.jsonl.gz").write_bytes(gzip.compress(lines(row)))
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.jsonl").write_bytes(
        lines({"question": "q", "answer": "a"}, {"question": "r", "answer": ""})
    )
    (tmp_path / "gsm8k" / "train.jsonl").write_bytes(lines({"question": "never"}))
    (tmp_path / "multipl-e").mkdir()
    (tmp_path / "multipl-e" / "humaneval-cpp.jsonl.xz").write_bytes(
        lzma.compress(lines({"name": "n", "prompt": "p", "tests": "t"}))
    )
    pq.write_table(pa.table({"id": [1], "body": ["mine"], "meta": [{"x": "deep"}]}), tmp_path / "own.parquet")
    (tmp_path / "note.txt").write_text("\ufeffsome text", encoding="utf-8")
    table = read_texts(files_against([str(tmp_path)]))
    assert [tuple(entry.values()) for entry in table.to_pylist()] == [
        ("humaneval", "HumanEval/7", "prompt+canonical_solution", PROMPT + SOLUTION),
        ("humaneval", "HumanEval/7", "test", "t" * 20),
        ("gsm8k", "row 1", "question", "q"),
        ("gsm8k", "row 1", "answer", "a"),
        ("gsm8k", "row 2", "question", "r"),
        ("multipl-e-cpp", "n", "prompt", "p"),
        ("multipl-e-cpp", "n", "tests", "t"),
    ]
    own = read_texts(files_against([f"{tmp_path}/own.parquet:body,meta.x", f"{tmp_path}/note.txt"]))
    assert [tuple(entry.values()) for entry in own.to_pylist()] == [
        ("own.parquet", "1", "body", "mine"),
        ("own.parquet", "1", "meta.x", "deep"),
        ("note.txt", "note.txt", "text", "some text"),
    ]


def test_a_users_mistakes_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n{oops\n')
    (tmp_path / "torn.jsonl.gz").write_bytes(gzip.compress(b"{}" * 1000)[:20])
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "fine.jsonl").write_bytes(lines({"a": "text"}))
    (tmp_path / "empty").mkdir()
    for against, said in {
        "nowhere.jsonl": "no such file or folder",
        "bad.jsonl": "bad.jsonl, line 2 is no JSON",
        "torn.jsonl.gz": "cannot be read",
        "torn.parquet": "no readable Parquet",
        "latin.txt": "not UTF-8",
        "deep.json": "is no JSON",
        "fine.jsonl:b": "no text in the fields b",
        "empty": "no file of a known test set",
    }.items():
        with pytest.raises(UserError, match=said):
            read_texts(files_against([str(tmp_path / against)]))


def test_a_prepared_index_is_made_once_and_anew_when_its_texts_change(tmp_path: Path) -> None:
    own = tmp_path / "own.jsonl"
    own.write_bytes(lines({"text": PROMPT}))
    first = prepare_index([str(own)], GramRules(), tmp_path / "cache")
    stamp = first.stat().st_mtime_ns
    assert prepare_index([str(own)], GramRules(), tmp_path / "cache") == first
    assert first.stat().st_mtime_ns == stamp
    assert prepare_index([str(own)], BARE, tmp_path / "cache") != first
    own.write_bytes(lines({"text": SOLUTION}))
    assert prepare_index([str(own)], GramRules(), tmp_path / "cache") != first


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "own.jsonl").write_bytes(lines({"id": "I/1", "prompt": PROMPT, "solution": SOLUTION}))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text("x = 1\n" + SOLUTION)
    (tmp_path / "code" / "b.py").write_text("x = 1\n")
    (tmp_path / "code" / "c.bin").write_bytes(b"\0\1")
    (tmp_path / "rows.jsonl").write_bytes(lines({"messages": [{"content": PROMPT}]}, {"messages": []}))
    command = ["corpus", "decontaminate", str(tmp_path / "code"), str(tmp_path / "rows.jsonl")]
    against = ["--against", f"{tmp_path}/own.jsonl:prompt,solution"]
    assert run([*command, *against, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["documents"], told["contaminated"], told["unread"]) == (3, 2, 1)
    assert told["benchmarks"] == {"own.jsonl": {"documents": 2, "items": 1}}
    first, second = told["matches"]
    assert first["document"].endswith("a.py")
    assert first["matches"][0]["line"] == 2
    assert first["matches"][0]["owners"] == [
        {"benchmark": "own.jsonl", "item": "I/1", "field": "solution", "items": 1}
    ]
    assert second["document"].endswith("rows.jsonl: row 1 messages")
    assert run([*command, *against]) == 0
    out = capsys.readouterr().out
    assert "2 of 3 documents share words with test data" in out
    assert "own.jsonl I/1" in out
    assert run([*command, *against, "--minimum", "1000"]) == 0
    assert "0 of 3" in capsys.readouterr().out
    assert run([*command, "--against", "nowhere"]) == 2
    assert run(["corpus", "decontaminate", str(tmp_path / "nothing"), *against]) == 2


@pytest.fixture(scope="module")
def real() -> Index:
    folders = [
        BENCHMARKS / name
        for name in ("humaneval", "mbpp", "gsm8k", "cruxeval", "multipl-e", "spider", "safim")
    ]
    missing = [folder.name for folder in folders[:-1] if not folder.is_dir()]
    if missing:
        pytest.skip(
            f"NO REAL TEST SETS: {BENCHMARKS} lacks {', '.join(missing)}; decontamination was tried on made ones only"
        )
    return build_index(read_texts(files_against([str(folder) for folder in folders[:-1]])))


def test_every_item_of_real_test_sets_is_found_in_a_changed_copy(real: Index) -> None:
    counts = real.names["counts"]
    assert counts["items"] > 6000
    assert counts["items_without_runs"] <= 0.01 * counts["items"]
    with gzip.open(BENCHMARKS / "humaneval" / "HumanEval.jsonl.gz", "rt") as stream:
        rows = [json.loads(line) for line in stream]
    copies = [
        "# x\n" + re.sub(r"([(),:])", r" \1 ", row["prompt"] + row["canonical_solution"]) for row in rows
    ]
    found = contaminated(copies, real)
    for row, matches in zip(rows, found):
        # HumanEval/56 and /61 differ in brackets alone; a run names the first item that has it.
        name = "HumanEval/56" if row["task_id"] == "HumanEval/61" else row["task_id"]
        assert any(owner.item == name for match in matches for owner in match.owners)
    bodies = contaminated([row["canonical_solution"] for row in rows], real)
    assert sum(map(bool, bodies)) > 0.85 * len(rows)


def test_real_source_code_is_seldom_test_data(real: Index) -> None:
    library = sorted(Path(json.__file__).parent.parent.glob("[a-m]*.py"))
    sources = [path.read_text(encoding="utf-8") for path in library]
    assert len(sources) > 50
    assert sum(map(bool, contaminated(sources, real))) <= 0.06 * len(sources)
