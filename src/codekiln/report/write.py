"""Writing the report into a run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codekiln.report.page import page
from codekiln.report.schema import load


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write `report.json` (sorted keys, finite numbers only) and `report.html`, each whole or not at all.

    Raises:
        RunError: the report does not fit its schema, or the disk refuses the files.
    """
    from codekiln.shards.disk import write_bytes

    checked = load(report)
    data = json.dumps(
        checked.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False
    )
    html = page(checked)
    write_bytes(folder / "report.json", (data + "\n").encode())
    write_bytes(folder / "report.html", html.encode())
