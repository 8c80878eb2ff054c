"""Values in a few words, and comparisons beyond `==`, for values that a judge holds."""

from __future__ import annotations

import collections
import contextlib
import math
import reprlib
from typing import Any

LENGTH = 300


class _Brief(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxother = 6, 12, LENGTH
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = 24
        self.maxstring = self.maxlong = LENGTH

    def repr_int(self, x: int, level: int) -> str:
        if x.bit_length() > 2000:
            return f"<int of {x.bit_length()} bits>"
        return super().repr_int(x, level)


_brief = _Brief()


def brief(value: Any) -> str:
    """A value's repr, shortened; of one that has none its type."""
    try:
        text = _brief.repr(value)
        return text if len(text) <= LENGTH else f"{text[: LENGTH - 1]}…"
    except BaseException:  # an object of the program's own
        return f"<{type(value).__name__}>"


def told(error: BaseException) -> str:
    """An error in a line: its type and its text."""
    try:
        text = str(error)
    except BaseException:
        text = ""
    text = " ".join(text.split())
    name = type(error).__name__
    where = getattr(error, "_where", "")
    return (f"{name}: {text[:LENGTH]}" if text else name) + (f" ({where})" if where else "")


def equal(got: Any, expected: Any, how: str, rtol: float, atol: float) -> bool:
    """Whether plain values are as expected: "exact", "close", "unordered" or "set"."""
    if how == "unordered":
        return _same_parts(got, expected)
    if how == "set":
        return set(got) == set(expected)
    same = got == expected
    if type(same) is not bool:
        same = bool(same.all()) if getattr(got, "shape", None) == getattr(expected, "shape", None) else False
    if same or how == "exact":
        return same
    return type(got) is type(expected) and _close(got, expected, rtol, atol)


def _close(got: Any, expected: Any, rtol: float, atol: float) -> bool:
    if _is_number(got) and _is_number(expected):
        if got == expected:
            return True
        # As numpy has it: not symmetric, nothing is close to nan, and to infinity only itself.
        try:
            bound = atol + rtol * abs(expected)
            return math.isfinite(abs(got)) and math.isfinite(bound) and abs(got - expected) <= bound
        except OverflowError:
            return False
    if isinstance(got, (list, tuple)) and isinstance(expected, (list, tuple)):
        return len(got) == len(expected) and all(
            _close(one, other, rtol, atol) for one, other in zip(got, expected)
        )
    if isinstance(got, dict) and isinstance(expected, dict):
        return got.keys() == expected.keys() and all(
            _close(got[key], expected[key], rtol, atol) for key in expected
        )
    if hasattr(got, "shape") and hasattr(expected, "shape"):
        return got.shape == expected.shape and _close(got.tolist(), expected.tolist(), rtol, atol)
    return bool(got == expected)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, complex)) and not isinstance(value, bool)


def _same_parts(got: Any, expected: Any) -> bool:
    """Whether two collections hold equal things equally often."""
    if isinstance(got, (str, bytes)) or isinstance(expected, (str, bytes)):
        return got == expected
    left = list(expected)
    found = list(got)
    if len(left) != len(found):
        return False
    with contextlib.suppress(TypeError):  # what cannot be hashed
        return collections.Counter(found) == collections.Counter(left)
    for one in found:
        if one not in left:
            return False
        left.remove(one)
    return True
