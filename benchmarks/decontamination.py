"""Speed of decontamination on real source: codekiln's scan beside plain Python doing the same, in one run.

    python benchmarks/decontamination.py --against ../shared/benchmarks [SOURCE]... [--json] [--out FILE]

SOURCE: folders of source code; by default the standard library and the installed packages of this Python. Both look
for the same runs of ten words in the same texts, held in memory: reading files is timed apart. The peer is what a
script does: `re.findall` for the words, a set of joined ten-word strings.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codekiln.corpus.decontamination.build import GramRules, build_index
from codekiln.corpus.decontamination.index import GRAM, Index, open_index, save_index
from codekiln.corpus.decontamination.match import contaminated
from codekiln.corpus.decontamination.notices import without_notices
from codekiln.corpus.decontamination.testfiles import files_against, read_texts
from codekiln.corpus.decontamination.words import encode_text, run_hashes, words_of

ENDINGS = {
    ".py",
    ".pyi",
    ".pyx",
    ".c",
    ".h",
    ".cpp",
    ".hpp",
    ".js",
    ".ts",
    ".java",
    ".go",
    ".rs",
    ".md",
    ".sh",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("sources", nargs="*", type=Path)
    parser.add_argument("--against", action="append", required=True, metavar="PATH[:FIELD,...]")
    parser.add_argument("--megabytes", type=float, default=150, help="most source to look through")
    parser.add_argument("--peer-megabytes", type=float, default=20, help="most source for the peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    texts, read_seconds = read_sources(options.sources, options.megabytes)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    begun = time.process_time()
    table = read_texts(files_against(options.against))
    load_seconds, begun = time.process_time() - begun, time.process_time()
    built = build_index(table, GramRules())
    build_seconds = time.process_time() - begun
    with tempfile.TemporaryDirectory() as folder:
        save_index(built, Path(folder) / "index")
        size = (Path(folder) / "index").stat().st_size / 1e6
        counts = built.names["counts"]
        del built
        index = open_index(str(Path(folder) / "index"))
        scan = [timed(lambda: contaminated(texts, index)) for _ in range(options.rounds)]
        tokens = [timed(lambda: tokenise(texts)) for _ in range(options.rounds)]
        matches = contaminated(texts, index)
        some = first_megabytes(texts, options.peer_megabytes)
        peer = peer_figures(table, some, index)
    result = {
        "source": {"files": len(texts), "megabytes": round(megabytes, 1), "read_seconds": round(read_seconds, 2)},
        "index": {**counts, "texts": table.num_rows, "load_cpu_seconds": round(load_seconds, 1),
                  "build_cpu_seconds": round(build_seconds, 1), "megabytes": round(size, 1)},
        "megabytes_a_cpu_second": {
            "codekiln": round(megabytes / min(cpu for cpu, _ in scan), 1),
            "codekiln_wall": round(megabytes / min(wall for _, wall in scan), 1),
            "words_and_hashes_only": round(megabytes / min(cpu for cpu, _ in tokens), 1),
            **peer,
        },
        "flagged": flagged(matches, len(texts)),
        "peak_resident_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }  # fmt: skip
    text = json.dumps(result, indent=2)
    print(text if options.json else report(result))
    if options.out:
        options.out.write_text(
            (text if options.out.suffix == ".json" else report(result)) + "\n", encoding="utf-8"
        )


def read_sources(sources: list[Path], most: float) -> tuple[list[str], float]:
    paths = sysconfig.get_paths()
    folders = sources or [Path(paths["stdlib"]), Path(paths["purelib"])]
    files = sorted({file for folder in folders for file in folder.rglob("*") if file.suffix in ENDINGS})
    random.Random(0).shuffle(files)
    begun, size, texts = time.perf_counter(), 0, []
    for file in files:
        try:
            data = file.read_bytes()
            if len(data) <= 1 << 20:
                texts.append(data.decode())
                size += len(data)
        except (OSError, UnicodeDecodeError):
            continue
        if size > most * 1e6:
            break
    return texts, time.perf_counter() - begun


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def tokenise(texts: list[str]) -> None:
    for at in range(0, len(texts), 100):
        run_hashes(words_of([encode_text(text) for text in texts[at : at + 100]]).hashes, GRAM)


def first_megabytes(texts: list[str], most: float) -> list[str]:
    size, some = 0, []
    for text in texts:
        size += len(text)
        if size > most * 1e6:
            break
        some.append(text)
    return some


def peer_figures(table: Any, texts: list[str], index: Index) -> dict[str, Any]:
    """Plain Python on the same texts, and whether it flags the same ones (of ten words; short items apart)."""
    word = re.compile(r"[0-9a-z_\x80-\U0010ffff]+")

    def runs(text: str) -> set[str]:
        words = word.findall(text.lower())
        return {" ".join(words[at : at + GRAM]) for at in range(len(words) - GRAM + 1)}

    known: set[str] = set()
    for text in dict.fromkeys(table.column("text").to_pylist()):
        known |= {run for run in runs(without_notices(text)) if lettered(run)}
    cpu, _ = timed(lambda: [bool(runs(text) & known) for text in texts])
    theirs = [bool(runs(text) & known) for text in texts]
    ours = [any(match.gram.count(" ") == GRAM - 1 for match in found) for found in contaminated(texts, index)]
    agree = sum(a == b for a, b in zip(theirs, ours))
    return {
        "plain_python": round(sum(len(text.encode()) for text in texts) / 1e6 / cpu, 2),
        "agreement_with_plain_python": f"{agree} of {len(texts)}",
    }


def lettered(run: str) -> bool:
    return len({word for word in run.split() if not word.replace("_", "").isdigit() and word.strip("_")}) >= 3


def flagged(matches: list[list[Any]], files: int) -> dict[str, Any]:
    sets = Counter(
        name for found in matches for name in {o.benchmark for match in found for o in match.owners}
    )
    grams = Counter(match.gram for found in matches for match in found)
    return {
        "files": sum(map(bool, matches)),
        "share": round(sum(map(bool, matches)) / max(files, 1), 4),
        "at_least": {n: sum(len(found) >= n for found in matches) for n in (2, 3, 5, 10)},
        "by_test_set": dict(sets.most_common(12)),
        "commonest_runs": dict(grams.most_common(12)),
    }


def report(result: dict[str, Any]) -> str:
    rows = [(f"{group}: {name}", value) for group in result if isinstance(result[group], dict)
            for name, value in result[group].items()]  # fmt: skip
    lines = ["| what | figure |", "| --- | --- |"]
    lines += [f"| {name.replace('_', ' ')} | {json.dumps(value)} |" for name, value in rows]
    return "\n".join([*lines, f"| peak resident GiB | {result['peak_resident_gib']} |"])


if __name__ == "__main__":
    main()
