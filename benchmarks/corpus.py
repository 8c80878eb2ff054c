"""A corpus from end to end: MB/s a core with everything on, each stage's share, the limit, and the usual libraries.

    python benchmarks/corpus.py                                   # the installed packages of this Python
    python benchmarks/corpus.py FOLDER… --against TESTS --json    # other sources; test sets to decontaminate against
    python benchmarks/corpus.py --peers 2                         # the peers on 2 MB (they are slow); 0 leaves them out

`codekiln corpus build` runs as a process of its own with one worker and its default recipe (every licence, so that nothing
is left out): CPU seconds of that process over the bytes of source it read. The shares come from the same functions over a
sample of the same files, the limit is reading and hashing alone. The peers do one step each, on a sample, one thread.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
from corpus_peers import PEERS

from codekiln.corpus import languages, licenses, minhash, secrets, signals
from codekiln.corpus.sources.decoding import decode
from codekiln.shards import Dataset

Files = list[tuple[str, bytes]]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", nargs="*", default=[sysconfig.get_path("purelib")])
    parser.add_argument("--against", action="append", default=[], help="test sets to decontaminate against")
    parser.add_argument("--sample", type=float, default=20, metavar="MB", help="for the shares")
    parser.add_argument("--peers", type=float, default=1, metavar="MB", help="for the peers; 0: none")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="STAGE.KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        document, files = end_to_end(options, Path(folder))
    sample = take(files, options.sample * 1e6)
    document["steps"] = steps(sample)
    document["limit"] = {"read and hash": rate(sample_again(options.sources, sample), hash_one)}
    if options.peers:
        document["peers"] = peers(take(sample, options.peers * 1e6))
    print(json.dumps(document, indent=2) if options.json else "\n".join(lines(document)))
    return 0


def end_to_end(options: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], Files]:
    """Build the corpus in a process of its own; what it took, and the files that it read."""
    out = folder / "out"
    command = [sys.executable, "-m", "codekiln", "corpus", "build", *options.sources, "-o", str(out)]
    command += ["--workers", "1", "--set", "corpus.licenses=any"]
    for setting in options.settings:
        command += ["--set", setting]
    if options.against:
        # The index is made once and kept in the cache: no part of the rate.
        against = json.dumps(options.against)
        subprocess.run(
            [*command, "--set", f"corpus.against={against}"], check=True, stderr=subprocess.DEVNULL
        )
        shutil.rmtree(out)
        command += ["--set", f"corpus.against={against}"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("`codekiln corpus build` failed; its message is above")
    rows = Dataset.open(out / "sources/files")
    files = [(row["path"], row["content"].encode()) for row in rows.rows(["path", "content"])]
    skipped = Dataset.open(out / "sources/skipped")
    size = sum(len(data) for _, data in files)
    cpu = used.ru_utime + used.ru_stime
    document = {
        "files": len(files),
        "megabytes": size / 1e6,
        "skipped_files": len(skipped),
        "languages": len({row["language"] for row in rows.rows(["language"])}),
        "kept_files": sum(row["kept"] for row in Dataset.open(out / "corpus/decisions").rows(["kept"])),
        "cpu_seconds": cpu,
        "wall_seconds": time.perf_counter() - begun,
        "megabytes_per_cpu_second": size / 1e6 / cpu,
        "peak_gib": used.ru_maxrss / 2**20,
        "decontaminated": bool(options.against),
    }
    return document, files


def take(files: Files, budget: float) -> Files:
    """A seeded sample of so many bytes."""
    chosen = []
    for file in random.Random(0).sample(files, len(files)):
        if budget <= 0:
            break
        chosen.append(file)
        budget -= len(file[1])
    return chosen


def sample_again(sources: Iterable[str], sample: Files) -> Iterable[Path]:
    """The files of a sample on disk, as far as they are found there."""
    wanted = {path for path, _ in sample}
    for source in map(Path, sources):
        for path in (source / name for name in wanted):
            if path.is_file():
                yield path


def hash_one(path: Path) -> int:
    data = path.read_bytes()
    hashlib.blake2b(data, digest_size=16).digest()
    return len(data)


def rate(items: Iterable[Any], function: Callable[[Any], int]) -> float:
    """MB a CPU second of a function that gives the bytes it went through."""
    items = list(items)
    begun = time.process_time()
    size = sum(function(item) for item in items)
    return size / 1e6 / max(time.process_time() - begun, 1e-9)


def steps(sample: Files) -> dict[str, float]:
    """MB a CPU second of each step over a sample, in memory."""
    named = [(path, data, data.decode()) for path, data in sample]

    def over(function: Callable[[str, bytes, str], object]) -> float:
        def one(item: tuple[str, bytes, str]) -> int:
            function(*item)
            return len(item[1])

        return rate(named, one)

    return {
        "decode": over(lambda path, data, text: decode(data)),
        "language": over(lambda path, data, text: languages.detect(path, text)),
        "licence header": over(lambda path, data, text: licenses.from_header(data)),
        "secrets and personal data": over(
            lambda path, data, text: secrets.clean(text, path, languages.by_name(path))
        ),
        "signals": over(
            lambda path, data, text: signals.measure(path, languages.by_name(path) or "", data, text)
        ),
        "near-duplicate signature": signed(sample),
    }


def signed(sample: Files) -> float:
    """MB a CPU second of signatures, of many files at a time as a build makes them."""
    table = pa.table({
        "id": [path for path, _ in sample],
        "content": pa.array([data.decode() for _, data in sample], pa.large_string()),
        "kind": ["file"] * len(sample),
    })  # fmt: skip
    size = sum(len(data) for _, data in sample)
    return rate([table], lambda table: minhash.band_table(table) and size)


def peers(sample: Files) -> dict[str, Any]:
    """MB a CPU second of each library over a sample, and of all of them one after the other."""
    measured: dict[str, Any] = {}
    for name, make in PEERS.items():
        try:
            step = make()
        except ImportError as error:
            print(f"{name} is left out: pip install {error.name}", file=sys.stderr)
            continue
        with step as function:
            begun = time.process_time()
            for path, data in sample:
                function(path, data.decode())
            measured[name] = sum(len(data) for _, data in sample) / 1e6 / (time.process_time() - begun)
    together = 1 / sum(1 / value for value in measured.values()) if measured else None
    return {**measured, "one after the other": together}


def lines(document: dict[str, Any]) -> list[str]:
    whole = document["megabytes_per_cpu_second"]
    said = [
        f"{document['files']:,} files, {document['megabytes']:.0f} MB, {document['languages']} languages; "
        f"{document['kept_files']:,} kept, {document['skipped_files']:,} no source code",
        f"end to end {whole:.1f} MB a CPU second, {document['cpu_seconds']:.0f} CPU s, "
        f"{document['wall_seconds']:.0f} s, peak {document['peak_gib']:.2f} GiB",
        f"limit, read and hash alone: {document['limit']['read and hash']:.0f} MB a CPU second",
    ]
    for name, value in document["steps"].items():
        said.append(f"  {name:26} {value:8.1f} MB a CPU second   {whole / value:6.1%} of the whole")
    for name, value in document.get("peers", {}).items():
        if value:
            said.append(f"  peer {name:36} {value:8.2f} MB a CPU second")
    together = document.get("peers", {}).get("one after the other")
    if together:
        said.append(f"the peers' chain takes {whole / together:.0f} times as long")
    return said


if __name__ == "__main__":
    sys.exit(main())
