"""Building a dataset from a corpus: budget, determinism, isolation, resume, and what a row holds."""

from __future__ import annotations

import json
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from codekiln import formats
from codekiln.dataset import tokenise
from codekiln.dataset.build import build_dataset
from codekiln.dataset.config import DatasetConfig
from codekiln.dataset.inspect import render_row
from codekiln.dataset.stats import stats
from codekiln.errors import UserError
from codekiln.modeling.tokenizer import load_tokenizer
from codekiln.shards import Dataset, LocalExecutor

Corpus = Callable[..., Path]
CONFIG = DatasetConfig(length=256, repository_length=512)
CONTROLS = set(formats.CONTROL_IDS.values())
LITERAL = "STOPS = ['<|endoftext|>', '<|fim_prefix|>', '<|fim_middle|>', '<|file_sep|>', '<|im_end|>']\n"


@pytest.fixture
def sources() -> list[tuple[str, str, str]]:
    """Real modules, a file that spells out control tokens, CRLF, decomposed accents, a long line, a lone file."""
    folder = Path(textwrap.__file__).parent
    names = [
        "textwrap.py",
        "bisect.py",
        "json/decoder.py",
        "json/encoder.py",
        "json/scanner.py",
        "heapq.py",
        "cmd.py",
    ]
    files = [("lib", name, (folder / name).read_text(encoding="utf-8")) for name in names]
    return [
        *files,
        ("lib", "json/stops.py", LITERAL * 30),
        ("lib", "windows.py", files[1][2].replace("\n", "\r\n")),
        ("lib", "accents.py", "cafe\u0301 = 'na\u0308he'\n" * 80),
        ("lib", "table.py", "TABLE = '" + "日本語👍🏽 " * 700 + "'\n"),
        ("alone", "only.py", "def only():\n    return 'lonely'\n"),
    ]


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: list(Dataset.open(folder / name).rows()) for name in ("file", "repository")}


def hashes(folder: Path) -> list[str]:
    return [Dataset.open(folder / name).content_hash for name in ("file", "repository")]


def split(row: dict[str, Any]) -> Iterator[tuple[list[int], list[int], list[int], str, str]]:
    """Documents of a row: ids, mask, kinds, source, form."""
    start = 0
    for length, source, form in zip(row["lengths"], row["documents"], row["forms"], strict=True):
        end = start + length
        yield row["input_ids"][start:end], row["loss_mask"][start:end], row["kinds"][start:end], source, form
        start = end
    assert start == len(row["input_ids"]) == len(row["loss_mask"]) == len(row["kinds"])


def test_rows_hold_the_budget_and_whole_documents(
    tmp_path: Path, make_corpus: Corpus, pico_checkpoint: Path, sources: list
) -> None:
    heldout = [("lib", "json/tool.py", "HELD_OUT_MARKER = 1\n" * 50)]
    build_dataset(
        tmp_path / "ds", make_corpus(sources, heldout), pico_checkpoint, CONFIG, tokens=24_000, seed=3
    )
    tokenizer = load_tokenizer(pico_checkpoint)
    contents = {f"{repo}:{path}": unicodedata.normalize("NFC", text) for repo, path, text in sources}
    rows = read(tmp_path / "ds")
    for level, length, budget in (("file", 256, 18_000), ("repository", 512, 6_000)):
        tokens = sum(len(row["input_ids"]) for row in rows[level])
        assert budget <= tokens < budget + length
        assert [row["row"] for row in rows[level]] == list(range(len(rows[level])))
        assert all(len(row["input_ids"]) <= length for row in rows[level])
    documents = [document for level in rows.values() for row in level for document in split(row)]
    for ids, mask, kinds, source, form in documents:
        text = contents[source.split("\n")[-1]]
        controls = [number for number in ids if number in CONTROLS]
        assert mask[0] == 0
        assert all(bit == 0 for bit, kind in zip(mask, kinds, strict=True) if kind == formats.Kind.SENTINEL)
        assert Counter(kinds)[formats.Kind.SENTINEL] + Counter(kinds)[formats.Kind.END] == len(controls)
        if form.startswith("repository:"):
            assert ids[0] == 151663
            assert controls.count(151664) == len(source.split("\n")) > 1
            # the target begins behind the last path line
            start = len(ids) - ids[::-1].index(151664)
            path = tokenizer.encode(source.split("\n")[-1].partition(":")[2] + "\n")
            assert ids[start : start + len(path)] == path
            ids, mask = ids[start + len(path) :], mask[start + len(path) :]
        if "fim:" in form:
            assert [number for number in ids if number in CONTROLS] == [151659, 151661, 151660, 151643]
            assert ids[0] == 151659
            assert ids[-1] == 151643
            assert mask[-1] == 1
            cuts = [ids.index(number) for number in (151659, 151661, 151660, 151643)]
            prefix, suffix, middle = (tokenizer.decode(ids[a + 1 : b]) for a, b in pairwise(cuts))
            assert prefix + middle + suffix in text
            assert (middle == "") == form.endswith("empty")
        else:
            whole = ids[:-1] if ids[-1] == 151643 else ids
            assert tokenizer.decode(whole) in text
            assert CONTROLS.isdisjoint(whole)
            if ids[-1] == 151643:
                assert text.endswith(tokenizer.decode(whole))
    assert any("stops.py" in source for *_, source, _ in documents)
    assert not any("tool.py" in source for *_, source, _ in documents)
    everything = "".join(render_row(row, tokenizer) for level in rows.values() for row in level)
    assert "HELD_OUT_MARKER" not in everything
    assert "⟦fim_middle⟧" in everything


class Dying(LocalExecutor):
    """Ends the run after some tasks, as a kill would: shards that stand stay in the partial folder."""

    def run(
        self, function: Callable[[Any], Any], tasks: Sequence[Any], *, apart: bool = False
    ) -> Iterator[tuple[int, Any]]:
        for position, result in super().run(function, tasks):
            self.left[0] -= 1  # type: ignore[attr-defined]
            if self.left[0] < 0:  # type: ignore[attr-defined]
                raise KeyboardInterrupt
            yield position, result


def test_same_bytes_for_any_worker_count_and_after_kills(
    tmp_path: Path, make_corpus: Corpus, pico_checkpoint: Path, sources: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codekiln.dataset.build.ROWS_PER_SHARD", 16)
    monkeypatch.setattr("codekiln.dataset.build.CHUNK", 4)
    corpus = make_corpus(sources)

    def make(name: str, executor: Any = None) -> Path:
        build_dataset(
            tmp_path / name, corpus, pico_checkpoint, CONFIG, tokens=12_000, seed=3, executor=executor
        )
        return tmp_path / name

    one = make("one")
    two = make("two", LocalExecutor(2))
    assert hashes(one) == hashes(two)
    assert sorted(path.name for path in one.iterdir()) == ["file", "repository"]
    kills = 0
    for survived in (0, 3, 6):
        dying = Dying(1)
        object.__setattr__(dying, "left", [survived])
        try:
            make("killed", dying)
        except KeyboardInterrupt:
            kills += 1
    assert kills == 3
    assert hashes(make("killed")) == hashes(one)
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == ["file", "repository"]
    manifests = [json.loads((folder / "file" / "manifest.json").read_text()) for folder in (one, two)]
    assert manifests[0] == manifests[1]


def test_a_finished_dataset_is_not_made_again_and_another_configuration_is(
    tmp_path: Path, make_corpus: Corpus, pico_checkpoint: Path, sources: list
) -> None:
    corpus, folder = make_corpus(sources), tmp_path / "ds"
    build_dataset(folder, corpus, pico_checkpoint, CONFIG, tokens=2_000, seed=0)
    before, stamp = hashes(folder), (folder / "file" / "manifest.json").stat().st_mtime_ns
    build_dataset(folder, corpus, pico_checkpoint, CONFIG, tokens=2_000, seed=0)
    assert (folder / "file" / "manifest.json").stat().st_mtime_ns == stamp
    build_dataset(folder, corpus, pico_checkpoint, CONFIG, tokens=2_000, seed=1)
    assert hashes(folder) != before


def test_a_small_budget_sees_a_random_part_that_depends_on_the_seed(
    tmp_path: Path, make_corpus: Corpus, pico_checkpoint: Path
) -> None:
    corpus = make_corpus([("lib", f"f{n:03d}.py", f"value = {n}\n" * 60) for n in range(150)], per_shard=50)
    config = CONFIG.model_copy(update={"repository_share": 0.0})
    seen = []
    for seed in (0, 1):
        build_dataset(tmp_path / f"{seed}", corpus, pico_checkpoint, config, tokens=2_000, seed=seed)
        rows = read(tmp_path / f"{seed}")
        seen.append({source for row in rows["file"] for source in row["documents"]})
        assert not rows["repository"]
    assert 5 <= len(seen[0]) < 40
    assert seen[0] != seen[1]
    assert max(seen[0]) > "lib:f050.py"


def test_every_document_comes_once_an_epoch_with_fresh_decisions(
    tmp_path: Path, make_corpus: Corpus, pico_checkpoint: Path
) -> None:
    files = [("lib", f"f{n:02d}.py", f"def value_{n}(a):\n    return a + {n}\n" * 4) for n in range(40)]
    config = CONFIG.model_copy(update={"repository_share": 0.0})
    build_dataset(tmp_path / "ds", make_corpus(files), pico_checkpoint, config, tokens=12_000, seed=0)
    figures = stats(tmp_path / "ds")
    rows = read(tmp_path / "ds")["file"]
    order = [source for row in rows for source in row["documents"]]
    counts = Counter(order)
    assert figures["epochs"] >= 3
    assert len(counts) == 40
    assert max(counts.values()) - min(counts.values()) <= 2
    assert order[:10] != sorted(order[:10])
    forms = [
        form for row in rows for source, form in zip(row["documents"], row["forms"]) if source == "lib:f00.py"
    ]
    assert len(set(forms)) > 1


def test_without_a_second_file_the_whole_budget_goes_to_file_rows(
    tmp_path: Path, make_corpus: Corpus, pico_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = make_corpus([("one", "only.py", "def only(a):\n    return a\n" * 20)])
    build_dataset(tmp_path / "ds", corpus, pico_checkpoint, CONFIG, tokens=3_000, seed=0)
    figures = stats(tmp_path / "ds")
    assert "no repository has a second training file" in capsys.readouterr().err
    assert figures["levels"]["file"]["tokens"] >= 3_000
    assert figures["levels"]["repository"]["rows"] == 0
    assert figures["levels"]["repository"]["counters"]["files_without_context"] == 1


def test_stats_agree_with_the_rows(
    tmp_path: Path, make_corpus: Corpus, pico_checkpoint: Path, sources: list
) -> None:
    build_dataset(tmp_path / "ds", make_corpus(sources), pico_checkpoint, CONFIG, tokens=20_000, seed=0)
    rows = [row for level in read(tmp_path / "ds").values() for row in level]
    figures = stats(tmp_path / "ds")
    assert figures["rows"] == len(rows)
    assert figures["tokens"] == sum(len(row["input_ids"]) for row in rows)
    assert figures["targets"] == sum(sum(row["loss_mask"]) for row in rows)
    assert figures["documents"] == sum(figures["forms"].values()) == sum(len(row["lengths"]) for row in rows)
    assert figures["fim_share"] == sum(figures["spans"].values()) / figures["documents"]
    assert 0.9 < figures["fill"] <= 1
    assert figures["files"] == len({s for row in rows for d in row["documents"] for s in d.split("\n")})
    assert json.loads(json.dumps(figures)) == figures


def test_the_loss_on_middles_leaves_context_out(
    tmp_path: Path, make_corpus: Corpus, pico_checkpoint: Path, sources: list
) -> None:
    config = CONFIG.model_copy(update={"loss": "middle", "fim_rate": 1.0, "repository_fim_rate": 1.0})
    build_dataset(tmp_path / "ds", make_corpus(sources), pico_checkpoint, config, tokens=8_000, seed=0)
    context = {int(formats.Kind.CONTEXT), int(formats.Kind.REPOSITORY), int(formats.Kind.SENTINEL)}
    for level in read(tmp_path / "ds").values():
        for row in level:
            assert all(kept == (kind not in context) for kept, kind in zip(row["loss_mask"], row["kinds"]))


@pytest.mark.parametrize("text", ["", "\n\n\n"])
def test_files_without_text(tmp_path: Path, make_corpus: Corpus, pico_checkpoint: Path, text: str) -> None:
    good = [("r", f"g{n}.py", f"value = {n}\n" * 20) for n in range(3)]
    corpus = make_corpus([("r", "empty.py", text), *good])
    build_dataset(tmp_path / "ds", corpus, pico_checkpoint, CONFIG, tokens=1_500, seed=0)
    assert stats(tmp_path / "ds")["tokens"] >= 1_500
    only = make_corpus([("r", "empty.py", "")], name="only")
    with pytest.raises(UserError, match="hold no text"):
        build_dataset(tmp_path / "none", only, pico_checkpoint, CONFIG, tokens=100, seed=0)


def test_a_file_that_cannot_be_tokenised_costs_itself(
    tmp_path: Path, make_corpus: Corpus, pico_checkpoint: Path, sources: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows_of = tokenise.windows_of

    def poisoned(identity: str, text: str, *rest: Any) -> Any:
        if "TABLE = " in text:
            raise RecursionError("too deep")
        return windows_of(identity, text, *rest)

    monkeypatch.setattr(tokenise, "windows_of", poisoned)
    build_dataset(tmp_path / "ds", make_corpus(sources), pico_checkpoint, CONFIG, tokens=20_000, seed=0)
    seen = {source for row in read(tmp_path / "ds")["file"] for source in row["documents"]}
    assert "lib:table.py" not in seen
    assert "lib:cmd.py" in seen
    counters = Dataset.open(tmp_path / "ds" / "file").manifest.counters
    assert counters["left out, it failed (too deep): lib:table.py"] >= 1
    assert any("lib:table.py" in name for name in stats(tmp_path / "ds")["levels"]["file"]["counters"])


def test_mistakes_get_one_line(tmp_path: Path, make_corpus: Corpus, pico_checkpoint: Path) -> None:
    with pytest.raises(UserError, match="is not a codekiln dataset"):
        build_dataset(tmp_path / "ds", tmp_path, pico_checkpoint, CONFIG, tokens=100, seed=0)
    with pytest.raises(UserError, match="at least 1"):
        build_dataset(tmp_path / "ds", tmp_path, pico_checkpoint, CONFIG, tokens=0, seed=0)
    (tmp_path / "made/dataset").mkdir(parents=True)
    (tmp_path / "made/dataset/manifest.json").write_text("{}")
    with pytest.raises(UserError, match=r"there is no folder .*x; there is one in .*made"):
        Dataset.open(tmp_path / "made/x/dataset")
    with pytest.raises(UserError, match=r"there is no folder .*nothing"):
        stats(tmp_path / "nothing")
