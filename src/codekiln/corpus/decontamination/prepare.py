"""The index of the test data that a configuration names, made once and then found by what it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codekiln.corpus.decontamination.build import GramRules, build_index
from codekiln.corpus.decontamination.index import VERSION, save_index
from codekiln.corpus.decontamination.testfiles import files_against, read_texts
from codekiln.corpus.decontamination.testsets import known_file
from codekiln.errors import UserError, one_line
from codekiln.progress import say
from codekiln.shards.disk import hash_file, hash_json


def prepare_index(against: Sequence[str], rules: GramRules, folder: Path) -> Path:
    """The file of the index in `folder`, made unless it is there; its name is a hash of contents and settings.

    Args:
        against: `PATH` or `PATH:field,field`; a folder stands for the known test sets in it.

    Raises:
        UserError: a path does not exist or cannot be parsed.
        RunError: the disk is full or refuses.
    """
    files = files_against(against)
    try:
        marks = [[_name(path), given, hash_file(path)] for path, given in files]
    except OSError as error:
        raise UserError(f"test data {one_line(error)}; check the path and its permissions") from None
    key = hash_json([VERSION, rules.model_dump(mode="json"), marks])
    path = folder / f"{key[:32]}.arrow"
    if not path.is_file():
        say(f"decontamination: indexing {len(files)} {'file' if len(files) == 1 else 'files'} of test data")
        save_index(build_index(read_texts(files), rules), path)
    return path


def _name(path: Path) -> str:
    """What the index says of a file: machine paths are not part of it."""
    known = known_file(path.absolute().as_posix())
    return known[0] if known else path.name
