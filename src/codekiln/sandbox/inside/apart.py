"""A program in another process, as test code sees it: functions that call it, and values that are plain data."""

import builtins
import collections
import importlib

import plain
from plain import NotPlain
from wire import Ended

#: Modules whose functions are theirs, wherever test code takes them from.
_KNOWN = (
    "bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "itertools",
    "json", "math", "numpy", "operator", "random", "re", "statistics", "string", "sys", "typing",
)  # fmt: skip
_PAIRS = (dict, collections.Counter, collections.OrderedDict, collections.defaultdict)
_CHANGEABLE = {*_PAIRS, list, set, bytearray, collections.deque}


class Strange(Exception):
    """An answer that is none."""


_errors = {}


def error_class(name, base):
    """The class for a program's exception: a builtin one, or one of that name made from the nearest builtin."""
    own = getattr(builtins, name, None)
    if isinstance(own, type) and issubclass(own, BaseException):
        return own
    if name not in _errors:
        above = getattr(builtins, base, None)
        if not (isinstance(above, type) and issubclass(above, BaseException)):
            above = Exception
        _errors[name] = type(name, (above,), {})
    return _errors[name]


def answer(said, number):
    """(result, changed arguments) of an answer: ["ok", number, tree, trees or None, argument or -1], or an error.

    Raises NotPlain, Strange, and what the program raised.
    """
    try:
        kind, which, *more = said
        if which != number:
            raise Strange("it answered what was not asked")
        if kind == "ok":
            result, changed, same = more
            return plain.value(result), None if changed is None else plain.value(changed), int(same)
        if kind == "other":
            reason = str(more[0])[:200]
        elif kind == "raised":
            name, base, arguments, text, where = more
            error = _error(str(name)[:100], str(base), arguments, str(text)[:2000], str(where)[:100])
        else:
            raise Strange("it answered what is no answer")
    except (ValueError, TypeError, LookupError) as problem:
        raise Strange(f"it answered what is no answer: {str(problem)[:100]}") from None
    if kind == "other":
        raise NotPlain(reason)
    raise error


def _error(name, base, arguments, text, where):
    kind = error_class(name, base)
    try:
        error = kind(*(plain.value(arguments) if arguments is not None else (text,)))
    except Exception:  # some want arguments of a certain kind
        error = type(name, (Exception,), {})(text)
    try:
        error._where = where
    except AttributeError:
        return error
    return error


class Program:
    """The program at the other end of a wire."""

    def __init__(self, wire, report):
        self._wire, self._report, self._calls = wire, report, 0
        self._asked = set()

    def namespace(self, found, names, own, entry):
        """Name -> what test code has for it, of what the program said that it has."""
        asked = [name for name in dict.fromkeys([*names, entry]) if name]
        if not entry and not any(
            type(found.get(name)) is list and found[name][0] == "call" for name in asked
        ):
            asked += (
                own  # a function with the name of a builtin one; else that is not the program's to change
            )
        self._asked = set(asked)
        made = {}
        for name in asked:
            if type(found.get(name)) is list and found[name]:
                try:
                    made[name] = self._object(name, found[name], name == entry)
                except (plain.Damaged, TypeError, LookupError, ImportError):
                    raise Strange("it answered what is no answer") from None
        return made

    def _object(self, name, said, is_entry):
        kind, *more = said
        if kind == "call" and len(more) == 2 and more[0] in _KNOWN and not is_entry:
            return getattr(importlib.import_module(more[0]), str(more[1]))
        if kind == "call":
            return Function(self, name)
        if kind == "error":
            return error_class(name, str(more[0]))
        if kind == "module" and more[0] in _KNOWN:
            return importlib.import_module(more[0])
        if kind == "plain":
            return plain.value(more[0])
        return _Absent(name, (), {"_end": self.end})

    def missing(self, name):
        """For what test code asks of the program's module and was not foreseen."""
        if name.startswith("__") or name in self._asked:
            raise AttributeError(f"the program has no {name}")
        self.end(f"{name} of its module")

    def end(self, reason):
        """Test code needs what is not plain data."""
        self._report.end("not plain", reason=reason)

    def call(self, name, arguments, named):
        """Call a function of the program."""
        number = self._calls = self._calls + 1
        if _holds_twice([*arguments, *named.values()]):
            self.end(f"{name} is given one object in two places")
        try:
            trees = [plain.tree(one) for one in arguments]
            pairs = {key: plain.tree(one) for key, one in named.items()}
        except NotPlain as error:
            self.end(f"{name} is given {error}")
        self._report.flush()
        # Of what is no answer test code must not hear: it might expect an error.
        try:
            self._wire.send("call", number, name, trees, pairs)
            result, changed, same = answer(self._wire.receive(), number)
        except NotPlain as error:
            self.end(f"{name} gives {error}")
        except Ended as error:
            self._report.end("gone", reason=str(error))
        except Strange as error:
            self._report.end("strange", reason=str(error))
        if changed is not None:
            given = [*arguments, *named.values()]
            for old, new in zip(given, changed):
                merged(old, new)
            if 0 <= same < len(given) and type(given[same]) in (list, dict, set, bytearray):
                return given[same]
        return result


_OF_FUNCTIONS = (
    "__annotations__",
    "__code__",
    "__defaults__",
    "__kwdefaults__",
    "__globals__",
    "__closure__",
)


class Function:  # a function of the program; its text is the program's
    def __init__(self, program, name):
        self._program, self.__name__, self.__qualname__ = program, name, name

    def __call__(self, *arguments, **named):
        return self._program.call(self.__name__, arguments, named)

    @property
    def __doc__(self):
        return self._program.end("__doc__ of a function")

    def __getattr__(self, name):
        if name.startswith("__") and name not in _OF_FUNCTIONS:
            raise AttributeError(name)
        return self._program.end(f"{name} of a function")


class _Absent(type):
    """A class or an object of the program: whatever is done with it cannot be done here."""

    def __call__(cls, *arguments, **named):
        cls.__dict__["_end"](f"{cls.__name__}, which is an object of its own")

    __instancecheck__ = __subclasscheck__ = __iter__ = __getitem__ = __len__ = __bool__ = __eq__ = __lt__ = (
        __call__
    )
    __hash__ = type.__hash__

    def __getattr__(cls, name):
        if not name.startswith("__"):
            cls()
        raise AttributeError(name)


def merged(old, new):
    """What stands for `old` once it has the content of `new`: itself where it can be changed in place."""
    kind = type(old)
    if kind is not type(new):
        return new
    if kind is list:
        old[:] = [merged(one, other) for one, other in zip(old, new)] + new[len(old) :]
    elif kind in _PAIRS:
        pairs = [(key, merged(old[key], value) if key in old else value) for key, value in new.items()]
        old.clear()
        old.update(dict(pairs))
    elif kind in (set, collections.deque):
        old.clear()
        (old.update if kind is set else old.extend)(new)
    elif kind is bytearray:
        old[:] = new
    elif kind is tuple and len(old) == len(new):
        parts = [merged(one, other) for one, other in zip(old, new)]
        return old if all(one is other for one, other in zip(old, parts)) else tuple(parts)
    elif kind.__name__ == "ndarray" and old.shape == new.shape and old.dtype == new.dtype:
        old[...] = new
    else:
        return new
    return old


def _holds_twice(values):
    """Whether an object that can be changed is in two places, which its text does not tell."""
    seen, left = set(), values
    while left:
        one = left.pop()
        kind = type(one)
        if kind in _CHANGEABLE:
            if id(one) in seen:
                return True
            seen.add(id(one))
        parts = one.values() if kind in _PAIRS else one if kind in (list, tuple, collections.deque) else ()
        if not _CHANGEABLE.isdisjoint(map(type, parts)) or tuple in map(type, parts):
            left += parts
    return False
