"""One-line messages for a recipe that does not fit its schema: place, key, what is expected, the way out."""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ValidationError

from codekiln.errors import UserError, one_line
from codekiln.yamlfile import Keys, Place

# Pydantic's error types that mean "this value is not what the key takes"; `describe` says what it takes.
_WRONG_KIND = (
    "_type", "_parsing", "_parsing_size", "_from_float", "greater_than", "greater_than_equal", "less_than",
    "less_than_equal", "multiple_of", "finite_number", "literal_error", "none_required", "_unicode",
)  # fmt: skip
_YAML_1_1_BOOL = {"yes", "no", "on", "off", "y", "n"}


def explain(
    error: ValidationError,
    model: type[BaseModel],
    value: Any,
    places: Mapping[Keys, Place],
    extra: Sequence[str],
) -> str:
    """The first of pydantic's complaints as `place: key: what is wrong; what to do`.

    value: the data that was validated. extra: keys of the top level that are not fields of the model.
    """
    found: dict[Keys, str] = {}
    for item in error.errors(include_url=False):
        keys = _keys(item["loc"], value, item["type"])
        if item["type"] == "too_short" and len(_at(value, keys)) >= item["ctx"]["min_length"]:
            continue  # pydantic counts the items that it took; those that it did not have complaints of their own
        if item["type"] == "value_error" and isinstance(_at(value, keys), dict):
            # Values that do not go together: an override that takes part is the place to look at.
            changed = [one for at, one in places.items() if at[: len(keys)] == keys and one.line is None]
            places = {**places, keys: changed[-1]} if changed else places
        found.setdefault(keys, _complaint(item, keys, model, value, extra))
    keys, text = min(found.items(), key=lambda pair: _order(pair[0], places))
    more = len(found) - 1
    tail = f" ({more} more mistake{'s' if more > 1 else ''} after this one)" if more else ""
    return locate(keys, text, places) + tail


def locate(keys: Keys, text: str, places: Mapping[Keys, Place]) -> str:
    """`place: key: text`, with the place of the key or of the closest key around it."""
    place = _nearest(keys, places)
    name = ".".join(str(key) for key in keys)
    if not name or (place and place.line is None and not place.source.startswith("--set")):
        return f"{place}: {text}" if place else text
    if place and place.source.startswith(f"--set {name}="):
        return f"{place}: {text}" if place else text
    return f"{place}: {name}: {text}" if place else f"{name}: {text}"


def unknown_key(key: str, known: Iterable[str], owner: str) -> str:
    """What to say about a key that does not exist: the one that was meant, or all there are."""
    names = list(known)
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    if close:
        return f"unknown key; did you mean {close[0]}?"
    return f"unknown key; {owner} has: {', '.join(names)}"


def check_read(key: str, places: Mapping[Keys, Place], known: Iterable[str], reads: Sequence[str]) -> None:
    """Refuse (UserError) an override of a key of a recipe that the command does not read; `reads` empty: it reads all."""
    if reads and key in known and key not in reads:
        sections = ", ".join(reads[:-1]) + f" and {reads[-1]}"
        raise UserError(
            f"{places[()]}: this command reads {sections} of a recipe, not {key}; leave it out, or give it to the "
            "command that reads it"
        )


def show(value: Any) -> str:
    """A value as it would be written, short enough for a message."""
    text = value if isinstance(value, str) and value.isalnum() else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def describe(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """What a field takes, in words: `a number from 0 to 1`, `one of wsd, cosine`, `a list of text`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return describe(arguments[0], (*metadata, *arguments[1:]))
    if origin in (Union, types.UnionType):
        return " or ".join(
            describe(member, metadata) for member in sorted(arguments, key=lambda one: one is types.NoneType)
        )
    if origin is Literal:
        return ("one of " if len(arguments) > 1 else "") + ", ".join(str(choice) for choice in arguments)
    if annotation is None or annotation is types.NoneType:
        return "null"
    if annotation is bool:
        return "true or false"
    if annotation in (int, float):
        return " ".join(["a whole number" if annotation is int else "a number", *_range(metadata)])
    if annotation is str:
        return "text"
    if isinstance(annotation, type) and issubclass(annotation, PurePath):
        return "a path"
    if origin is tuple and Ellipsis not in arguments:
        return f"a list of {len(arguments)} ({', '.join(describe(one) for one in arguments)})"
    if origin in (tuple, list, set, frozenset, Sequence):
        return f"a list of {describe(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a mapping with the keys {', '.join(annotation.model_fields)}"
    return "a mapping" if origin in (dict, Mapping) else str(getattr(annotation, "__name__", annotation))


def _range(metadata: Sequence[Any]) -> list[str]:
    low: tuple[str, str, Any] | None = None
    high: tuple[str, str, Any] | None = None
    for item in _flat(metadata):
        if isinstance(item, annotated_types.Ge):
            low = ("from", "of at least", item.ge)
        elif isinstance(item, annotated_types.Gt):
            low = ("above", "above", item.gt)
        elif isinstance(item, annotated_types.Le):
            high = ("to", "of at most", item.le)
        elif isinstance(item, annotated_types.Lt):
            high = ("and below", "below", item.lt)
    if low and high:
        link = "to at most" if (low[0], high[0]) == ("above", "to") else high[0]
        return [f"{low[0]} {low[2]} {link} {high[2]}"]
    return [f"{bound[1]} {bound[2]}" for bound in (low, high) if bound]


def _flat(metadata: Sequence[Any]) -> Iterable[Any]:
    for item in metadata:
        if isinstance(item, annotated_types.GroupedMetadata):
            yield from item
        else:
            yield from getattr(item, "metadata", None) or [item]


def _keys(location: tuple[int | str, ...], value: Any, kind: str) -> Keys:
    """Pydantic's location without the names of union members, which are no keys of the document."""
    keys: list[str | int] = []
    for number, part in enumerate(location):
        last = number == len(location) - 1
        in_list = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if in_list or (isinstance(value, dict) and part in value):
            value = value[part]
        elif not (last and kind == "missing"):
            continue
        keys.append(part)
    return tuple(keys)


def _field(model: type[BaseModel], keys: Keys) -> tuple[Any, Sequence[Any]]:
    """Annotation and constraints of what stands at `keys`."""
    annotation: Any = model
    metadata: Sequence[Any] = ()
    for key in keys:
        for member in _members(annotation):
            arguments = get_args(member)
            if isinstance(member, type) and issubclass(member, BaseModel) and key in member.model_fields:
                field = member.model_fields[str(key)]
                annotation, metadata = field.annotation, field.metadata
            elif get_origin(member) is dict:
                annotation, metadata = arguments[1], ()
            elif get_origin(member) is tuple and Ellipsis not in arguments and isinstance(key, int):
                annotation, metadata = arguments[min(key, len(arguments) - 1)], ()
            elif arguments and isinstance(key, int):
                annotation, metadata = arguments[0], ()
            else:
                continue
            break
    return annotation, metadata


def _members(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [inner for member in get_args(annotation) for inner in _members(member)]
    return [annotation]


def _complaint(item: Any, keys: Keys, model: type[BaseModel], value: Any, extra: Sequence[str]) -> str:
    kind: str = item["type"]
    if kind == "extra_forbidden":
        owner = next(
            (one for one in _members(_field(model, keys[:-1])[0]) if hasattr(one, "model_fields")), model
        )
        known = [*owner.model_fields, *(extra if len(keys) == 1 else ())]
        return unknown_key(str(keys[-1]), known, str(keys[-2]) if len(keys) > 1 else "a recipe")
    if item["loc"][-1:] == ("[key]",) and kind == "literal_error":
        (mapping,) = (one for one in _members(_field(model, keys[:-1])[0]) if get_origin(one) is dict)
        return unknown_key(str(keys[-1]), map(str, get_args(get_args(mapping)[0])), str(keys[-2]))
    annotation, metadata = _field(model, keys)
    if kind == "missing":
        return f"is missing; it is {describe(annotation, metadata)}"
    if kind in ("value_error", "assertion_error"):
        return one_line(item.get("ctx", {}).get("error") or item["msg"])
    if kind == "too_short":
        return f"{show(item['input'])} holds {item['ctx']['actual_length']}; it takes at least {item['ctx']['min_length']} item"
    if not kind.endswith(_WRONG_KIND):
        return f"{show(item['input'])}: {one_line(item['msg'])[:1].lower()}{one_line(item['msg'])[1:]}"
    given = _at(value, keys)
    wanted = describe(annotation, metadata)
    if given is None and wanted.startswith("a mapping"):
        return "has no value; write {} for its defaults, or leave the key out"
    return f"{show(given)} is not {wanted}{_way_out(given, annotation, wanted)}"


def _way_out(given: Any, annotation: Any, wanted: str) -> str:
    """A hint for the mistakes that YAML invites."""
    members = _members(annotation)
    if isinstance(given, str) and given.lower() in _YAML_1_1_BOOL and bool in members:
        return "; yes, no, on and off are text: write true or false"
    if str in members and isinstance(given, bool | int | float):
        return f"; quote it to make it text: '{json.dumps(given)}'"
    if wanted.startswith("a list") and isinstance(given, str | bool | int | float):
        return f"; put it in brackets: [{show(given)}]"
    return ""


def _at(value: Any, keys: Keys) -> Any:
    for key in keys:
        value = value[key]
    return value


def _nearest(keys: Keys, places: Mapping[Keys, Place]) -> Place | None:
    for end in range(len(keys), -1, -1):
        if keys[:end] in places:
            return places[keys[:end]]
    return None


def _order(keys: Keys, places: Mapping[Keys, Place]) -> tuple[int, tuple[str, ...]]:
    """The command line's mistakes first (they were typed last), then by line."""
    place = _nearest(keys, places)
    return (place.line or 0 if place else 0), tuple(str(key) for key in keys)
