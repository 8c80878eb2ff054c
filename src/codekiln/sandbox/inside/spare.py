"""Processes that are forked and held before it is known what they will run."""

import contextlib
import fcntl
import json
import os
import signal
import socket
from functools import partial

import confine
import pyfile
import trial


class Spare:
    """A process that waits: its number, and the socket over which it is told what to be."""

    def __init__(self, process, connection):
        self.process, self.connection = process, connection


def start(box, role):
    """Fork one for a role, "program" or "judge": a Spare; in the fork itself a function that is the program."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = os.fork()
    if process:
        theirs.close()
        return Spare(process, ours)
    number = fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD, 200)
    os.closerange(3, number)
    os.closerange(number + 1, 65536)
    # Closed by number already: as objects they would close what has the number next.
    ours.detach()
    theirs.detach()
    connection = socket.socket(fileno=number)
    problem = None
    try:
        os.setsid()
        confine.enter(box, judge=role == "judge")
    except BaseException as error:  # told where there is somebody to tell
        problem = error
    return _become(box, connection, role, problem)


def begin(box, waiting, header, descriptors, tell):
    """Tell those that wait what to be.

    Raises OSError where one of them is gone.
    """
    pair = socket.socketpair() if header["judge"] else ()
    told = json.dumps(header).encode()
    parts = [told[at : at + 60_000] for at in range(0, len(told), 60_000)]
    # So that the program can open them by name, as /dev/stderr and /proc/self/fd/4.
    for descriptor in descriptors[2:4] if pair else descriptors[2:]:
        if box["user"]:
            with contextlib.suppress(OSError):
                os.fchown(descriptor, box["user"], box["user"])
    for role, one in waiting.items():
        if role == "judge" and not pair:
            continue
        held = list(descriptors)
        if pair:
            # The judge alone holds the channel, and the program none of the judge's memory.
            held = [*held[:4], pair[role == "judge"].fileno(), *(held[4:] if role == "judge" else ())]
        socket.send_fds(one.connection, [str(len(parts)).encode()], [tell, *held])
        for part in parts:
            one.connection.send(part)
        one.connection.close()
    for end in pair:
        end.close()


def _become(box, connection, role, problem):
    """Wait for what to be, and be it. Returns a function where it is Python; else never returns."""
    count, received, _, _ = socket.recv_fds(connection, 16, 9)
    if not count:
        os._exit(0)  # nobody wants it
    header = json.loads(b"".join(connection.recv(1 << 17) for _ in range(int(count))))
    connection.close()
    tell, contents, *held = received
    try:
        if problem:
            raise problem
        # What the process that starts programs has not seen.
        at = sum(length for _, length in header["files"])
        words = json.loads(os.pread(contents, header["words"], at))
        tell = fcntl.fcntl(tell, fcntl.F_DUPFD_CLOEXEC, 100)
        # First out of the way of the numbers that they are to have.
        moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 20) for descriptor in held]
        for number, descriptor in enumerate(moved):
            os.dup2(descriptor, number)
        os.closerange(len(moved), tell)
        confine.limit(box, header["rlimits"], header["hidden"])
        for name, value in words["environment"].items():
            os.environ[name] = value
        if not (header["python"] or header["judge"]):
            os.execvp(words["command"][0], words["command"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.close(tell)
        if role == "judge":
            return partial(trial.judge, header)
        return partial(trial.serve if header["judge"] else pyfile.run, words["command"])
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(tell, f"cannot start: {error}".encode())
    os._exit(126)
