"""What sources that name no version were resolved to: kept beside a stage's output, so that a later run reads the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codekiln.errors import RunError, UserError, one_line
from codekiln.shards.disk import canonical_json, write_bytes

#: The record's name, beside the folder of the sources stage.
RECORD = "sources.resolved.json"
_FORMAT = 1


def read(path: Path | None, kind: str) -> dict[str, Any]:
    """Source as given -> what it was resolved to, of one kind (`packages`, `tables`); empty without a record.

    Raises:
        UserError: the file is not what codekiln wrote.
        RunError: it cannot be read.
    """
    found = _whole(path).get(kind, {})
    return dict(found) if isinstance(found, dict) else {}


def write(path: Path | None, kind: str, entries: dict[str, Any]) -> None:
    """Replace the entries of one kind; nothing is written where nothing changes. Raises RunError for the disk's faults."""
    whole = _whole(path)
    if path is None or whole.get(kind, {}) == entries:
        return
    whole |= {"format": _FORMAT, kind: entries}
    write_bytes(
        path, (json.dumps(json.loads(canonical_json(whole)), indent=1, sort_keys=True) + "\n").encode()
    )


def _whole(path: Path | None) -> dict[str, Any]:
    if path is None or not path.exists():
        return {}
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({one_line(error)})") from None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or value.get("format") != _FORMAT:
        raise UserError(
            f"{path} is not what codekiln wrote; delete it, and newest versions are looked up again"
        )
    return value
