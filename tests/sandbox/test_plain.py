"""Plain data between a program and its judge: all of it comes back as it was, and nothing hostile gets through."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.sandbox.inside import plain


def encode(value: Any) -> str:
    return json.dumps(plain.tree(value))


def decode(text: str | bytes) -> Any:
    try:
        return plain.value(json.loads(text))
    except (ValueError, RecursionError):
        raise plain.Damaged("") from None


_ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(1 << 300), 1 << 300)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())  # with lone surrogates
    | st.binary(max_size=20)
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 3))
)
_HASHABLE = st.recursive(
    _ATOMS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5
)
VALUES = st.recursive(
    _HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.sets(_HASHABLE, max_size=4)
        | st.dictionaries(_HASHABLE, inner, max_size=4)
        | st.lists(inner, max_size=3).map(collections.deque)
        | st.dictionaries(_HASHABLE, inner, max_size=3).map(collections.OrderedDict)
        | st.dictionaries(_HASHABLE, inner, max_size=3).map(lambda one: collections.defaultdict(list, one))
        | st.dictionaries(_HASHABLE, st.integers(-3, 3), max_size=3).map(collections.Counter)
        | st.binary(max_size=5).map(bytearray)
    ),
    max_leaves=8,
)


def shape(value: Any) -> str:
    """A value as text, without the order of sets; also of what is not equal to itself."""
    if isinstance(value, (set, frozenset)):
        return repr(sorted(map(shape, value)))
    if isinstance(value, dict):
        return repr([(shape(key), shape(one)) for key, one in value.items()])
    if isinstance(value, (list, tuple, collections.deque)):
        return repr((type(value), [shape(one) for one in value]))
    return repr(value)


@settings(max_examples=80)
@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    text = encode(value)
    assert text.isascii()
    back = decode(text)
    assert type(back) is type(value)
    assert shape(back) == shape(value)


@pytest.mark.parametrize(
    "value",
    [-0.0, math.inf, 10**5000, "\ud800\udc00", "\U00010000", "\ud800", "é\n", (), {"": {1: [None]}}, int, range(3, -9, -2),
     ..., datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=-3.5))), decimal.Decimal("sNaN"),
     fractions.Fraction(10**30, 7), {True: 1}, [1, True, 1.0], collections.deque([1], 3)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_edges(value: Any) -> None:
    back = decode(encode(value))
    assert type(back) is type(value)
    if isinstance(value, int):  # too long to be printed
        assert back == value
    else:
        assert repr(back) == repr(value)


def _itself() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def _doubled() -> list[Any]:
    made: list[Any] = [0]
    for _ in range(60):
        made = [made, made]
    return made


class Liar(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_itself, "holds itself"),
        (_doubled, "too large"),
        (lambda: [0] * 50_000, "too large"),
        (lambda: Liar(3), "type Liar"),
        (lambda: [1, {2: Liar(3)}], "type Liar"),
        (lambda: iter([1]), "iterator"),
        (lambda: collections.defaultdict(lambda: 1), "function"),
        (lambda: Liar, "class"),
        (lambda: len, "builtin"),
    ],
)
def test_what_is_not_plain(make: Callable[[], Any], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "MOST", 40_000)
    with pytest.raises(plain.NotPlain, match=why):
        encode(make())


def test_of_classes_made_from_plain_data_what_they_are_made_from() -> None:
    point = collections.namedtuple("point", "x y")
    tree = plain.tree([point(1, Liar(3)), {"a": Liar(4)}], bases=True)
    back = plain.value(json.loads(json.dumps(tree)))
    assert back == [(1, 3), {"a": 4}]
    assert [type(back[0]), type(back[0][1])] == [tuple, int]


_NODES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
        | st.tuples(st.sampled_from([*plain._READERS, *plain._READERS_OF_PARTS]), inner, inner, inner).map(
            list
        )
        | st.tuples(st.sampled_from([*plain._READERS, *plain._READERS_OF_PARTS]), inner).map(list)
    ),
    max_leaves=8,
)


@settings(max_examples=50)
@given(_NODES)
def test_what_is_no_text_of_a_value_is_told(tree: Any) -> None:
    try:
        value = decode(json.dumps(tree))
    except plain.Damaged:
        return
    encode(value)


@settings(max_examples=40)
@given(st.binary(max_size=200))
def test_any_bytes(text: bytes) -> None:
    try:
        decode(text)
    except plain.Damaged:
        return


@pytest.mark.parametrize(
    "text",
    ["[" * 90_000, '["l",' * 500 + "1" + "]" * 500, "1" * 10_000, '["s",["l"]]', '["n","O",[1],"00"]', "{}", '["?"]', "[]",
     '["d",1]', '["F",1,0]', '["n","<i8",[1000000000],""]', '["dd","eval"]', '["T","type"]', '["q",-1,1]'],
)  # fmt: skip
def test_hostile_text(text: str) -> None:
    with pytest.raises(plain.Damaged):
        decode(text)


def test_arrays() -> None:
    numpy = pytest.importorskip("numpy")
    for value in (
        numpy.arange(6).reshape(2, 3).T,
        numpy.float32(1.5),
        numpy.array(["a", "bc"]),
        numpy.zeros((0, 3)),
    ):
        back = decode(encode(value))
        assert type(back) is type(value)
        assert back.dtype == value.dtype
        assert back.shape == value.shape
        assert (back == value).all()
    with pytest.raises(plain.NotPlain):
        encode(numpy.array([object()]))
