"""The secrets benchmark on a CredData of our own making: labels, halves, rates; no value in its output."""

from __future__ import annotations

import binascii
import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINES = [
    "password = 'hunter2x'",
    "password = input()",
    "token = 'next'",
    "# nothing",
    "password = 'porkchop'",
]
HEADER = [
    "Id",
    "FileID",
    "Domain",
    "RepoName",
    "FilePath",
    "LineStart",
    "LineEnd",
    "GroundTruth",
    "ValueStart",
]


def test_labelled_lines_are_scored_and_no_value_is_printed(tmp_path: Path) -> None:
    git = tmp_path / "repos" / "shop+shop"
    git.mkdir(parents=True)
    (git / "a.py").write_text("\n".join(LINES) + "\n")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=git, env=environment, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=git, capture_output=True, text=True, check=True)
    key = head.stdout.strip() + "0" * 24
    meta = tmp_path / "creddata" / "meta"
    meta.mkdir(parents=True)
    (meta.parent / "snapshot.json").write_text(json.dumps({key: "https://github.com/shop/shop"}))
    file = hashlib.sha256(b"a.py").hexdigest()[:8]
    with (meta / f"{binascii.crc32(bytes.fromhex(key)):08x}.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow([*HEADER, "ValueEnd", "CryptographyKey", "PredefinedPattern", "Category"])
        for number, (line, label) in enumerate([(1, "T"), (2, "F"), (3, "T"), (99, "T")]):
            table.writerow([number, file, "GitHub", "x", "x", line, line, label, "", "", "", "", "Password"])
    script = str(ROOT / "benchmarks" / "corpus_secrets.py")
    data = ["--creddata", str(meta.parent), "--repos", str(tmp_path / "repos")]
    done = subprocess.run(
        [sys.executable, script, str(git), "--peer-megabytes", "0.001", "--json", *data],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    told = json.loads(done.stdout)["creddata"]
    row = told["codekiln"]["all"]
    assert (row["true_positive"], row["false_negative"], row.get("false_positive", 0)) == (1, 1, 0)
    assert (row["unlabelled_lines"], row["precision"], row["recall"]) == (1, 1.0, 0.5)
    assert told["subset"]["rows"] == {"F": 1, "T": 2, "left out": 1}
    assert "hunter2x" not in done.stdout + done.stderr
