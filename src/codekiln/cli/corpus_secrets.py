"""`codekiln corpus secrets`: where secrets and personal data stand in files; never what they are."""

from __future__ import annotations

from collections import Counter

import click

from codekiln.cli.common import emit, json_option, table


@click.command(short_help="Tell where secrets and personal data stand.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@json_option
def secrets(paths: tuple[str, ...], as_json: bool) -> None:
    """Tell where secrets and personal data stand in files and folders: file, line, kind and rule, no values.

    Folders are searched whole, but no link is followed; binary files and files above 16 MB are passed over.
    """
    from codekiln.corpus.secrets.files import scan

    found = scan(list(paths))
    rows = [(path, one.line, one.kind, one.rule) for path, one in found.findings]
    kinds = Counter(one.kind for _, one in found.findings)
    rules = Counter(one.rule for _, one in found.findings)
    document = {
        "findings": [
            {"file": path, "line": line, "kind": kind, "rule": rule} for path, line, kind, rule in rows
        ],
        "kinds": dict(sorted(kinds.items())),
        "rules": dict(sorted(rules.items())),
        "files": found.files,
        "bytes": found.bytes,
        "skipped": [{"file": path, "reason": reason} for path, reason in found.skipped],
    }
    lines = table(rows, ("file", "line", "kind", "rule")) if rows else []
    if rows:
        lines += ["", *table(sorted(kinds.items()), ("kind", "found")), ""]
    lines += [f"{path}: passed over: {reason}" for path, reason in found.skipped if reason != "binary"]
    lines.append(f"{len(rows)} findings in {found.files} files")
    emit(document, as_json, lines)
