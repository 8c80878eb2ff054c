"""YAML read as plain data with the place of every key, for configuration that strangers may have written.

Scalars follow YAML 1.2: `on`, `off`, `yes` and `no` are text, `010` is ten, `1e-4` is a number. Tags, aliases and
merge keys are refused, so nothing is constructed and nothing can expand; size and depth are bounded.
"""

from __future__ import annotations

import math
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from codekiln.errors import UserError, one_line

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
MAX_NUMBER = 64
# Beyond 2^53 a float no longer holds every whole number, so `1e20` stays a float.
_EXACT_FLOAT = 2.0**53
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_INT = re.compile(rf"[-+]?{_DIGITS}")
_FLOAT = re.compile(rf"[-+]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?[0-9]+)?")

#: Where in the document: mapping keys as text, list positions as numbers.
Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """Where a key was written: a file with a line counted from 1, or another source without lines."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass
class Document:
    """Plain values (dict, list, str, int, float, bool, None) and the place of every key and list item."""

    value: Any
    places: dict[Keys, Place] = field(default_factory=dict)


def plain_scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted YAML scalar. Raises ValueError for a number too long or too large to hold."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if not (_INT.fullmatch(text) or _FLOAT.fullmatch(text)):
        return text
    if len(text) > MAX_NUMBER:
        raise ValueError(f"a number of {len(text)} characters is too long; quote it if it is text")
    if _INT.fullmatch(text):
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large for a number")
    # `tokens: 1e6` means a whole number; float keys accept one as well.
    if "e" in text.lower() and number.is_integer() and abs(number) <= _EXACT_FLOAT:
        return int(number)
    return number


def read_document(path: Path, source: str) -> Document:
    """Read a YAML file; `source` names it in messages. Raises UserError, one line naming file and line."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UserError(f"{source}: is a folder, not a YAML file")
        if not stat.S_ISREG(mode):
            raise UserError(f"{source}: is not a regular file; save it as a YAML file first")
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"{source}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{source}: cannot be read: {getattr(error, 'strerror', None) or one_line(error)}"
        ) from None
    if len(data) > MAX_BYTES:
        raise UserError(f"{source}: is larger than {MAX_BYTES // 1024} KiB, which no recipe needs")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{source}:{line}: is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    return parse_document(text, source)


def parse_document(text: str, source: str, *, lines: bool = True) -> Document:
    """Parse YAML text. `lines=False` leaves line numbers out of places (for text from a command line)."""
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        place = Place(source, text.count("\n", 0, error.position) + 1 if lines else None)
        raise UserError(
            f"{place}: character U+{int(error.character):04X} is not allowed in YAML; remove it"
        ) from None
    try:
        node = loader.get_single_node()
        reader = _Reader(source, lines)
        value = None if node is None else reader.value(node, ())
    except _Refused as error:
        raise UserError(f"{Place(source, error.line if lines else None)}: {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source, mark.line + 1 if mark and lines else None)
        raise UserError(f"{place}: is not valid YAML: {_explain(error)}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{source}: is not valid YAML: {one_line(error)}") from None
    finally:
        loader.dispose()
    return Document(value, reader.places)


def dump_document(value: Any) -> str:
    """YAML text that `parse_document` reads back as the same value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Refused(Exception):
    """Something that YAML allows and a recipe does not."""

    def __init__(self, message: str, mark: Any) -> None:
        super().__init__(message)
        self.line = mark.line + 1


class _Loader(yaml.SafeLoader):
    """Composes nodes only; refuses aliases and tags before they are acted upon, and bounds the depth."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _Refused("aliases (*name) are not allowed; write the value out", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise _Refused(f"tags ({event.tag}) are not allowed; write a plain value", event.start_mark)
        if self.depth >= MAX_DEPTH:
            raise _Refused(f"is nested deeper than {MAX_DEPTH} levels", event.start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


class _Reader:
    """Turns nodes into plain values and notes where each key stands."""

    def __init__(self, source: str, lines: bool) -> None:
        self.source, self.lines = source, lines
        self.places: dict[Keys, Place] = {}

    def value(self, node: yaml.Node, keys: Keys) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, keys)
        self.places.setdefault(keys, self._place(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*keys, number)) for number, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)  # YAML has no fourth kind of node
        name = f"{_dotted(keys)}: " if keys else ""
        text = _text(node, name)
        if node.style is not None:
            return text
        try:
            return plain_scalar(text)
        except ValueError as error:
            raise _Refused(f"{name}{error}", node.start_mark) from None

    def _mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Any]:
        self.places.setdefault(keys, self._place(node))
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _Refused("a key must be a single word, not a list or mapping", key_node.start_mark)
            key = _text(key_node, f"{_dotted(keys)}: " if keys else "")
            place = self._place(key_node)
            if key in result:
                first = self.places[(*keys, key)]
                where = f" (first on line {first.line})" if self.lines else ""
                raise _Refused(f"{_dotted((*keys, key))}: is given twice{where}", key_node.start_mark)
            self.places[(*keys, key)] = place
            result[key] = self.value(value_node, (*keys, key))
        return result

    def _place(self, node: yaml.Node) -> Place:
        return Place(self.source, node.start_mark.line + 1 if self.lines else None)


def _text(node: yaml.ScalarNode, name: str) -> str:
    """A scalar's text; `"\\ud83d\\ude00"`, as JSON writes one character, is that character."""
    text: str = node.value
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        problem = "contains half of a surrogate pair, which is not a character"
        raise _Refused(f"{name}{problem}", node.start_mark) from None


def _dotted(keys: Keys) -> str:
    return ".".join(str(key) for key in keys)


def _explain(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's problem in one line, with the way out for the usual ones."""
    problem = one_line(error.problem or error.context or error).replace("'<stream end>'", "the end")
    if "'\\t'" in problem:
        return "a tab where YAML wants spaces; indent with spaces"
    if "expected a single document" in one_line(error.context or ""):
        return "a second document starts here (---); a recipe is one document"
    if "mapping values are not allowed here" in problem:
        return "a colon where no key can stand; quote a value that contains a colon, or check the indentation"
    if "cannot start any token" in problem:
        return f"{problem}; quote the value"
    return problem


class _Dumper(yaml.SafeDumper):
    """Quotes every text that would read back as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        plain = plain_scalar(text) == text
    except ValueError:
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _represent_text)
