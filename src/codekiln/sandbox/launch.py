"""How the process that starts programs is itself started: in bubblewrap's namespaces, or without any."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codekiln.errors import RunError, UserError
from codekiln.sandbox.groups import Group
from codekiln.sandbox.places import Place

INSIDE = Path(__file__).with_name("inside")
PATH = "/usr/local/bin:/usr/bin:/bin"
#: Where that folder is seen in a box.
_SEEN = "/run/inside"
#: Folders and files of the system that toolchains need.
_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache", "/etc/java-17-openjdk",
    "/etc/java-21-openjdk", "/etc/mono", "/etc/php", "/etc/ssl/openssl.cnf", "/etc/R", "/etc/perl",
)  # fmt: skip
#: What that process may do that programs may not: change its user, end and clean up after programs of that user.
_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN")
#: Where a program's files are, in a box with a root of its own: a name that no folder of a user has.
WORK = "/box"
_WRITABLE = (WORK, "/tmp", "/dev/shm")
#: Users that no account of this machine has; one box has one of them, so that limits count its processes alone.
_FIRST_USER, _USERS = 61_184, 2_000
#: Further on by this: the user of a box's judge.
JUDGES = 2_100
_starters: dict[int, ThreadPoolExecutor] = {}
_starting = threading.Lock()


@dataclass
class Started:
    """A process that waits for programs, and what is to be given back when it has ended.

    Attributes:
        connection: the socket to it.
        user: of the programs; 0 where they are of this process's own.
    """

    process: subprocess.Popen[bytes]
    connection: socket.socket
    user: int
    held: list[socket.socket] = field(default_factory=list)
    folder: Place | None = None


@dataclass(frozen=True)
class Shape:
    """What boxes are made for.

    Attributes:
        disk: bytes that each writable folder may hold.
        folders: of toolchains; programs may read them, under their own paths.
        packages: folders of Python packages; programs may read and import them.
        preload: modules that every Python program has loaded when it starts.
    """

    disk: int
    folders: Sequence[str] = ()
    packages: Sequence[str] = ()
    preload: Sequence[str] = ()


def in_bubblewrap(shape: Shape, group: Group | None) -> Started:
    """Start it as PID 1 of namespaces of its own, over a read-only root with three writable folders of limited size.

    Raises UserError where bubblewrap is not installed.
    """
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        raise UserError("bubblewrap is not installed: apt-get install bubblewrap")
    user, held = _free_user() if os.getuid() == 0 else (0, [])
    settings = _settings(shape, user, WORK, _WRITABLE) | {
        "alone": True,
        "landlock": False,
        "filter": True,
        "kept": sorted({_top(folder) for folder in _below_writable(shape)}),
    }
    told, tell = os.pipe()
    wait, go = os.pipe()
    try:
        walls = [bubblewrap, *_walls(shape), "--info-fd", str(tell), "--block-fd", str(wait), "--"]
        process, connection = _start(walls, _SEEN, settings, [tell, wait])
        os.close(tell)
        tell = -1
        with open(told, "rb", closefd=False) as stream:
            information = stream.read()
        if group and information:
            group.add(json.loads(information)["child-pid"])
        os.write(go, b"go")
    finally:
        for one in (told, tell, wait, go):
            if one >= 0:
                os.close(one)
    return Started(process, connection, user, held)


def bare(shape: Shape, confined: bool) -> Started:
    """Start it without namespaces; its programs are held by Landlock and a filter, or (not `confined`) by limits alone.

    Raises RunError where its folder cannot be reached by the user of the programs.
    """
    user, held = _free_user() if os.getuid() == 0 else (0, [])
    folder = Place()
    writable = [f"{folder.name}/work", f"{folder.name}/tmp"]
    for place in writable:
        os.mkdir(place, 0o700)
        if user:
            os.chown(place, user, user)
    settings = _settings(shape, user, writable[0], writable) | {
        "alone": False,
        "landlock": confined,
        "filter": confined,
        "folder": folder.name,
    }
    process, connection = _start([], str(INSIDE), settings, [])
    return Started(process, connection, user, held, folder)


def _settings(shape: Shape, user: int, work: str, writable: Sequence[str]) -> dict[str, Any]:
    return {
        "user": user,
        "judges": JUDGES,
        "work": work,
        "writable": list(writable),
        "readable": [*_SYSTEM, sys.base_prefix, *shape.folders, *shape.packages],
        "packages": list(shape.packages),
        "folder": "",
        "preload": list(shape.preload),
        "kept": [],
    }


def _start(
    walls: Sequence[str], inside: str, settings: dict[str, Any], passed: Sequence[int]
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    python = [_interpreter(settings), "-I", "-S", "-B", "-X", "utf8", inside]
    try:
        process = _in_lasting_thread(
            [*walls, *python, str(theirs.fileno()), json.dumps(settings)],
            [theirs.fileno(), *passed],
            _environment(settings),
        )
    finally:
        theirs.close()
    return process, ours


def _in_lasting_thread(
    command: Sequence[str], passed: Sequence[int], environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process from a thread that lasts as long as this process.

    The kernel ends a box (`--die-with-parent`) with the thread that started it, not with the process.
    """
    with _starting:
        starter = _starters.get(os.getpid())
        if starter is None:
            _starters.clear()  # after a fork: that thread is in the other process
            starter = _starters[os.getpid()] = ThreadPoolExecutor(1, "sandbox-start")
    return starter.submit(
        subprocess.Popen,
        command,
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=passed,
        start_new_session=True,
    ).result()


def _environment(settings: dict[str, Any]) -> dict[str, str]:
    """All that programs see of variables, but for their own."""
    temporary = settings["writable"][1]
    return {
        "PATH": PATH,
        "HOME": settings["work"],
        "TMPDIR": temporary,
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
    }


def _interpreter(settings: dict[str, Any]) -> str:
    """The interpreter itself, not that of a virtual environment; the system's where programs could not read this one.

    Raises RunError where there is none that they can.
    """
    own = os.path.realpath(sys.executable)
    if settings["alone"] or not settings["user"] or open_to_all(sys.base_prefix):
        return own
    system = shutil.which("python3", path=PATH)
    if system is None:
        raise RunError(
            f"{sys.base_prefix} is closed to other users, and there is no other: apt-get install python3"
        )
    return system


def open_to_all(folder: str) -> bool:
    """Whether any user may enter a folder."""
    return all(os.stat(place).st_mode & 0o001 for place in [Path(folder), *Path(folder).parents])


def _free_user() -> tuple[int, list[socket.socket]]:
    """A user that no other box of this machine has: held by a name that goes with this process, however it ends."""
    for number in range(_USERS):
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            holder.bind(f"\0codekiln-sandbox-user-{number}")
        except OSError:
            holder.close()
            continue
        return _FIRST_USER + number, [holder]
    raise RunError(f"{_USERS} boxes are in use on this machine; end other runs first")


def _walls(shape: Shape) -> list[str]:
    walls = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if os.getuid() == 0:
        walls += ["--cap-drop", "ALL", *(word for one in _CAPABILITIES for word in ("--cap-add", one))]
    else:
        walls += ["--unshare-user", "--disable-userns"]
    walls += ["--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "box"]
    bound = list(dict.fromkeys([*_SYSTEM, sys.base_prefix, *shape.folders, *shape.packages]))
    later = _below_writable(shape)
    walls += _binds([*(folder for folder in bound if folder not in later), _SEEN])
    walls += ["--ro-bind", str(INSIDE), _SEEN, "--proc", "/proc", "--dev", "/dev"]
    for place in _WRITABLE:
        walls += ["--perms", "1777", "--size", str(shape.disk), "--tmpfs", place]
    walls += _binds(later)
    return [*walls, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK]


def _binds(folders: Sequence[str]) -> list[str]:
    """Show folders under their own paths, read-only; `_SEEN` has only the folders above it made."""
    walls: list[str] = []
    above = {str(parent) for folder in folders for parent in Path(folder).parents} - {"/", *_WRITABLE, "/dev"}
    for folder in sorted(above - set(folders)):  # bubblewrap would make them for this process's user alone
        walls += ["--perms", "0755", "--dir", folder]
    for folder in folders:
        if os.path.islink(folder):
            walls += ["--symlink", os.readlink(folder), folder]
        elif folder != _SEEN:
            walls += ["--ro-bind-try", folder, folder]
    return walls


def _below_writable(shape: Shape) -> list[str]:
    """Folders that lie in one that programs write to, such as /tmp: bound after it, and never emptied.

    Raises UserError for a folder that holds such a place, which it would hide.
    """
    found = []
    for folder in dict.fromkeys([*shape.folders, *shape.packages]):
        for place in _WRITABLE:
            if f"{place}/".startswith(f"{folder.rstrip('/')}/"):
                raise UserError(f"{folder}: programs have a {place} of their own; name a folder below it")
            if folder.startswith(f"{place}/"):
                found.append(folder)
    return found


def _top(folder: str) -> str:
    """The entry of a writable place that a folder below it is, or is in."""
    place = next(place for place in _WRITABLE if folder.startswith(f"{place}/"))
    return f"{place}/{folder[len(place) + 1 :].partition('/')[0]}"
