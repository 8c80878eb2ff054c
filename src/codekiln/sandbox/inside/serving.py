"""A trial: the program's part. Nothing that this process says is believed for anything but what a function gives."""

import builtins
import gc
import io
import json
import os
import resource
import socket
import sys
import types
from itertools import count

import plain
import probe
import pyfile
import rewrite
from brief import told
from record import Recorder, run
from wire import Ended, Wire

#: With which a program answers that its tests have ended.
MASK = 0x5A5A5A5A5A5A5A5
#: A limit that the kernel keeps for nothing since version 2.4: kept there, the token is in no object and no memory.
_LOCKS = 10
_ATOMS = (int, float, str, bool, bytes, type(None), complex)


def serve(command):
    """Load a file as a module; then answer what the judge asks over descriptor 3."""
    os.set_inheritable(3, False)
    wire = Wire(socket.socket(fileno=3))
    file = command[0]
    sys.argv = list(command)
    folder = os.path.dirname(os.path.abspath(file))
    sys.path.insert(0, folder)
    pyfile.forget(folder)
    gc.enable()
    module = types.ModuleType(os.path.basename(file).removesuffix(".py"))
    module.__dict__.update(__file__=file, __builtins__=builtins)
    sys.modules[module.__name__] = sys.modules["__main__"] = module
    problem = None
    try:
        with io.open_code(os.path.abspath(file)) as stream:
            source = stream.read()
        exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - held by the box
    except BaseException as error:
        problem = f"{told(error)}{_place(error, file)}"
    try:
        _answer(wire, module.__dict__, file, problem)
    except Ended:
        os._exit(0)


def _place(error, file):
    if isinstance(error, SyntaxError):
        return ""
    where = _where(error, file)
    return f" ({where})" if where else ""


def _where(error, file):
    """The last line of the program that an error came through."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line} of the program" if line else ""


def _answer(wire, namespace, file, problem):
    for _ in count():
        kind, *more = wire.receive()
        if kind == "names":
            if problem is not None:
                wire.send("failed", problem)
            else:
                wire.send(
                    "names",
                    {name: _kind(namespace[name]) for part in more for name in part if name in namespace},
                )
        elif kind in ("call", "case"):
            wire.send(*_called(namespace, file, kind == "call", *more))
        elif kind == "together":
            _together(wire, probe.asked(namespace, file), more)


def _kind(value):
    """What there is under a name: ["call", module, name], ["class"], ["error", base], ["module", name], ["plain",
    tree] or ["other"]."""
    try:
        if isinstance(value, type):
            if issubclass(value, BaseException):
                return ["error", _base(value)]
            known = getattr(sys.modules.get(value.__module__), value.__qualname__, None) is value
            return (
                ["call", value.__module__, value.__qualname__]
                if known and value.__module__ != "__main__"
                else ["class"]
            )
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        try:
            return ["plain", plain.tree(value)]
        except plain.NotPlain:
            pass
        if callable(value):
            module, name = getattr(value, "__module__", ""), getattr(value, "__qualname__", "")
            known = getattr(sys.modules.get(module), name, None) is value
            return ["call", module, name] if known else ["call", "", ""]
    except BaseException:  # an object of the program's own
        return ["other"]
    return ["other"]


def _base(kind):
    """The nearest class of exceptions that is a builtin one."""
    return next(one.__name__ for one in kind.__mro__ if one.__module__ == "builtins")


def _called(namespace, file, tracked, number, name, trees, pairs):
    try:
        arguments = [plain.value(one) for one in trees]
        named = {key: plain.value(one) for key, one in pairs.items()}
        try:
            result = namespace[name](*arguments, **named)
        except BaseException as error:
            return _raised(number, error, file)
        tree = plain.tree(result, bases=not tracked)
        given, changed, same = [*arguments, *named.values()], None, -1
        if tracked and any(type(one) not in _ATOMS for one in given):
            after = [plain.tree(one) for one in given]
            before = [*trees, *pairs.values()]
            same = next((at for at, one in enumerate(given) if one is result), -1)
            if same >= 0 or json.dumps(after) != json.dumps(before):
                changed = ["l", *after]
        return "ok", number, tree, changed, same
    except plain.NotPlain as error:
        return "other", number, str(error)
    except MemoryError:
        return "raised", number, "MemoryError", "MemoryError", None, "", ""


def _raised(number, error, file):
    try:
        text = str(error)
    except BaseException:  # an error of the program's own
        text = ""
    try:
        arguments = plain.tree(tuple(error.args))
        where = _where(error, file)
    except BaseException:
        arguments, where = None, ""
    return "raised", number, type(error).__name__, _base(type(error)), arguments, text[:2000], where


def _together(wire, namespace, told):
    """Run [test code, token] in the program's own namespace, and prove at the end that it ended.

    No frame holds the text of the tests or the token while the program's own code runs.
    """
    resource.setrlimit(_LOCKS, (told.pop(), resource.RLIM_INFINITY))
    tree, _ = rewrite.parsed(told.pop(), "")
    table = rewrite.rewritten(tree)
    code = compile(tree, rewrite.FILE, "exec", dont_inherit=True)
    run(code, namespace, Recorder(lambda one: wire.send("told", one), table, ""))
    wire.send("end", resource.getrlimit(_LOCKS)[0] ^ MASK)
