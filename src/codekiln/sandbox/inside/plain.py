"""Plain data as text and back: what a program and its judge tell each other.

No object of a class of the program's own passes: kinds are found by exact type, contents by the methods of that type,
and what comes back is made anew. Text is JSON, in which a list is [kind, parts...]; everything else is itself.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import sys
from collections.abc import Callable
from typing import Any

#: Deeper values, and those that hold themselves, are not plain; so are those with more numbers or eight times fewer
#: other parts. A message may have so many bytes.
DEEPEST, MOST, LONGEST = 100, 2_000_000, 48 * 1024**2
_SMALL = 2**63
_FLAT = (bool, float, type(None))
_FACTORIES = {one.__name__: one for one in (int, float, str, bool, list, dict, set, tuple)}
#: Types that are values themselves.
_TYPES = {
    **_FACTORIES,
    **{one.__name__: one for one in (bytes, bytearray, complex, frozenset, range, object)},
}
_MADE_OF_PARTS: dict[Any, str] = {list: "l", tuple: "t", set: "s", frozenset: "f"}
_MADE_OF_PAIRS: dict[Any, str] = {dict: "d", collections.Counter: "C", collections.OrderedDict: "O"}


class NotPlain(Exception):
    """A value that this has no text for; says why."""


class Damaged(ValueError):
    """Text that stands for no value."""


def tree(value: Any, bases: bool = False) -> Any:
    """What JSON's text of a value is made from.

    Args:
        bases: take an object of a class that is made from one of plain data, such as a named tuple, for what it is made
            from.

    Raises NotPlain.
    """
    return _node(value, DEEPEST, [MOST, bases])


def value(tree: Any) -> Any:
    """The value of a tree that JSON's text stood for, whoever wrote it.

    Raises Damaged.
    """
    try:
        return _value(tree, DEEPEST)
    except (
        ArithmeticError,
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
        AttributeError,
        ImportError,
    ) as error:
        raise Damaged(str(error)) from None


def _node(value: Any, deep: int, left: list[int]) -> Any:
    kind = type(value)
    if kind is int:
        return value if -_SMALL <= value < _SMALL else ["i", hex(value)]
    if kind is str:
        return _text(value)
    if kind in _FLAT:
        return value
    if deep == 0:
        raise NotPlain("a value that is nested too deeply, or holds itself")
    if kind in _MADE_OF_PARTS:
        return [_MADE_OF_PARTS[kind], *_parts(list(value), deep - 1, left)]
    if kind in _MADE_OF_PAIRS:
        return [_MADE_OF_PAIRS[kind], *_pairs(value, deep, left)]
    writer = _WRITERS.get(kind)
    if writer is not None:
        return writer(value, deep - 1, left)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(kind, type) and kind.__module__ == "numpy":
        if kind is numpy.ndarray and value.dtype.kind in "biufcSUmM":
            shape = list(value.shape)
            return ["n", value.dtype.str, shape, numpy.ascontiguousarray(value).tobytes().hex()]
        if issubclass(kind, numpy.generic) and value.dtype.kind in "biufcSUmM":
            return ["N", value.dtype.str, value.tobytes().hex()]
    if left[1]:
        for base, plainly in _BASES.items():
            if issubclass(kind, base):
                return _node(plainly(value), deep, left)
    raise NotPlain(f"a value of type {_name(kind)}")


#: By the methods of the base itself: those of the class are the program's.
_BASES: dict[type, Callable[[Any], Any]] = {
    int: lambda value: int.__add__(value, 0),
    float: lambda value: float.__mul__(value, 1.0),
    str: lambda value: str.__getitem__(value, slice(None)),
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    list: lambda value: list.__getitem__(value, slice(None)),
    tuple: lambda value: tuple.__getitem__(value, slice(None)),
    dict: lambda value: dict(dict.items(value)),
    set: lambda value: set(set.__iter__(value)),
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
}


def _name(kind: Any) -> str:
    try:
        return str(type.__getattribute__(kind, "__name__"))[:80]
    except BaseException:  # a class of the program's
        return "?"


def _text(value: str) -> Any:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:  # lone surrogates, which JSON would join
            return ["u", value.encode("utf-8", "surrogatepass").hex()]
    return value


def _parts(parts: list[Any], deep: int, left: list[int]) -> list[Any]:
    left[0] -= len(parts)
    if left[0] < 0:
        raise NotPlain("a value that is too large")
    kinds = set(map(type, parts))
    if len(kinds) == 1:  # most lists are of one kind
        (kind,) = kinds
        if kind in _FLAT:
            return parts
        if kind is int and min(parts) >= -_SMALL and max(parts) < _SMALL:
            return parts
        if kind is str and "".join(parts).isascii():
            return parts
    left[0] -= 7 * len(parts)  # what takes longer counts for more
    return [_node(part, deep, left) for part in parts]


def _pairs(value: Any, deep: int, left: list[int]) -> list[Any]:
    left[0] -= 16 * len(value)
    if left[0] < 0:
        raise NotPlain("a value that is too large")
    # Of an OrderedDict the order is its own.
    items = collections.OrderedDict.items if type(value) is collections.OrderedDict else dict.items
    return [_node(one, deep - 1, left) for pair in items(value) for one in pair]


def _default(value: Any, deep: int, left: list[int]) -> list[Any]:
    factory = value.default_factory
    for name, one in _FACTORIES.items():
        if factory is one:
            return ["dd", name, *_pairs(value, deep, left)]
    if factory is None:
        return ["dd", "", *_pairs(value, deep, left)]
    raise NotPlain("a defaultdict of a function")


def _type(value: Any) -> str:
    for name, one in _TYPES.items():
        if value is one:
            return name
    raise NotPlain("a class")


def _zone(value: Any) -> Any:
    if value is None:
        return None
    if type(value) is not datetime.timezone:
        raise NotPlain("a time zone of its own class")
    return value.utcoffset(None).total_seconds()


_WRITERS: dict[type, Callable[[Any, int, list[int]], list[Any]]] = {
    bytes: lambda value, deep, left: ["b", value.hex()],
    bytearray: lambda value, deep, left: ["y", value.hex()],
    complex: lambda value, deep, left: ["c", value.real, value.imag],
    range: lambda value, deep, left: ["r", *(_node(x, 1, left) for x in (value.start, value.stop, value.step))],
    type(...): lambda value, deep, left: ["..."],
    type: lambda value, deep, left: ["T", _type(value)],
    decimal.Decimal: lambda value, deep, left: ["D", str(value)],
    fractions.Fraction: lambda value, deep, left: [
        "F",
        _node(value.numerator, 1, left),
        _node(value.denominator, 1, left),
    ],
    datetime.datetime: lambda value, deep, left: [
        "dt", value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond,
        value.fold, _zone(value.tzinfo),
    ],
    datetime.date: lambda value, deep, left: ["da", value.year, value.month, value.day],
    datetime.time: lambda value, deep, left: [
        "ti", value.hour, value.minute, value.second, value.microsecond, value.fold, _zone(value.tzinfo),
    ],
    datetime.timedelta: lambda value, deep, left: ["td", value.days, value.seconds, value.microseconds],
    collections.deque: lambda value, deep, left: ["q", value.maxlen, *_parts(list(value), deep, left)],
    collections.defaultdict: _default,
}  # fmt: skip


def _value(node: Any, deep: int) -> Any:
    if type(node) is not list:
        if type(node) is dict:
            raise Damaged("a JSON object")
        return node
    if deep == 0:
        raise Damaged("nested too deeply")
    if not node or type(node[0]) is not str:
        raise Damaged("a list without a kind")
    kind = node[0]
    if kind in _READERS_OF_PARTS:
        parts = node[1:]
        if not {list, dict}.isdisjoint(map(type, parts)):
            parts = [_value(part, deep - 1) for part in parts]
        return _READERS_OF_PARTS[kind](parts)
    reader = _READERS.get(kind)
    if reader is None:
        raise Damaged(f"kind {kind[:20]!r}")
    return reader(node[1:], deep - 1)


def _dictionary(parts: list[Any]) -> dict[Any, Any]:
    if len(parts) % 2:
        raise Damaged("a key without a value")
    return dict(zip(parts[::2], parts[1::2]))


def _counter(parts: list[Any]) -> Any:
    made = collections.Counter[Any]()
    dict.update(made, _dictionary(parts))
    return made


def _fraction(parts: list[Any], deep: int) -> fractions.Fraction:
    numerator, denominator = (_number(part, deep) for part in parts)
    return fractions.Fraction(numerator, denominator)


def _number(node: Any, deep: int) -> int:
    value = _value(node, deep)
    if type(value) is not int:
        raise Damaged("not a number")
    return value


def _moment(parts: list[Any]) -> dict[str, Any]:
    *_, fold, offset = parts
    zone = None if offset is None else datetime.timezone(datetime.timedelta(seconds=offset))
    return {"fold": fold, "tzinfo": zone}


def _array(dtype: str, shape: list[int], content: str) -> Any:
    import numpy

    if numpy.dtype(dtype).kind not in "biufcSUmM":
        raise Damaged("an array of objects")
    return numpy.frombuffer(bytes.fromhex(content), dtype).reshape(shape).copy()


_READERS_OF_PARTS: dict[str, Callable[[list[Any]], Any]] = {
    "l": lambda parts: parts,
    "t": tuple,
    "s": set,
    "f": frozenset,
    "d": _dictionary,
    "C": _counter,
    "O": lambda parts: collections.OrderedDict(_dictionary(parts)),
}
_READERS: dict[str, Callable[[list[Any], int], Any]] = {
    "i": lambda parts, deep: int(parts[0], 16),
    "u": lambda parts, deep: bytes.fromhex(parts[0]).decode("utf-8", "surrogatepass"),
    "b": lambda parts, deep: bytes.fromhex(parts[0]),
    "y": lambda parts, deep: bytearray.fromhex(parts[0]),
    "c": lambda parts, deep: complex(float(parts[0]), float(parts[1])),
    "r": lambda parts, deep: range(*(_number(part, deep) for part in parts)),
    "...": lambda parts, deep: ...,
    "T": lambda parts, deep: _TYPES[parts[0]],
    "D": lambda parts, deep: decimal.Decimal(str(parts[0])),
    "F": _fraction,
    "dt": lambda parts, deep: datetime.datetime(*parts[:7], **_moment(parts)),
    "da": lambda parts, deep: datetime.date(*parts),
    "ti": lambda parts, deep: datetime.time(*parts[:4], **_moment(parts)),
    "td": lambda parts, deep: datetime.timedelta(*parts),
    "q": lambda parts, deep: collections.deque([_value(part, deep) for part in parts[1:]], parts[0]),
    "dd": lambda parts, deep: collections.defaultdict(
        _FACTORIES[parts[0]] if parts[0] else None, _dictionary([_value(part, deep) for part in parts[1:]])
    ),
    "n": lambda parts, deep: _array(parts[0], parts[1], parts[2]),
    "N": lambda parts, deep: _array(parts[0], [], parts[1])[()],
}
