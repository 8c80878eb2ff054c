"""Tokenization: MB/s of CPU time and ids, against the libraries that read a Qwen2.5 tokenizer.json.

    python benchmarks/tokenization.py CHECKPOINT                # a folder with tokenizer.json; the installed packages' code
    python benchmarks/tokenization.py CHECKPOINT --megabytes 50 --rounds 5 --json

All get the same texts in batches of 64, without control tokens and without normalization, and give Python lists; they take
turns, one thread each. Peers (each left out with a line where it is not installed): tokenizers, fastokens, gigatoken.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

Encode = Callable[[list[str]], list[list[int]]]
_BATCH = 64


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--folder", type=Path, default=Path(sysconfig.get_path("purelib")))
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    path = options.checkpoint / "tokenizer.json" if options.checkpoint.is_dir() else options.checkpoint
    if not path.is_file():
        parser.error(f"{path} is not there; `codekiln models path NAME` prints a checkpoint's folder")
    texts = list(_texts(options.folder, options.megabytes * 1e6))
    if not texts:
        parser.error(f"{options.folder}: no Python, C, JavaScript or Markdown file in it")
    size = sum(len(text.encode()) for text in texts)
    batches = [texts[at : at + _BATCH] for at in range(0, len(texts), _BATCH)]
    engines = dict(_engines(path))
    rates: dict[str, list[float]] = {name: [] for name in engines}
    wrong: dict[str, int] = {}
    for _ in range(options.rounds):
        reference: list[list[int]] = []
        for name, encode in engines.items():
            begun = time.process_time()
            ids = [row for batch in batches for row in encode(batch)]
            rates[name].append(size / 1e6 / (time.process_time() - begun))
            reference = reference or ids
            wrong[name] = sum(one != other for one, other in zip(ids, reference, strict=True))
    ours = rates["codekiln"]
    document: dict[str, Any] = {
        "texts": len(texts),
        "megabytes": size / 1e6,
        "rounds": options.rounds,
        "engines": {},
    }
    for name, rate in rates.items():
        document["engines"][name] = {
            "megabytes_per_cpu_second": statistics.median(rate),
            "ours_is_faster_by": statistics.median(a / b for a, b in zip(ours, rate)),
            "texts_with_other_ids": wrong[name],
        }
    if options.json:
        print(json.dumps(document, indent=2))
        return 0
    print(f"{len(texts)} texts, {size / 1e6:.1f} MB, median of {options.rounds} rounds")
    for name, row in document["engines"].items():
        print(
            f"{name:12} {row['megabytes_per_cpu_second']:8.1f} MB/CPU-s   ours x{row['ours_is_faster_by']:6.2f}   "
            f"other ids in {row['texts_with_other_ids']} texts"
        )
    return 0


def _texts(folder: Path, budget: float) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".py", ".c", ".h", ".js", ".md", ".pyi", ".pyx") or not path.is_file():
            continue
        try:
            text = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            continue
        yield text
        budget -= len(text)
        if budget < 0:
            return


def _engines(path: Path) -> Iterator[tuple[str, Encode]]:
    """The first is what the others' ids are compared with."""
    plain = json.loads(path.read_text("utf-8"))
    plain |= {"added_tokens": [], "normalizer": None, "truncation": None, "padding": None}
    text = json.dumps(plain)
    import tokenizers

    slow = tokenizers.Tokenizer.from_str(text)
    yield "tokenizers", lambda batch: [one.ids for one in slow.encode_batch_fast(batch)]
    from codekiln.modeling.tokenizer import load_tokenizer

    ours = load_tokenizer(path)
    ours.encode_batch(["x = 1\n" * 400_000])  # what a long run does once is no part of the rate
    yield "codekiln", ours.encode_batch
    try:
        import fastokens

        fast = fastokens.Tokenizer.from_json_str(text)
        yield "fastokens", lambda batch: [one.ids for one in fast.encode_batch(batch)]
    except ImportError:
        print("fastokens is left out: pip install fastokens", file=sys.stderr)
    try:
        import gigatoken

        giga = gigatoken.Tokenizer.from_json(text)
        yield "gigatoken", lambda batch: giga.encode_batch_list(batch, parallel=False)
    except ImportError:
        print("gigatoken is left out: pip install gigatoken", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
