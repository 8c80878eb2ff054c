"""Licence files: how many are recognised, and how fast, on the labelled ones of the installed packages.

    python benchmarks/licenses.py [--json] [--rounds N] [FOLDER...]

The labels are those of PEP 639: packages that state a `License-Expression` and exactly one `License-File`, of the
running environment and of wheels (`*.whl`) in the given folders. Times are of one core's processor time.
"""

from __future__ import annotations

import argparse
import email
import importlib.metadata
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from codekiln.corpus import licenses
from codekiln.corpus.licenses.expressions import base_id

Row = tuple[str, str, bytes]


def installed() -> Iterator[Row]:
    for package in importlib.metadata.distributions():
        expression = package.metadata.get("License-Expression")
        named = package.metadata.get_all("License-File") or []
        for path in (package.files or []) if expression and len(named) == 1 else []:
            folder = path.parts[0]
            if folder.endswith(".dist-info") and path.as_posix() == f"{folder}/licenses/{named[0]}":
                yield package.metadata["Name"], str(expression), Path(str(path.locate())).read_bytes()


def wheels(folder: Path) -> Iterator[Row]:
    for path in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(path) as wheel:
            names = wheel.namelist()
            inner = next((n for n in names if n.count("/") == 1 and n.endswith(".dist-info/METADATA")), "")
            message = email.message_from_bytes(wheel.read(inner)) if inner else email.message.Message()
            named = message.get_all("License-File") or []
            place = inner.replace("METADATA", f"licenses/{named[0]}") if len(named) == 1 else ""
            if message["License-Expression"] and place in names:
                yield str(message["Name"]), str(message["License-Expression"]), wheel.read(place)


def measure(rows: list[Row], rounds: int) -> dict[str, object]:
    """Accuracy by licence set (without -only and -or-later, which no text states) and files a second."""
    licenses.identify(b"")
    wrong, times = [], []
    for _ in range(rounds):
        start = time.process_time()
        found = [licenses.identify(data) for _, _, data in rows]
        times.append(time.process_time() - start)
    for (package, expression, _), one in zip(rows, found):
        parsed = licenses.parse_expression(expression)
        stated = {base_id(name) for name in parsed[0]} if parsed else set()
        if {base_id(name) for name in one.ids} != stated:
            wrong.append({"package": package, "stated": expression, "found": list(one.ids)})
    size = sum(len(data) for _, _, data in rows)
    best = min(times)
    return {
        "files": len(rows),
        "right": len(rows) - len(wrong),
        "accuracy": round(1 - len(wrong) / len(rows), 4),
        "files_per_second": round(len(rows) / best),
        "megabytes_per_second": round(size / best / 1e6, 2),
        "mean_bytes": round(size / len(rows)),
        "wrong": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, help="folders with wheels")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest counts")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = {name.lower(): (name, expression, data) for name, expression, data in installed()}
    for folder in options.folders:
        rows |= {name.lower(): (name, expression, data) for name, expression, data in wheels(folder)}
    if not rows:
        raise SystemExit("no installed package states a licence and one file of it (PEP 639)")
    result = measure([rows[name] for name in sorted(rows)], options.rounds)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{result['right']} of {result['files']} right; {result['files_per_second']} files/s,"
          f" {result['megabytes_per_second']} MB/s, {result['mean_bytes']} bytes a file")  # fmt: skip
    for one in result["wrong"]:  # type: ignore[attr-defined]
        print(f"  {one['package']}: states {one['stated']}, found {', '.join(one['found']) or 'nothing'}")


if __name__ == "__main__":
    main()
