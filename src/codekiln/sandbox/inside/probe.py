"""Objects that agree with whatever they are asked are no answers."""

import functools
import os
import types

_PLAIN = (int, float, str, bool, bytes, type(None), list, tuple, dict, set, frozenset, complex)


def asked(namespace, file):
    """A copy of a program's namespace whose functions look at what they give before test code sees it."""
    made = dict(namespace)
    for name, one in namespace.items():
        if type(one) is types.FunctionType and one.__code__.co_filename == file:
            made[name] = _looking(one)
    return made


def _looking(function):
    @functools.wraps(function)
    def looked_at(*arguments, **named):
        result = function(*arguments, **named)
        if type(result) not in _PLAIN and agrees(result):
            raise AssertionError(
                f"it gives an object of {type(result).__name__[:80]}, which agrees with everything"
            )
        return result

    return looked_at


def agrees(value):
    """Whether a value equals, holds, or is at once less and more than things that nobody has seen before."""
    number = int.from_bytes(os.urandom(8), "big") | 1 << 65
    unseen = (
        object(),
        number,
        -number,
        float(number),
        os.urandom(8).hex(),
        os.urandom(8),
        [number],
        (number,),
    )
    return any(_true(question, value, one) for one in unseen for question in _QUESTIONS)


def _true(question, value, one):
    try:
        return question(value, one) is True
    except BaseException:  # it has no answer
        return False


def _holds(value, one):
    # Of what has no method for it, an iterator say, looking would take something away.
    return hasattr(type(value), "__contains__") and one in value


_QUESTIONS = (
    lambda value, one: value == one,
    lambda value, one: one == value,
    _holds,
    lambda value, one: value < one and value > one,
    lambda value, one: type(one) in (int, float) and abs(value - one) < 1e-9,
    lambda value, one: type(one) in (int, float) and abs(one - value) < 1e-9,
)
