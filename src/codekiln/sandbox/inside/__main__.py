"""Runs one program at a time, ends all of it, cleans up, and tells what came of it.

Runs with the standard library alone, as PID 1 of a box, or (where there are no namespaces) as the reaper of all that
its programs start. Requests come over the socket whose number is the first argument: "r", with descriptors,
eight bytes of length, then that many bytes of JSON; "k" ends what runs. The descriptors: the files' contents one after
another and then, as JSON, the command and the environment; the program's stdin, stdout and stderr, and (where it has a
channel) one to read from and one to write to. The second argument is JSON, too: see `launch.py`.

Neither contents nor words pass through this process's memory, which every program has a copy of. Python programs are run
by a fork of this process, which has loaded common modules already; the fork for the next program waits before it comes.
"""

import _sitebuiltins
import builtins
import contextlib
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import time

import confine
import folders
import spare

#: Modules that programs use most and that take long to load; a fork has them for nothing. Others make every fork dearer
#: than they are worth: threading by a quarter, random (which is seeded anew in each) and unittest by a sixth.
_COMMON = (
    "abc", "array", "ast", "bisect", "collections", "contextlib", "copy", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "functools", "heapq", "inspect", "io", "itertools", "json", "math", "operator", "re", "string", "traceback",
    "types", "typing", "atexit",
)  # fmt: skip
#: Seconds between looks at how many files a program has made.
_LOOK = 0.05


class Ended(Exception):
    """The other side is gone."""


def main():
    """Serve requests; in a fork that is to be a Python program return a function that is it."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    box = json.loads(sys.argv[2])
    confine.prepare(box)
    sys.path[:] = [*(entry for entry in sys.path if entry != os.path.dirname(__file__)), *box["packages"]]
    for name in (*_COMMON, *box["preload"]):
        __import__(name)
    # What `python FILE` has of the site module.
    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    builtins.help = _sitebuiltins._Helper()
    # None of this folder's names shadows one of a program's own modules.
    for name in [name for name, one in sys.modules.items() if _is_ours(one)]:
        del sys.modules[name]
    os.chdir(box["work"])
    folders.clean(box["writable"], box["kept"])
    # What was loaded is shared with programs; to look through it for garbage would copy it.
    gc.collect()
    gc.freeze()
    gc.disable()
    connection.sendall(b"ready\n")
    try:
        return _serve(connection, box)
    except (Ended, ConnectionError):
        if box["folder"]:  # the other side may have been ended before it could
            confine.end_all(box, [])
            folders.clean(box["writable"], box["kept"])
            with contextlib.suppress(OSError):
                for place in (*box["writable"], box["folder"]):
                    os.rmdir(place)
    return None


def _serve(connection, box):
    """Run programs until the other side is gone; in a fork, the program."""
    roles = ("program",)
    while True:
        waiting = {}
        for role in roles:
            one = spare.start(box, role)
            if callable(one):
                return _let_go(one, connection, waiting)
            waiting[role] = one
        header, descriptors = _read(connection)
        roles = ("program", "judge") if header["judge"] else ("program",)
        for role in roles:
            if role not in waiting:
                one = spare.start(box, role)
                if callable(one):
                    return _let_go(one, connection, waiting)
                waiting[role] = one
        _run(connection, box, header, waiting, *descriptors)


def _let_go(program, connection, waiting):
    """In a fork: the program, once these no longer close descriptors whose numbers are the program's now."""
    connection.detach()
    for one in waiting.values():
        one.connection.detach()
    return program


def _is_ours(module):
    return (
        module.__name__ != "__main__"
        and os.path.dirname(getattr(module, "__file__", "") or "") == sys.argv[0]
    )


def _read(connection):
    """(header, descriptors) of the next request."""
    begin = b"k"
    while begin == b"k":  # it came too late: the program had ended by itself
        begin, descriptors, _, _ = socket.recv_fds(connection, 1, 6)
    if not begin:
        raise Ended
    length = struct.unpack("<Q", _exactly(connection, 8))[0]
    return json.loads(_exactly(connection, length)), descriptors


def _exactly(connection, size):
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise Ended
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _run(connection, box, header, waiting, contents, *descriptors):
    """Run a program and answer."""
    try:
        folders.write(box["work"], header["files"], contents, box["user"])
    except (OSError, ValueError) as error:
        _close([contents, *descriptors])
        _over(connection, box, waiting, f"cannot write its files: {error}")
        return
    # Says what went wrong before a program began; it begins with its end of this closed.
    trouble, tell = os.pipe()
    begun = time.monotonic()
    try:
        spare.begin(box, waiting, header, [contents, *descriptors], tell)
    except OSError as error:
        _close([contents, *descriptors, trouble, tell])
        _over(connection, box, waiting, f"cannot start: {error}")
        return
    _close([contents, *descriptors, tell])
    # Where there is a judge it is the one to wait for.
    child = waiting["judge" if header["judge"] else "program"].process
    ended = _wait(connection, child, begun + header["wall"], box)
    wall = time.monotonic() - begun
    statuses, cpu, peak = confine.end_all(box, [one.process for one in waiting.values()])
    with open(trouble, "rb") as stream:
        problem = stream.read(1000).decode("utf-8", "replace")
    if problem:
        _over(connection, box, {}, problem)
        return
    answer = {
        "status": statuses[child], "program": statuses[waiting["program"].process], "wall": wall, "cpu": cpu,
        "peak": peak, "ended": ended,
    }  # fmt: skip
    keeps = header["keep"] and ended != "files"
    if keeps:
        # In a process of its own: what compilers make is not to be in the memory of later programs.
        collector = os.fork()
        if collector == 0:
            _answer_with_files(connection, box, header, answer)
        os.waitpid(collector, 0)
    folders.clean(box["writable"], box["kept"])
    if not keeps:
        problem = "it made too many files" if ended == "files" else ""
        _answer(connection, {**answer, "files": [], "problem": problem})


def _answer_with_files(connection, box, header, answer):
    try:
        try:
            known = {path for path, _ in header["files"]}
            made, problem = folders.collect(box["work"], header["keep"], known, header["kept"]), ""
        except (OSError, ValueError, RecursionError) as error:
            made, problem = [], str(error)
        _answer(
            connection, {**answer, "files": [[path, len(part)] for path, part in made], "problem": problem}
        )
        for _, content in made:
            connection.sendall(content, socket.MSG_NOSIGNAL)
    finally:
        os._exit(0)


def _over(connection, box, waiting, problem):
    """Answer that a program could not be run."""
    for one in waiting.values():
        one.connection.close()
    confine.end_all(box, [one.process for one in waiting.values()])
    folders.clean(box["writable"], box["kept"])
    _answer(connection, {"error": problem})


def _wait(connection, child, deadline, box):
    """Until a program is done: "done", "timeout", "files", or "told" where the other side wants its end."""
    handle = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.register(connection, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            ready = poll.poll(max(0, min(left, _LOOK) * 1000))
            if any(which == handle for which, _ in ready):
                return "done"
            if ready:
                connection.recv(1)
                return "told"
            if left <= 0:
                return "timeout"
            # Without mounts of its own what they count is the whole machine's.
            if box["alone"] and folders.crowded(box["writable"]):
                return "files"
    finally:
        os.close(handle)


def _answer(connection, document):
    connection.sendall(json.dumps(document).encode() + b"\n", socket.MSG_NOSIGNAL)


def _close(descriptors):
    for descriptor in descriptors:
        os.close(descriptor)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # process 1 is spared what it has no handler for
    program = main()
    if program is not None:
        program()
        os._exit(0)
