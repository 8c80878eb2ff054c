"""A corpus whose shards are on an object store: the same bytes as in a folder, on every executor, also after a kill."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corpus_kit import mutate, program, repository, write
from test_corpus_conversations import comment, issue, packed

from codekiln.corpus.build import build_corpus
from codekiln.corpus.config import CorpusConfig, SourceConfig
from codekiln.corpus.sources import stage
from codekiln.corpus.sources.stage import build_sources
from codekiln.pipeline.runner import folder_files
from codekiln.shards import Dataset, LocalExecutor, places, stored
from codekiln.shards.store import OUTPUT_MARK

RUN = "run-folder"


class Blind:
    """Runs in this process, and refuses to hand a task anything that names the run's folder."""

    def run(self, function: Any, tasks: Any, *, apart: bool = False) -> Iterator[tuple[int, Any]]:
        for number, task in LocalExecutor(1).run(lambda given: given, list(tasks)):
            assert RUN not in repr((function, task))
            yield number, function(task)


def talk(path: Path) -> Path:
    events = [
        issue(1),
        comment(1, "ann", "It stops where the reader thinks the text ends; see the loop over the lines."),
        comment(1, "ben", "The loop should go on; a null byte is a character like any other in there."),
    ]
    return packed(path, events)


def build_all(out: Path, paths: list[Path], executor: Any, earlier: Path | None = None) -> dict[str, Any]:
    before = {name: earlier / name if earlier else None for name in ("sources", "corpus")}
    config = SourceConfig(paths=tuple(map(str, paths)))
    build_sources(out / "sources", config, seed=0, executor=executor, earlier=before["sources"])
    corpus = CorpusConfig(repository_jaccard=0.9)
    build_corpus(out / "corpus", out / "sources", corpus, seed=0, executor=executor, earlier=before["corpus"])
    return {name: folder_files(out / name) for name in ("sources", "corpus")}


def test_a_corpus_at_an_address_grows_as_one_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "BATCH_BYTES", 12_000)
    folder = write(tmp_path / "code", {f"m{n}.py": program(n) for n in range(24)})
    write(folder, {"copy.py": mutate(program(3), 0.01, 1), "bad.py": b"\xff\xfe\0"})
    more = repository(tmp_path / "repo", {f"r{n}.py": program(100 + n) for n in range(6)})
    first, then = [folder, talk(tmp_path / "e.json.gz")], [more, folder, tmp_path / "e.json.gz"]
    time.sleep(0.03)
    address = f"file://{tmp_path}/store"
    for name in ("one", "two"):
        (tmp_path / RUN / name).mkdir(parents=True)
    (tmp_path / RUN / OUTPUT_MARK).write_text("")
    with stored(tmp_path / RUN, address):
        one = build_all(tmp_path / RUN / "one", first, Blind())
        two = build_all(tmp_path / RUN / "two", then, Blind(), tmp_path / RUN / "one")
    assert one == build_all(tmp_path / "near-one", first, LocalExecutor(1))
    assert two == build_all(tmp_path / "near-two", then, LocalExecutor(1))
    assert not list((tmp_path / RUN).rglob("*.parquet"))
    rows = list(Dataset.open(tmp_path / RUN / "two/sources/files").rows(["kind"]))
    assert {row["kind"] for row in rows} == {"file", "issue"}
    assert (tmp_path / RUN / "two/sources/pieces.json").read_text() == (
        tmp_path / "near-two/sources/pieces.json"
    ).read_text()
    # Events lie there only until they are conversations.
    kinds = {name.partition("/")[0].rpartition("-")[0] for name in places.listing(address)} - {""}
    assert kinds == {"sources", "skipped", "signals", "signatures", "bands", "decisions", "train", "heldout"}


# --- against a server of s3 on a socket ---


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a new bucket; the environment names server and login."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install -e '.[dev]'")
    pytest.importorskip("moto.server", reason="moto is not installed: pip install -e '.[dev]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        }.items():
            patch.setenv(name, value)
        # In a process of its own: moto's threads and patches are none of this one's.
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            limit = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < limit
                    assert server.poll() is None
                    time.sleep(0.05)
            import fsspec

            fsspec.filesystem("s3").mkdir("bucket")
            yield "s3://bucket"
        finally:
            server.kill()
            server.wait()


def command(out: Path, *words: str | Path) -> list[str]:
    fixed = ("--set", "corpus.heldout_minimum=3", "--set", "corpus.licenses=any")
    return [sys.executable, "-m", "codekiln", "corpus", "build", *map(str, words), "-o", str(out), *fixed]


def built(out: Path, *words: str | Path) -> dict[str, tuple[str, str]]:
    """Stage -> (key, hash of its output) after a build that goes well."""
    done = subprocess.run(command(out, *words), capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return hashes(out)


def hashes(out: Path) -> dict[str, tuple[str, str]]:
    records = {name: json.loads((out / name / "stage.json").read_text()) for name in ("sources", "corpus")}
    return {name: (record["key"], record["output_hash"]) for name, record in records.items()}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70 MB of text, of which little is code: several shards."""
    folder = tmp_path_factory.mktemp("code")
    for number in range(80):
        write(
            folder,
            {
                f"p{number % 5}/m{number}.py": program(number, 60),
                f"t{number}.py": f"# {number}\n" + f"# {number} 0123456789 abcdef\n" * 36_000,
            },
        )
    return folder


@pytest.mark.slow
def test_the_hashes_are_those_of_a_folder(s3: str, code: Path, tmp_path: Path) -> None:
    near = built(tmp_path / "near", code, "--workers", "2")
    assert built(tmp_path / "s3", code, "--workers", "2", "--shards", f"{s3}/pool") == near
    assert built(tmp_path / "file", code, "--workers", "2", "--shards", f"file://{tmp_path}/store") == near
    ray = ("--workers", "2", "--executor", "ray")
    assert built(tmp_path / "ray", code, *ray, "--shards", f"{s3}/ray") == near
    assert not [path for name in ("s3", "file", "ray") for path in (tmp_path / name).rglob("*.parquet")]
    train = Dataset.open(tmp_path / "s3/corpus/train")
    train.verify()
    assert len(train.shard_paths) > 1
    assert list(Dataset.open(str(train.place)).rows()) == list(
        Dataset.open(tmp_path / "near/corpus/train").rows()
    )
    told = [
        subprocess.run(
            [sys.executable, "-m", "codekiln", "corpus", *words, "--json"], capture_output=True, text=True, timeout=120
        )
        for name in ("near", "s3")
        for words in (
            ("explain", str(tmp_path / name), "p0/m0.py"),
            ("what-if", str(tmp_path / name), "--set", "max_line_length=50"),
        )
    ]  # fmt: skip
    assert [one.returncode for one in told] == [0] * 4, [one.stderr for one in told]
    assert told[0].stdout == told[2].stdout
    assert told[1].stdout == told[3].stdout
    # Another setting: what it replaces goes from the bucket, what it does not stays.
    before = set(places.listing(f"{s3}/pool"))
    built(
        tmp_path / "s3", code, "--workers", "2", "--shards", f"{s3}/pool", "--set", "corpus.near_jaccard=0.6"
    )
    after = set(places.listing(f"{s3}/pool"))
    homes = {name: {one.partition("/")[0] for one in names} for name, names in (("old", before), ("new", after))}  # fmt: skip
    assert {one.rpartition("-")[0] for one in homes["old"] & homes["new"]} >= {"sources", "signals", "bands"}
    assert {one.rpartition("-")[0] for one in homes["old"] - homes["new"]} == {"train", "heldout", "decisions"}  # fmt: skip
    assert len(homes["old"]) == len(homes["new"])
    # Shards that somebody deleted are made again.
    places.remove(str(Dataset.open(tmp_path / "ray/corpus/train").place), ["part-00000.parquet"])
    assert built(tmp_path / "ray", code, "--workers", "2", "--shards", f"{s3}/ray") == near


@pytest.mark.slow
@pytest.mark.parametrize("aim", ["sources.partial/files.partial", "corpus.partial/signals.partial"])
def test_a_killed_build_goes_on(s3: str, code: Path, tmp_path: Path, aim: str) -> None:
    near = built(tmp_path / "near", code, "--workers", "2")
    address, out = f"{s3}/killed-{aim.partition('.')[0]}", tmp_path / "killed"
    words = command(out, code, "--workers", "2", "--shards", address)
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        limit = time.monotonic() + 200
        while not list((out / aim).glob("part-*.json")):
            assert process.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.002)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    stood = {path.stem for path in (out / aim).glob("part-*.json")}
    home = json.loads((out / aim / "shards.json").read_text())["address"]
    made = {f"{name}.parquet": _written_at(f"{home}/{name}.parquet") for name in stood}
    assert built(out, code, "--workers", "2", "--shards", address) == near
    assert {name: _written_at(f"{home}/{name}") for name in made} == made
    kept = {str(Dataset.open(path.parent).place) for path in out.rglob("manifest.json")}
    names = {name for name in places.listing(address) if name != OUTPUT_MARK}
    assert {f"{address}/{name.partition('/')[0]}" for name in names} == kept
    assert all(name.endswith((".parquet", "manifest.json")) for name in names)


def _written_at(address: str) -> Any:
    import fsspec

    system = fsspec.filesystem("s3")
    system.invalidate_cache()
    return system.info(address)["LastModified"]


@pytest.mark.slow
def test_mistakes_are_one_line(s3: str, tmp_path: Path) -> None:
    source = write(tmp_path / "code", {f"m{n}.py": program(n) for n in range(8)})
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for address, changed, code, message in (
            ("s3://no-such-bucket/x", {}, 2, "nothing is there (a bucket that is missing"),
            (f"{s3}/x", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": str(tmp_path)}, 2, "no login for s3://"),
            (f"{s3}/x", {"AWS_ENDPOINT_URL": nobody}, 1, "cannot be read (Could not connect"),
        ):  # fmt: skip
            done = subprocess.run(
                command(tmp_path / "out", source, "--shards", address),
                capture_output=True, text=True, timeout=120, env=os.environ | changed,
            )  # fmt: skip
            assert done.returncode == code, done.stderr
            assert f"shards at {address}" in done.stderr.splitlines()[-1]
            assert message in done.stderr.splitlines()[-1]
            assert "Traceback" not in done.stderr
