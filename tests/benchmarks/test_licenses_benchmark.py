"""The licence benchmark counts what is right and names what is wrong."""

from __future__ import annotations

import importlib.util
from pathlib import Path

PLACE = Path(__file__).parents[2] / "benchmarks" / "licenses.py"


def test_measure():
    spec = importlib.util.spec_from_file_location("licenses_benchmark", PLACE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    apache = (PLACE.parents[1] / "LICENSE").read_bytes()
    rows = [("right", "Apache-2.0", apache), ("wrong", "GPL-3.0-only", apache)]
    result = module.measure(rows, rounds=1)
    assert (result["files"], result["right"], result["mean_bytes"]) == (2, 1, len(apache))
    assert result["wrong"] == [{"package": "wrong", "stated": "GPL-3.0-only", "found": ["Apache-2.0"]}]
    assert all(len(row) == 3 for row in module.installed())
