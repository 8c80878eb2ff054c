"""A trial: the judge's part, in a process of its own, which alone has the tests and tells what came of them."""

import ast
import copy
import json
import os
import signal
import socket
import sys
import types
from collections import deque
from itertools import count

import apart
import canary
import plain
import rewrite
from brief import brief, equal, told
from record import Recorder, run
from serving import MASK, serve
from wire import Ended, Wire

__all__ = ["judge", "serve"]
#: Bytes that may be on their way to the program without an answer, and what the kernel adds to each message: less than
#: a socket holds (212,992), or both sides might wait for each other.
_AHEAD, _EACH = 65_536, 2_048


class Report:
    """What the judge says to the outside: a line of JSON for each thing."""

    def __init__(self, descriptor):
        self._descriptor, self._held, self._size = descriptor, [], 0

    def add(self, document):
        """Say something, at the latest before the program is waited for."""
        line = json.dumps(document, separators=(",", ":")).encode() + b"\n"
        # More than a MiB would end the trial: then only failures are told, of which there are few.
        if self._size < 900_000 or "at" not in document:
            self._size += len(line)
            self._held.append(line)

    def flush(self):
        if self._held:
            data, self._held = b"".join(self._held), []
            while data:
                data = data[os.write(self._descriptor, data) :]

    def end(self, how, **more):
        """Say how the trial ended, and end this process."""
        self.add({"end": how, **more})
        self.flush()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                continue
        os._exit(0)


def judge(header):
    """Judge the program at the other end of descriptor 3 by the plan that descriptor 4 gives; tell it to 5."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    report = Report(5)
    with open(4, "rb") as stream:
        plan = json.loads(stream.read())
    wire = Wire(socket.socket(fileno=3))
    try:
        (_cases if "cases" in plan else _together if plan["shared"] else _apart)(plan, wire, report)
    except Ended as error:
        report.end("gone", reason=str(error))
    except apart.Strange as error:
        report.end("strange", reason=str(error))


def _apart(plan, wire, report):
    """Test code in this process, which calls the program for what it asks of it."""
    try:
        tree, text = rewrite.parsed(plan["tests"], plan["entry"])
        table = rewrite.rewritten(tree)
        code = compile(tree, rewrite.FILE, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        report.end("tests", reason=told(error))
    names, own = rewrite.names(code)
    wire.send("names", [*names, plan["entry"]], own)
    report.flush()
    program = apart.Program(wire, report)
    found = _loaded(wire, report)
    namespace = {"__name__": "tests", "__builtins__": __builtins__}
    namespace.update(program.namespace(found, names, own, plan["entry"]))
    # Test code may import the program by its file's name.
    module = types.ModuleType(plan["module"])
    module.__getattr__ = program.missing
    module.__dict__.update({name: value for name, value in namespace.items() if not name.startswith("__")})
    sys.modules.setdefault(plan["module"], module)
    sys.modules["__main__"] = module
    error = run(code, namespace, Recorder(report.add, table, text))
    if isinstance(error, ModuleNotFoundError) and not hasattr(error, "_where"):
        report.end("tests", reason=told(error))
    report.end("finished", total=len(table))


def _loaded(wire, report):
    """What the program has of the names that were asked for."""
    answer = wire.receive()
    if answer[0] == "failed" and len(answer) == 2 and type(answer[1]) is str:
        report.end("broken", reason=answer[1][:1000])
    if answer[0] != "names" or len(answer) != 2 or type(answer[1]) is not dict:
        raise Ended("it wrote what is no answer")
    return answer[1]


def _cases(plan, wire, report):
    """Arguments and expected values."""
    entry, how = plan["entry"], plan["compare"]
    wire.send("names", [entry], [])
    found = _loaded(wire, report)
    if type(found.get(entry)) is not list or found[entry][0] not in ("call", "class"):
        report.end("broken", reason=f"it defines no function {entry}")
    cases, most = plan["cases"], plan["most"]
    messages = (wire.packed("case", number, entry, one[0], one[1]) for number, one in enumerate(cases))
    coming, ahead, under_way, failures = next(messages, None), deque(), 0, 0
    for number, case in enumerate(cases):
        while coming is not None and (not ahead or under_way + len(coming) + _EACH <= _AHEAD):
            wire.push(coming)
            ahead.append(len(coming) + _EACH)
            under_way += ahead[-1]
            coming = next(messages, None)
        report.add({"at": number})
        report.flush()
        try:
            got = apart.answer(wire.receive(), number)[0]
        except apart.NotPlain as error:
            detail = f"it gives {error}"
        except (Ended, apart.Strange):
            raise
        except BaseException as error:
            detail = told(error)
        else:
            expected, (compare, rtol, atol) = plain.value(case[2]), case[3] or how
            try:
                detail = "" if equal(got, expected, compare, rtol, atol) else None
            except BaseException as error:
                detail = told(error)
            if detail is None:
                detail = f"expected {brief(expected)}, got {brief(got)}"
        under_way -= ahead.popleft()
        if detail:
            report.add({"fail": number, "detail": detail[:1000]})
            failures += 1
            if failures >= most:
                break
    report.end("finished", total=len(cases))


def _together(plan, wire, report):
    """Test code in the program's process; it must know at the end what it was told at the beginning."""
    try:
        tree, text = rewrite.parsed(plan["tests"], plan["entry"])
        must_fail, methods = canary.added(tree) if plan["canary"] else ([], [])
        source = ast.unparse(tree)  # the same with canaries and without
        table = rewrite.rewritten(copy.copy(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        report.end("tests", reason=told(error))
    wire.send("names", [], [])
    _loaded(wire, report)
    token = int.from_bytes(os.urandom(8), "big") >> 4
    wire.send("together", source, token)
    report.flush()
    begun, failed = {}, set()
    recorder = Recorder(report.add, table, text)
    for _ in count():
        said = wire.receive()
        if said[0] == "end" and len(said) == 2:
            break
        one = said[1] if said[0] == "told" and len(said) == 2 else None
        if type(one) is not dict or len(begun) > 20_000:
            raise Ended("it wrote what is no answer")
        at, failing = one.get("at"), one.get("fail")
        if type(at) is int and at not in begun:
            begun[at] = str(one.get("name", ""))[:200]
            if 0 <= at < len(table):
                recorder.begin(at)
            else:
                report.add({"at": at, "name": begun[at], "source": str(one.get("source", ""))[:1000]})
        elif type(failing) is int and failing in begun:
            failed.add(failing)
            report.add({"fail": failing, "detail": str(one.get("detail", ""))[:1000]})
        else:
            raise Ended("it wrote what is no answer")
        report.flush()
    if said[1] != token ^ MASK:
        report.end("forged", reason="what ended its tests was not the tests' end")
    nodes = {id(node) for node in must_fail}
    doomed = {number for number, (_, _, node) in enumerate(table) if id(node) in nodes}
    doomed |= {number for number, name in begun.items() if name in methods}
    lost = not doomed <= failed or len(doomed) != len(must_fail) + len(methods)
    report.end(
        "finished", total=len(table), canary="lost" if lost else "held" if failed == doomed else "other"
    )
