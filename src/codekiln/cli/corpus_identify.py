"""`codekiln corpus identify`: language, flags and licence of files, without building anything."""

from __future__ import annotations

import click

from codekiln.cli.common import emit, json_option, table


@click.command(short_help="Tell language, flags and licence of files.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--max-file-bytes",
    type=click.IntRange(1, 1024**3),
    default=1_048_576,
    show_default=True,
    help="Of larger files only the name counts.",
)
@json_option
def identify(paths: tuple[str, ...], max_file_bytes: int, as_json: bool) -> None:
    """Tell the language, flags and licence of the files of each PATH (repository, folder, file, archive, pypi:NAME).

    The language is one of the 92 of the Qwen2.5-Coder report. Flags: vendored, generated, minified, test,
    documentation. Ignored files are left out, vendored and generated ones are not.
    """
    from codekiln.corpus.identify import identify as identify_files
    from codekiln.corpus.identify import languages_of

    found = list(identify_files(paths, max_file_bytes))
    totals = languages_of(found)
    document = {"files": [one.as_dict() for one in found], "languages": totals}
    lines = table(
        [
            (
                one.language or f"({one.reason})",
                one.path,
                " ".join(one.flags),
                _license(one.licenses, one.license_type),
            )
            for one in found
        ],
        ("language", "file", "flags", "licence"),
    )
    lines += [
        "",
        *table(
            [(row["language"] or "(none)", row["files"], row["bytes"]) for row in totals],
            ("language", "files", "bytes"),
        ),
    ]
    emit(document, as_json, lines)


def _license(ids: list[str], kind: str) -> str:
    return f"{', '.join(ids)} ({kind})" if ids else kind
