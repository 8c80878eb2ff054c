"""Near-duplicates in real source: codekiln beside datatrove's MinHash, in one run on the same texts.

    python benchmarks/near_duplicates.py [SOURCE]... [--megabytes 30] [--json] [--out FILE]

SOURCE: folders of source code; by default the installed packages of this Python. Texts are held in memory; one process,
one thread; CPU seconds. datatrove's four stages run as its executor would run them: as it comes (its normalisation, words
by spaCy, 14 bands of 8 rows; left out without spaCy), then with our words in place of its own, by its 14 bands and by our
34. Recall and precision are those of pairs in one group against brute force, on real files with constructed near copies among them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import re
import sysconfig
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from codekiln.corpus import minhash
from codekiln.corpus.neardup import near_groups

ENDINGS = {".py", ".pyi", ".c", ".h", ".cpp", ".hpp", ".js", ".ts", ".java", ".go", ".rs", ".md", ".sh"}
THRESHOLD = 0.7
_WORD = re.compile(r"[0-9a-z_\x80-\U0010ffff]+")
Groups = list[list[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("sources", nargs="*", type=Path)
    parser.add_argument("--megabytes", type=float, default=30, help="most source for the speed")
    parser.add_argument(
        "--sample", type=int, default=250, help="real files, with five copies each, for the recall"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of codekiln; a peer runs once a configuration")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    texts = read_sources(options.sources or [Path(sysconfig.get_paths()["purelib"])], options.megabytes)
    labelled = with_copies(texts, options.sample)
    truth = brute_force(labelled)
    engines: dict[str, Callable[[list[str]], tuple[Groups, dict[str, float]]]] = {"codekiln": ours}
    if importlib.util.find_spec("datatrove"):
        if importlib.util.find_spec("spacy"):
            engines["datatrove as it comes"] = lambda some: datatrove(some, 14, own_words=True)
        engines["datatrove, our words"] = lambda some: datatrove(some, 14)
        engines["datatrove, our words and bands"] = lambda some: datatrove(some, minhash.BANDS)
    else:
        print("datatrove is not installed, so that there is no peer: pip install datatrove spacy 'xxhash<4'")
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    result: dict[str, Any] = {
        "source": {"files": len(texts), "megabytes": round(megabytes, 1)},
        "labelled": {
            "files": len(labelled),
            **{f"pairs at {floor}": n for floor, n in counted(truth).items()},
        },
    }
    for name, engine in engines.items():
        runs = []
        for _ in range(options.rounds if engine is ours else 1):
            begun = time.process_time()
            groups, parts = engine(texts)
            runs.append((time.process_time() - begun, parts, groups))
        seconds, parts, groups = min(runs, key=lambda run: run[0])
        result[name] = {
            "cpu_seconds": round(seconds, 2),
            "megabytes_a_cpu_second": round(megabytes / seconds, 2),
            "parts": {part: round(value, 2) for part, value in parts.items()},
            "dropped": sum(len(group) - 1 for group in groups),
            **judged(engine(labelled)[0], truth, labelled),
        }
    for name in list(engines)[1:]:
        ratio = result[name]["cpu_seconds"] / result["codekiln"]["cpu_seconds"]
        result["codekiln"][f"times {name}"] = round(ratio, 1)
    text = json.dumps(result, indent=2)
    print(text if options.json else report(result))
    if options.out:
        written = text if options.out.suffix == ".json" else report(result)
        options.out.write_text(written + "\n", encoding="utf-8")


def read_sources(folders: list[Path], most: float) -> list[str]:
    files = sorted({file for folder in folders for file in folder.rglob("*") if file.suffix in ENDINGS})
    random.Random(0).shuffle(files)
    texts, size = [], 0
    for file in files:
        try:
            data = file.read_bytes()
            if 0 < len(data) <= 1 << 20:
                texts.append(data.decode())
                size += len(data)
        except (OSError, UnicodeDecodeError):
            continue
        if size > most * 1e6:
            break
    return texts


def with_copies(texts: list[str], count: int) -> list[str]:
    """Some real files, each with five copies in which 0.2 to 4 % of the words are others."""
    draw = random.Random(5)
    found = []
    for text in draw.sample(texts, min(count, len(texts))):
        pieces = re.split(r"(\W+)", text[:20_000])
        for share in (0, 0.002, 0.005, 0.01, 0.02, 0.04):
            found.append("".join(draw.choice(pieces) if draw.random() < share else piece for piece in pieces))
    return found


def brute_force(texts: list[str]) -> dict[tuple[int, int], float]:
    """The true Jaccard similarity of every pair of files that is 0.5 and more."""
    sets = [minhash.shingles(text.encode()) for text in texts]
    keys = np.concatenate(sets)
    owners = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    order = np.argsort(keys, kind="stable")
    keys, owners = keys[order], owners[order]
    sizes = np.array([len(one) for one in sets])
    found: dict[tuple[int, int], float] = {}
    for number, grams in enumerate(sets):
        first, last = np.searchsorted(keys, grams, "left"), np.searchsorted(keys, grams, "right")
        hits = [owners[start:end] for start, end in zip(first, last)]
        common = np.bincount(np.concatenate(hits) if hits else [], minlength=len(sets)).astype(np.int64)
        scores = common / np.maximum(len(grams) + sizes - common, 1)
        for other in np.flatnonzero(scores >= 0.5).tolist():
            if other > number:
                found[number, other] = float(scores[other])
    return found


def counted(truth: dict[tuple[int, int], float]) -> dict[float, int]:
    return {floor: sum(score >= floor for score in truth.values()) for floor in (0.7, 0.8)}


def judged(groups: Groups, truth: dict[tuple[int, int], float], texts: list[str]) -> dict[str, float]:
    """Recall of the pairs at 0.7 and 0.8; the share of pairs in one group that are at 0.7, at 0.5, or joined by others."""
    together = {pair for group in groups for pair in combinations(sorted(group), 2)}
    recall = {
        f"recall at {floor}": sum(pair in together for pair, score in truth.items() if score >= floor)
        / number
        for floor, number in counted(truth).items()
    }
    near = sum(truth.get(pair, 0) >= THRESHOLD for pair in together) / max(len(together), 1)
    loose = sum(pair in truth for pair in together) / max(len(together), 1)
    return {name: round(value, 4) for name, value in
            {**recall, "pairs at 0.7 in groups": near, "pairs at 0.5 in groups": loose}.items()}  # fmt: skip


def ours(texts: list[str]) -> tuple[Groups, dict[str, float]]:
    """As `corpus build` does it: band hashes of tables of files, candidates, true Jaccard of each pair."""
    begun = time.process_time()
    bands: list[Any] = [np.empty(0, np.uint64)] * len(texts)
    for start in range(0, len(texts), 2_000):
        some = texts[start : start + 2_000]
        ids = [str(number) for number in range(start, start + len(some))]
        kinds = ["file"] * len(some)
        table = pa.table({"id": ids, "kind": kinds, "content": pa.array(some, pa.large_string())})
        for row, values in zip(*minhash.matrix(minhash.band_table(table)["bands"], minhash.BANDS)):
            bands[start + row] = values
    middle = time.process_time()
    groups = near_groups(
        bands, lambda numbers: {n: minhash.shingles(texts[n].encode()) for n in numbers}, THRESHOLD
    )
    return groups, {"bands": middle - begun, "groups": time.process_time() - middle}


def datatrove(texts: list[str], bands: int, *, own_words: bool = False) -> tuple[Groups, dict[str, float]]:
    """datatrove's stages one to four in this process, one task; where words are ours its normalisation is off."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.utils.logging import logger
    from datatrove.utils.text import TextNormConfig
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Words(WordTokenizer):
        def word_tokenize(self, text: str) -> list[str]:
            return _WORD.findall(text)

        def sent_tokenize(self, text: str) -> list[str]:
            return [text]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return [(0, len(text))]

    logger.remove()
    plain = TextNormConfig() if own_words else TextNormConfig(True, False, False, False, False)
    config = MinhashConfig(n_grams=5, num_buckets=bands, hashes_per_bucket=8, norm_config=plain)
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    parts: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def stage(part: str, work: Callable[[], object]) -> None:
            begun = time.process_time()
            work()
            parts[part] = time.process_time() - begun

        signature = MinhashDedupSignature(str(folder / "1"), config, language="eng" if own_words else Words())
        stage("signatures", lambda: signature.run(iter(documents), 0, 1))
        buckets = MinhashDedupBuckets(str(folder / "1"), str(folder / "2"), config=config)
        stage("buckets", lambda: [buckets.run(None, rank, bands) for rank in range(bands)])
        cluster = MinhashDedupCluster(str(folder / "2"), str(folder / "3"), config, save_cluster_id=True)
        stage("clusters", lambda: cluster.run(None, 0, 1))
        keep = MinhashDedupFilter(str(folder / "3"), load_cluster_ids=True)
        found: dict[int, list[int]] = {}
        stage("filter", lambda: sum(1 for _ in keep.run(iter(documents), 0, 1)))
        for number, document in enumerate(documents):
            cluster_id = document.metadata.get("minhash_cluster_id", -1)
            if cluster_id >= 0:
                found.setdefault(cluster_id, []).append(number)
    return list(found.values()), parts


def report(result: dict[str, Any]) -> str:
    engines = [name for name in result if name not in ("source", "labelled")]
    lines = [f"Source: {result['source']}. Labelled: {result['labelled']}.", ""]
    lines += ["| | " + " | ".join(engines) + " |", "| --- |" + " --- |" * len(engines)]
    keys = dict.fromkeys(key for name in engines for key in result[name])
    for key in keys:
        values = (result[name].get(key, "") for name in engines)
        cells = (
            ", ".join(f"{k} {v}" for k, v in one.items()) if isinstance(one, dict) else one for one in values
        )
        lines.append(f"| {key.replace('_', ' ')} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
