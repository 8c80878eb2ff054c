"""Where each given source lies on this machine: checked, resolved and fetched before the first of them is read."""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codekiln.corpus.sources import outputs, remote_tables, resolved
from codekiln.corpus.sources.registries.packages import Brought, bring
from codekiln.corpus.sources.registries.records import parse
from codekiln.corpus.sources.table_files import TableFile, holds_records, suffix_of
from codekiln.downloads import cachefolder
from codekiln.downloads.addresses import shown
from codekiln.errors import CodekilnError, RunError, UserError, one_line

_ADDRESS = re.compile(r"[a-z+]+://|[\w.-]+@[\w.-]+:", re.IGNORECASE)
#: What a source may be, for messages.
_KINDS = "a repository, folder, file or archive"


@dataclass(frozen=True)
class Place:
    """A source as it was given, and its path on this machine: that of a `table`, or of the archive of a `package`.

    `fault`: why a registry or server does not give it; the path is then none.
    """

    text: str
    path: Path
    table: TableFile | None = None
    package: Brought | None = None
    fault: CodekilnError | None = None


def is_local(text: str) -> bool:
    """Whether a source is meant as a path, and not as a package or an address."""
    return not (text.startswith(("pypi:", "npm:")) or _ADDRESS.match(text))


def locate(paths: Sequence[str], record: Path | None = None, *, fetch: bool = True) -> list[Place]:
    """The places of sources, each text once; one pattern of tables becomes several.

    Names and paths are checked first, then packages and addresses are resolved, all before anything is read. `record`
    and `fetch` are those of `registries.packages.bring`.

    Raises:
        UserError: a path does not exist, cannot be read, or is codekiln's own output.
        RunError: the network is off, or the disk is full.
    """
    texts = list(dict.fromkeys(paths))
    specs = {text: spec for text in texts if (spec := parse(text)) is not None}
    far = [text for text in texts if remote_tables.is_address(text)]
    local = {text: _local(text) for text in texts if text not in specs and text not in far}
    lost: dict[str, CodekilnError] = {}
    brought = bring(list(specs.values()), record, fetch=fetch, lost=lost)
    tables = _tables(far, record, fetch, lost) if far else {}
    found: list[Place] = []
    for text in texts:
        if text in local:
            found.append(local[text])
        elif text in lost:
            found.append(Place(text, Path(text), fault=lost[text]))
        elif text in specs:
            found.append(Place(text, brought[text].path, package=brought[text]))
        else:
            found += [Place(text, Path(table.where), table) for table in tables[text]]
    return found


def _local(text: str) -> Place:
    if not text.strip():
        raise UserError(f"a source is empty (is a shell variable unset?); give {_KINDS}")
    try:
        path = Path(text).expanduser().resolve(strict=True)
        kind = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if _ADDRESS.match(text):
            raise UserError(
                f"source {text} is an address; clone or download it first and give its path"
            ) from None
        quoted = "; a pattern of paths is the shell's to fill in: leave it unquoted" if "*" in text else ""
        raise UserError(f"source {text} does not exist; give {_KINDS}{quoted}") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"source {text} cannot be read ({one_line(error)}); check the path and its permissions"
        ) from None
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise UserError(f"source {text} is neither a file nor a folder")
    outputs.refuse_output(text, path)
    table = stat.S_ISREG(kind) and (suffix_of(path.name) or holds_records(path))
    return Place(text, path, TableFile(str(path)) if table else None)


def _tables(
    texts: Sequence[str], record: Path | None, fetch: bool, lost: dict[str, CodekilnError]
) -> dict[str, list[TableFile]]:
    """The files of each address or pattern; what cannot be had is added to `lost`."""
    variable = cachefolder.offline()
    held = resolved.read(record, "tables")
    pinned: dict[str, list[str]] = {}
    found: dict[str, list[TableFile]] = {}
    for text in texts:
        near = text.lower().startswith(("file://", "local://"))
        if not near and (variable or not fetch):
            why = f"the network is off ({variable})" if variable else "nothing is fetched here"
            raise RunError(
                f"source {shown(text)} is an address and {why}; download the table and give its path"
            )
        known = held.get(text)
        whole = isinstance(known, list) and all(
            isinstance(one, str) and one.startswith("hf://") for one in known
        )
        try:
            urls = list(known) if known and whole else remote_tables.expand(text)
            found[text] = [_table(url) for url in urls]
        except CodekilnError as error:
            lost[text] = error
        else:
            pinned[text] = urls
    # What a branch stands for moves; anything else is looked up again like the files of a folder.
    moving = {text: urls for text, urls in pinned.items() if text.lower().startswith("hf://")}
    if fetch:
        resolved.write(record, "tables", moving)
    return found


def _table(url: str) -> TableFile:
    near = remote_tables.local_path(url)
    place = _local(str(near)) if near else None
    return place.table if place and place.table else remote_tables.bring(url)
