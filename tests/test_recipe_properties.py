"""Whatever is in a recipe file: a recipe, or one line that says what is wrong; never another exception."""

from __future__ import annotations

import json
import tempfile
import typing
from pathlib import Path
from typing import Any, Literal

import annotated_types
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from codekiln.dataset.config import DEFAULT_SPANS
from codekiln.errors import UserError
from codekiln.recipe import Recipe, dump, load_recipe, to_yaml

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)


def values(annotation: Any, metadata: typing.Sequence[Any] = ()) -> st.SearchStrategy[Any]:
    """JSON values that fit a field."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    low = next((one.ge for one in metadata if isinstance(one, annotated_types.Ge)), None)
    above = next((one.gt for one in metadata if isinstance(one, annotated_types.Gt)), None)
    high = next((one.le for one in metadata if isinstance(one, annotated_types.Le)), None)
    below = next((one.lt for one in metadata if isinstance(one, annotated_types.Lt)), None)
    if origin is Literal:
        return st.sampled_from(arguments)
    if type(None) in arguments:
        return st.none() | values(next(one for one in arguments if one is not type(None)), metadata)
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        least = low if low is not None else above + 1 if above is not None else -(2**53)
        return st.integers(least, high if high is not None else 2**53)
    if annotation is float:
        return st.floats(
            low if low is not None else above if above is not None else -1e9,
            high if high is not None else below if below is not None else 1e9,
            exclude_min=low is None and above is not None,
            exclude_max=high is None and below is not None,
        )
    if annotation is str:
        return TEXT
    if origin is dict:
        return st.dictionaries(TEXT, values(arguments[1]), max_size=3)
    if origin is tuple and Ellipsis in arguments:
        return st.lists(values(arguments[0]), max_size=3)
    if origin is tuple:
        return st.tuples(*(values(one) for one in arguments)).map(list)
    if issubclass(annotation, BaseModel):
        return st.fixed_dictionaries(
            {},
            optional={
                key: values(field.annotation, field.metadata)
                for key, field in annotation.model_fields.items()
            },
        )
    raise AssertionError(annotation)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe | None:
    """A recipe with random values at random keys; None where values do not go together."""
    document = draw(values(Recipe))
    document["name"] = draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True))
    if "spans" in document.get("dataset", {}):
        document["dataset"]["spans"] = draw(
            st.dictionaries(st.sampled_from(sorted(DEFAULT_SPANS)), st.floats(1e-3, 5), min_size=1)
        )
    try:
        return Recipe.model_validate_json(json.dumps(document), strict=True)
    except ValidationError:
        return None


def load(text: str | bytes, *overrides: str) -> Recipe:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "my.yaml")
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        return load_recipe(str(path), overrides)


@given(recipes())
def test_any_valid_recipe_survives_being_written_and_read(recipe: Recipe | None) -> None:
    if recipe is None:
        return
    again = load(to_yaml(recipe))
    assert again == recipe
    assert dump(again) == dump(recipe)
    # JSON is YAML: what a manifest holds can be handed back as a recipe.
    assert load(json.dumps(dump(recipe))) == recipe
    assert json.loads(json.dumps(dump(recipe), allow_nan=False)) == dump(recipe)


KEYS = ["name", "seed", "extends", *Recipe.model_fields, "minutes", "tokens", "spans", "paths", "<<", "0", ""]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | TEXT, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
TOKENS = [*KEYS, ": ", "\n", "  ", "- ", "[", "]", "{", "}", ", ", "&a ", "*a", "!!str ", "|", ">", "'", '"', "#",
          "\t", "---\n", "...", "? ", "%YAML 1.1\n", "1e5", "-", "\x00", "\u2028", "\ufeff", "yes", "null", "~"]  # fmt: skip


def one_line_or_recipe(text: str | bytes, *overrides: str) -> None:
    recipe = message = None
    try:
        recipe = load(text, *overrides)
    except UserError as error:
        message = str(error)
    if recipe is None:
        assert message
        assert len(message.splitlines()) == 1
    else:
        assert load(to_yaml(recipe)) == recipe


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    one_line_or_recipe(data)


@given(st.lists(st.sampled_from(TOKENS), max_size=25).map("".join))
@example("? |\n  a\n: 1\n")
@example("[[]: 1]")
def test_any_text_that_looks_like_yaml(text: str) -> None:
    one_line_or_recipe(text)


@given(st.dictionaries(st.sampled_from(KEYS) | TEXT, JSON, max_size=4))
def test_any_data(data: dict[str, Any]) -> None:
    one_line_or_recipe(json.dumps(data))


@given(st.lists(st.sampled_from([*Recipe.model_fields, "rank", ".", "=", *TOKENS]), max_size=8).map("".join))
@example("seed=1e400")
def test_any_override(text: str) -> None:
    one_line_or_recipe("extends: quickstart\n", text)
