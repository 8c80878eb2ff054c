"""Language identification: accuracy on labelled files and files a second, against the peers a user would pick instead.

    python benchmarks/languages.py samples.parquet            # columns: filename, language (of the 92), content
    python benchmarks/languages.py --folder samples/          # or samples/LANGUAGE/FILE
    python benchmarks/languages.py samples.parquet --json

Peers (each left out with a line where it is not installed): go-enry through `enry-python`, Pygments. Their names are
mapped to the report's; a language that is none of the 92 counts as a wrong answer. One thread; the engines take turns.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from codekiln.corpus.languages import LANGUAGES, detect
from codekiln.corpus.sources.decoding import decode

#: (file name, bytes) -> the engine's own name of a language, or None.
Engine = Callable[[str, bytes], str | None]

_OTHER_NAMES = {
    "wolfram language": "mathematica", "visual basic .net": "visual-basic", "vba": "visual-basic",
    "visual basic 6.0": "visual-basic", "lean 4": "lean", "java server pages": "java-server-pages",
    "protocol buffers": "protocol-buffer", "objective-c++": "objectc++", "bash": "shell", "batch file": "batchfile",
    "docker": "dockerfile", "fortran free form": "fortran", "fortranfixed": "fortran", "html+php": "php",
    "restructuredtext": "restructuredtext", "tcsh": "tcsh", "literate coffeescript": "literate-coffeescript",
    "react": "javascript", "tsx": "typescript", "gas": "assembly", "nasm": "assembly", "unix assembly": "assembly",
    "emacslisp": "emacs-lisp", "s": "r", "reg": "", "matlab session": "matlab", "python 2.x": "python",
    "java server page": "java-server-pages", "bluespec bh": "bluespec", "vb.net": "visual-basic",
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parquet", nargs="?", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if (options.parquet is None) == (options.folder is None):
        parser.error("give a Parquet file of labelled samples, or --folder")
    files = _read(options.parquet) if options.parquet else _walk(options.folder)
    files = [row for row in files if row[1] in LANGUAGES]
    if not files:
        print("no file has a label of the 92 languages", file=sys.stderr)
        return 2
    results = {name: _measure(engine, files) for name, engine in _engines().items()}
    document = {"files": len(files), "languages": len({label for _, label, _ in files}), "engines": results}
    if options.json:
        print(json.dumps(document, indent=2, sort_keys=True))
        return 0
    print(f"{document['files']} files in {document['languages']} languages")
    for name, row in results.items():
        print(f"{name:9} {row['accuracy']:7.1%}  {row['files_per_second']:9,.0f} files/s")
    for language, row in sorted(results["codekiln"]["by_language"].items()):
        if row["right"] < row["files"]:
            print(f"  {language:22} {row['right']:4} of {row['files']:4}")
    return 0


def _read(path: Path) -> list[tuple[str, str, bytes]]:
    columns = pq.read_table(path, columns=["filename", "language", "content"]).to_pydict()
    return list(zip(columns["filename"], columns["language"], columns["content"]))


def _walk(folder: Path) -> list[tuple[str, str, bytes]]:
    found = (path for path in sorted(folder.glob("*/*")) if path.is_file())
    return [(path.name, _ours(path.parent.name) or "", path.read_bytes()) for path in found]


def _ours(name: str | None) -> str | None:
    """The report's name of a language that goes by another one."""
    lower = (name or "").lower()
    lower = _OTHER_NAMES.get(lower, lower).replace(" ", "-")
    return lower if lower in LANGUAGES else None


def _measure(engine: Engine, files: list[tuple[str, str, bytes]]) -> dict[str, Any]:
    engine(*(files[0][0], files[0][2]))  # what is loaded at the first call is no part of the rate
    begun = time.process_time()
    found = [engine(name, data) for name, _, data in files]
    seconds = time.process_time() - begun
    total, right = Counter(label for _, label, _ in files), Counter[str]()
    for (_, label, _), answer in zip(files, found):
        right[label] += _ours(answer) == label
    return {
        "accuracy": right.total() / len(files),
        "files_per_second": len(files) / seconds,
        "by_language": {label: {"files": total[label], "right": right[label]} for label in sorted(total)},
    }


def _codekiln(name: str, data: bytes) -> str | None:
    text, _ = decode(data)
    return detect(name, text) if text is not None else None


def _engines() -> dict[str, Engine]:
    engines: dict[str, Engine] = {"codekiln": _codekiln}
    try:
        import enry

        engines["enry"] = lambda name, data: enry.get_language(name.rpartition("/")[2], data)
    except ImportError:
        print("enry is left out: pip install enry-python cffi", file=sys.stderr)
    try:
        from pygments.lexers import guess_lexer_for_filename
        from pygments.util import ClassNotFound

        def pygments(name: str, data: bytes) -> str | None:
            try:
                return guess_lexer_for_filename(name.rpartition("/")[2], data.decode("utf-8", "replace")).name
            except ClassNotFound:
                return None

        engines["pygments"] = pygments
    except ImportError:
        print("pygments is left out: pip install pygments", file=sys.stderr)
    return engines


if __name__ == "__main__":
    sys.exit(main())
