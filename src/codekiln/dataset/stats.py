"""What a dataset consists of, for the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from codekiln.shards import Dataset

#: Levels of training in the order in which the trainer reads them.
LEVELS = ("file", "repository")


def stats(folder: Path) -> dict[str, Any]:
    """Figures of a built dataset, together and for each level.

    Returns:
        `rows`, `tokens`, `targets`, `documents` (counts); `fill` (tokens ÷ rows × row length); `forms` and
        `spans` (documents by form and by kind of FIM middle); `fim_share` and `empty_share` (of all and of the
        FIM documents); `epochs` (number begun); `files` (different files seen); `counters` of the manifest;
        `levels` with the same for "file" and "repository".

    Raises:
        UserError: the folder holds no built dataset.
    """
    levels = {name: _level(Dataset.open(folder / name), name) for name in LEVELS}
    seen: set[str] = set().union(*(level.pop("_seen") for level in levels.values()))
    capacity = sum(level.pop("_capacity") for level in levels.values())
    totals: dict[str, Any] = {
        name: sum(level[name] for level in levels.values())
        for name in ("rows", "tokens", "targets", "documents")
    }
    forms: dict[str, int] = {}
    for level in levels.values():
        for form, count in level["forms"].items():
            forms[form] = forms.get(form, 0) + count
    return {
        **totals,
        "fill": totals["tokens"] / capacity if capacity else 0.0,
        **_shares(forms),
        "epochs": max(level["epochs"] for level in levels.values()),
        "files": len(seen),
        "levels": levels,
    }


def _level(dataset: Dataset, name: str) -> dict[str, Any]:
    config = dataset.manifest.config
    length = config["length"] if name == "file" else config["repository_length"]
    forms: dict[str, int] = {}
    seen: set[str] = set()
    epochs = tokens = targets = 0
    for table in dataset.tables(["epoch", "lengths", "loss_mask", "documents", "forms"]):
        if table.num_rows:
            epochs = max(epochs, int(np.max(table.column("epoch").to_numpy())) + 1)
        tokens += int(np.sum(_flat(table, "lengths").to_numpy()))
        targets += int(np.sum(_flat(table, "loss_mask").to_numpy(), dtype=np.int64))
        for source in _flat(table, "documents").to_pylist():
            seen.update(source.split("\n"))
        for form in _flat(table, "forms").to_pylist():
            forms[form] = forms.get(form, 0) + 1
    capacity = len(dataset) * length
    return {
        "rows": len(dataset),
        "row_length": length,
        "tokens": tokens,
        "targets": targets,
        "documents": sum(forms.values()),
        "fill": tokens / capacity if capacity else 0.0,
        **_shares(forms),
        "epochs": epochs,
        "files": len(seen),
        "counters": dataset.manifest.counters,
        "_seen": seen,
        "_capacity": capacity,
    }


def _flat(table: Any, column: str) -> Any:
    return table.column(column).combine_chunks().flatten()


def _shares(forms: dict[str, int]) -> dict[str, Any]:
    spans: dict[str, int] = {}
    for form, count in forms.items():
        if "fim:" in form:
            kind = form.rsplit(":", 1)[1]
            spans[kind] = spans.get(kind, 0) + count
    documents, fim = sum(forms.values()), sum(spans.values())
    return {
        "forms": dict(sorted(forms.items())),
        "spans": dict(sorted(spans.items())),
        "fim_share": fim / documents if documents else 0.0,
        "empty_share": spans.get("empty", 0) / fim if fim else 0.0,
    }
