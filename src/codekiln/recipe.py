"""Recipes: every stage's configuration in one typed YAML file, with `extends` and `--set` overrides."""

from __future__ import annotations

import difflib
import math
import os
import re
import unicodedata
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from codekiln.corpus.config import CorpusConfig, SourceConfig
from codekiln.dataset.config import DatasetConfig
from codekiln.errors import UserError, one_line
from codekiln.evaluation.config import ProofConfig
from codekiln.recipe_messages import check_read, explain, locate
from codekiln.training.config import TrainingConfig
from codekiln.yamlfile import Document, Keys, Place, dump_document, parse_document, read_document

MAX_EXTENDS = 8
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
# These say what one file is, so a recipe does not take them over from the one that it extends.
_NOT_INHERITED = ("name", "description")
# Of these keys of a stage one is chosen: writing one puts aside the other that was inherited.
_ALTERNATIVES = (("training", "tokens", "minutes"),)


class ModelConfig(BaseModel):
    """Which model is adapted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: A name of the catalogue (`codekiln models list`) or the folder of a Hugging Face checkpoint.
    name: str = Field(default="qwen2.5-coder-0.5b-instruct", min_length=1)


class ExportConfig(BaseModel):
    """Which files are written beside the merged checkpoint and the adapter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: GGUF files, by weight format.
    gguf: tuple[Literal["f16", "q8_0"], ...] = ("f16", "q8_0")


class Recipe(BaseModel):
    """A whole run: code in, a better model out. One key a stage; every key has a default but `name`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Names the run's folder: letters, digits, `.`, `_` and `-`.
    name: str
    description: str = ""
    #: Every random choice of every stage follows from this number and from what it is a choice about.
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    sources: SourceConfig = SourceConfig()
    corpus: CorpusConfig = CorpusConfig()
    model: ModelConfig = ModelConfig()
    dataset: DatasetConfig = DatasetConfig()
    training: TrainingConfig = TrainingConfig()
    proof: ProofConfig = ProofConfig()
    export: ExportConfig = ExportConfig()

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("takes letters, digits, '.', '_' and '-' (at most 80), since it names a folder")
        return name


class Given(NamedTuple):
    """A value that an option of the command line gives as it is: `--source x` -> sources.paths."""

    option: str
    key: str
    value: Any


def load_recipe(
    name_or_path: str, overrides: Sequence[str | Given] = (), reads: Sequence[str] = ()
) -> Recipe:
    """The recipe of a built-in name or a YAML file, with overrides (`stage.key=value`) applied in order.

    `reads` are the top-level keys that the caller uses (none: all of them); an override of another one is a mistake.

    A bare word that names a built-in recipe means that one; `./quickstart` means a file. A file without a
    `name` is called by its file name, with `-` for what a name cannot hold. Raises UserError, one line naming file, line and key.
    """
    try:
        path, source = _find(name_or_path)
        document = _load(path, source, ())
        if "name" not in document.value:
            document.value["name"] = _name_of(path, source)
        changes = Document({})
        for override in overrides:
            change = _document(override) if isinstance(override, Given) else _parse_override(override)
            check_read(next(iter(change.value)), change.places, Recipe.model_fields, reads)
            changes = _merge(changes, change, alternatives=())
        return _validate(_merge(document, changes))
    except UserError as error:
        # Keys and file names may hold line breaks.
        raise UserError(one_line(error)) from None


def _name_of(path: Path, source: str) -> str:
    """A recipe's name from its file's: `my recipe.yaml` -> my-recipe."""
    if _NAME.fullmatch(path.stem):
        return path.stem
    plain = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")[:80]
    if not name:
        raise UserError(
            f"{source}: has no name, and its file name holds no letter for one; add `name: my-recipe`"
        )
    return name


def dump(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON values, every default written out: what manifests hold and hashes cover."""
    return recipe.model_dump(mode="json")


def to_yaml(recipe: Recipe) -> str:
    """The whole recipe as YAML that `load_recipe` reads back as an equal recipe."""
    return dump_document(dump(recipe))


def builtin_recipes() -> dict[str, Path]:
    """Names of the built-in recipes and their files, sorted by name."""
    folder = Path(str(resources.files("codekiln"))) / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _find(name_or_path: str) -> tuple[Path, str]:
    builtin = builtin_recipes()
    if name_or_path in builtin:
        return builtin[name_or_path], f"built-in {name_or_path}.yaml"
    path = Path(name_or_path)
    if os.path.lexists(name_or_path) or path.suffix in (".yaml", ".yml") or os.sep in name_or_path:
        return path, name_or_path
    hint = _builtin_hint(name_or_path)
    raise UserError(f"there is no recipe {name_or_path!r}; {hint} (or give the path of a YAML file)")


def _builtin_hint(name: str) -> str:
    builtin = builtin_recipes()
    close = difflib.get_close_matches(name, builtin, n=1)
    return f"built-in is {close[0]}: did you mean that?" if close else f"built-in are: {', '.join(builtin)}"


def _load(path: Path, source: str, chain: tuple[tuple[Path, str], ...]) -> Document:
    """Read a file and everything that it extends; `chain` holds the files that led here."""
    document = read_document(path, source)
    if document.value is None:
        raise UserError(f"{source}: is empty; the shortest recipe is `extends: quickstart`")
    if not isinstance(document.value, dict):
        raise UserError(
            f"{document.places.get((), source)}: is not a mapping; write one key a stage, as in `seed: 1`"
        )
    if "extends" not in document.value:
        return document
    base = document.value.pop("extends")

    def refuse(text: str) -> UserError:
        return UserError(locate(("extends",), text, document.places))

    if not isinstance(base, str) or not base:
        raise refuse("is the name of one built-in recipe or the path of one file")
    chain = (*chain, (path.resolve(), source))
    base_path, base_source = _find_base(base, path, source, refuse)
    if base_path.resolve() in [link[0] for link in chain]:
        names = [link[1] for link in chain]
        raise refuse(f"goes round in a circle: {' -> '.join([*names, base_source])}")
    if len(chain) >= MAX_EXTENDS:
        raise refuse(f"is more than {MAX_EXTENDS} files deep")
    inherited = _load(base_path, base_source, chain)
    for key in _NOT_INHERITED:
        inherited.value.pop(key, None)
        inherited.places.pop((key,), None)
    return _merge(inherited, document)


def _find_base(base: str, path: Path, source: str, refuse: Any) -> tuple[Path, str]:
    builtin = builtin_recipes()
    if base in builtin:
        return builtin[base], f"built-in {base}.yaml"
    try:
        target = path.parent / base
        if target.exists():
            return target, os.path.normpath(os.path.join(os.path.dirname(source), base))
    except (OSError, ValueError):
        pass
    raise refuse(f"there is no file {base!r} beside {source}, and {_builtin_hint(base)}")


def _merge(
    base: Document, over: Document, alternatives: Sequence[tuple[str, str, str]] = _ALTERNATIVES
) -> Document:
    """Mappings are merged key by key; anything else (a list too) replaces what was there."""
    for stage, one, other in alternatives:
        inherited, written = base.value.get(stage), over.value.get(stage)
        if isinstance(inherited, dict) and isinstance(written, dict):
            chosen = {key for key in (one, other) if written.get(key) is not None}
            if len(chosen) == 1:
                dropped = ({one, other} - chosen).pop()
                kept = {key: value for key, value in inherited.items() if key != dropped}
                base = Document({**base.value, stage: kept}, base.places)
    places = dict(base.places)
    for keys, place in over.places.items():
        # `--set training.tokens=9` is not where `training` itself was written.
        if place.line is not None or not (_is_mapping(base, keys) and _is_mapping(over, keys)):
            places[keys] = place
    return Document(_merge_values(base.value, over.value), places)


def _is_mapping(document: Document, keys: Keys) -> bool:
    value = document.value
    for key in keys:
        if not (isinstance(value, dict) and key in value):
            return False
        value = value[key]
    return isinstance(value, dict)


def _merge_values(base: Any, over: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    merged = dict(base)
    for key, value in over.items():
        merged[key] = _merge_values(base[key], value) if key in base else value
    return merged


def _parse_override(text: str) -> Document:
    """`stage.key=value` as a document of that one key; the value is YAML."""
    key, equals, value = text.partition("=")
    source = f"--set {text if len(text) <= 80 else text[:77] + '...'}"
    keys = tuple(key.strip().split("."))
    if not equals or not all(keys):
        raise UserError(f"{source}: is written --set stage.key=value, for example --set training.minutes=2")
    if keys[0] == "extends":
        raise UserError(f"{source}: extends belongs into a recipe file")
    if not value.strip():
        raise UserError(f"{source}: has no value; write null for none or '\"\"' for empty text")
    return _nested(keys, parse_document(value, source, lines=False), Place(source))


def _document(given: Given) -> Document:
    if isinstance(given.value, float) and not math.isfinite(given.value):
        raise UserError(f"{given.option}: {given.value} is not a finite number")
    return _nested(tuple(given.key.split(".")), Document(given.value), Place(given.option))


def _nested(keys: tuple[str, ...], inner: Document, place: Place) -> Document:
    places: dict[Keys, Place] = {keys[:end]: place for end in range(len(keys) + 1)}
    places.update({(*keys, *rest): place for rest in inner.places})
    nested = inner.value
    for part in reversed(keys):
        nested = {part: nested}
    return Document(nested, places)


def _validate(document: Document) -> Recipe:
    """Strict typing, so that `seed: true` or `minutes: "4"` is a mistake instead of a conversion."""
    _check_text(document.value, (), document)
    try:
        text = pydantic_core.to_json(document.value)
        return Recipe.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise UserError(explain(error, Recipe, document.value, document.places, ("extends",))) from None


def _check_text(value: Any, keys: Keys, document: Document) -> None:
    """Refuse text that is no path and no text to any program: bytes that are not UTF-8, and the null character."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_text(inner, (*keys, key), document)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _check_text(inner, (*keys, number), document)
    elif isinstance(value, str):
        if "\0" in value:
            raise UserError(locate(keys, "holds a null character (\\0); remove it", document.places))
        if _LONE_SURROGATE.search(value):
            shown = os.fsencode(value).decode("utf-8", "backslashreplace")
            problem = f"{shown} is not UTF-8; rename it, or give another path"
            raise UserError(locate(keys, problem, document.places))
