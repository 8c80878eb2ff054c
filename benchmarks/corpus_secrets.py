"""Secrets and personal data: speed on ordinary source code and accuracy on CredData, beside detect-secrets.

`python benchmarks/corpus_secrets.py` measures speed on the standard library and the installed packages of this Python;
`--creddata DIR --repos DIR` scores both on CredData's labelled lines as well (see benchmarks/README.md). No value of
a secret is printed or kept; detect-secrets reads its files from a temporary folder and verifies nothing online.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from corpus_secrets_creddata import Labelled, load

from codekiln.corpus import languages
from codekiln.corpus.secrets import find

#: Tool -> function of (path, text) that gives the 1-based lines on which it reports a secret.
Tool = Callable[[str, str], set[int]]
_MAX_BYTES = 1_000_000


def ours(path: str, text: str) -> set[int]:
    lines: set[int] = set()
    for one in find(text, path, languages.detect(path, text)):
        if one.kind not in ("email", "ip"):
            lines.update(range(one.line, one.line + text.count("\n", one.start, one.end) + 1))
    return lines


@contextmanager
def detect_secrets() -> Iterator[Tool]:
    """detect-secrets with its default plugins and filters, without verification."""
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import default_settings

    with default_settings() as settings, tempfile.TemporaryDirectory() as folder:
        settings.disable_filters("detect_secrets.filters.common.is_ignored_due_to_verification_policies")

        def lines(path: str, text: str) -> set[int]:
            file = Path(folder) / Path(path).name
            file.write_text(text, encoding="utf-8", errors="replace", newline="")
            try:
                return {one.line_number for one in scan_file(str(file))}
            finally:
                file.unlink()

        yield lines


def source_files(roots: list[Path]) -> list[tuple[str, str]]:
    """(path, text) of the code below folders: files whose name is that of a language, up to 1 MB."""
    found = []
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.is_symlink() and languages.by_name(path.name):
                data = path.read_bytes()
                if len(data) <= _MAX_BYTES and b"\0" not in data:
                    found.append((str(path.relative_to(root)), data.decode("utf-8", "replace")))
    return found


def speed(
    files: list[tuple[str, str]], megabytes: float, scan: Callable[[str, str], object]
) -> dict[str, float]:
    """MB/s of CPU time over files evenly drawn from all, up to `megabytes` of them."""
    total = sum(len(text) for _, text in files) / 1e6
    chosen = files[:: max(1, int(total / megabytes))]
    size = sum(len(text.encode("utf-8", "replace")) for _, text in chosen) / 1e6
    begun = time.process_time()
    for path, text in chosen:
        scan(path, text)
    seconds = time.process_time() - begun
    return {
        "megabytes": round(size, 2),
        "files": len(chosen),
        "megabytes_per_second": round(size / seconds, 3),
    }


def score(labelled: list[Labelled], tool: Tool) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 by half and over all; a labelled place is found where a reported line lies in it."""
    counts: dict[str, dict[str, int]] = {}
    for file in labelled:
        reported = tool(file.path, file.text)
        marked: set[int] = set()
        for place in file.places:
            lines = set(range(place.first, place.last + 1))
            marked |= lines
            found = bool(lines & reported)
            if place.label == "T":
                outcome = "true_positive" if found else "false_negative"
            else:
                outcome = (
                    ("false_positive" if place.label == "F" else "unknown_reported") if found else "passed"
                )
            for part in (file.half, "all"):
                row = counts.setdefault(part, {})
                row[outcome] = row.get(outcome, 0) + 1
                if outcome == "false_negative" and place.only_uuid:
                    row["missed_bare_uuid"] = row.get("missed_bare_uuid", 0) + 1
        for part in (file.half, "all"):
            row = counts.setdefault(part, {})
            row["unlabelled_lines"] = row.get("unlabelled_lines", 0) + len(reported - marked)
    return {part: {**row, **_rates(row)} for part, row in sorted(counts.items())}


def _rates(row: dict[str, int]) -> dict[str, float]:
    right, wrong, missed = (
        row.get(name, 0) for name in ("true_positive", "false_positive", "false_negative")
    )
    unknown = row.get("unknown_reported", 0)

    def f1(wrong: int, missed: int) -> float:
        return round(2 * right / max(1, 2 * right + wrong + missed), 4)

    return {
        "precision": round(right / max(1, right + wrong), 4),
        "recall": round(right / max(1, right + missed), 4),
        "f1": f1(wrong, missed),
        "f1_with_unknown_as_false": f1(wrong + unknown, missed),
        "f1_without_bare_uuids": f1(wrong, missed - row.get("missed_bare_uuid", 0)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, help="source code (default: this Python's)")
    parser.add_argument("--megabytes", type=float, default=60, help="of source for ours")
    parser.add_argument("--peer-megabytes", type=float, default=2, help="of source for detect-secrets")
    parser.add_argument("--creddata", type=Path, help="checkout of Samsung/CredData (meta/, snapshot.json)")
    parser.add_argument("--repos", type=Path, help="folder of git directories OWNER+NAME")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if (arguments.creddata is None) != (arguments.repos is None):
        parser.error("--creddata and --repos go together")
    peer = importlib.util.find_spec("detect_secrets") is not None
    roots = arguments.folders or [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]
    files = source_files(roots)
    if not files:
        parser.error("no source files in " + ", ".join(map(str, roots)))
    result: dict[str, object] = {
        "speed": {
            "codekiln": speed(
                files, arguments.megabytes, lambda path, text: find(text, path, languages.by_name(path))
            )
        }
    }
    labelled, subset = load(arguments.creddata, arguments.repos) if arguments.creddata else ([], {})
    if labelled:
        result["creddata"] = {"subset": subset, "codekiln": score(labelled, ours)}
    if peer:
        with detect_secrets() as tool:
            result["speed"]["detect-secrets"] = speed(files, arguments.peer_megabytes, tool)  # type: ignore[index]
            if labelled:
                result["creddata"]["detect-secrets"] = score(labelled, tool)  # type: ignore[index]
    if arguments.json:
        print(json.dumps(result, indent=2, sort_keys=True))
        return
    if not peer:
        print("detect-secrets is not installed (pip install 'codekiln[bench]'): left out")
    for name, row in result["speed"].items():  # type: ignore[attr-defined]
        print(
            f"{name:15} {row['megabytes_per_second']:9.2f} MB/s on one core ({row['files']} files, {row['megabytes']} MB)"
        )
    if labelled:
        print(
            f"CredData: {subset['repositories']} repositories at their labelled commits, {subset['places']} labelled lines:"
        )
        print(
            f"{'':15} {'part':9} {'found':>6} {'missed':>6} {'false':>6} {'elsewhere':>9}  P      R      F1"
        )
        for name in ("codekiln", "detect-secrets"):
            for part, row in result["creddata"].get(name, {}).items():  # type: ignore[attr-defined]
                print(
                    f"{name:15} {part:9} {row.get('true_positive', 0):6} {row.get('false_negative', 0):6} "
                    f"{row.get('false_positive', 0):6} {row['unlabelled_lines']:9}  "
                    f"{row['precision']:.3f}  {row['recall']:.3f}  {row['f1']:.3f}"
                )


if __name__ == "__main__":
    main()
