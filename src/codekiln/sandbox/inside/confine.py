"""What a program is held by: another user, limits, a filter of system calls, and (without namespaces) Landlock.

Rules are those of landlock(7), spoken to by its system calls; for the filter see `syscalls.py`.
"""

import contextlib
import ctypes
import os
import resource
import signal
import struct

import syscalls

#: prctl(2)
_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 4, 36, 38
#: capset(2): version 3 of its structures.
_CAPABILITIES = 0x20080522
_LANDLOCK = {"create": 444, "add": 445, "restrict": 446}
#: Access rights of files by the version of Landlock that brought them; those of reading and executing.
_FILE_RIGHTS = {1: 0x1FFF, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_READ = 0b1101  # execute, read a file, list a folder
#: To read files, write them and change their length: all that a device such as /dev/null is for.
_DEVICE = 0b110 | 1 << 14 | 1 << 15
_REFER, _NET_RIGHTS, _SCOPES = 1 << 13, 0b11, 0b11

_libc = ctypes.CDLL(None, use_errno=True)


def prepare(box):
    """Make this process ready to start programs: none of them can read it or write to it, all are its children."""
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl")
    if not box["alone"]:  # no PID namespace, whose PID 1 is the parent of orphans anyhow
        _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
    box["bounded"] = not (box["alone"] or box["user"]) and bool(box["landlock"]) and landlock_version() >= 6
    if box["bounded"]:
        _bound_signals()
    os.umask(0o022)
    if box["filter"]:
        filtered = syscalls.instructions(box, os.getpid(), landlock_version())
        if not _by_process(box):  # it holds this process, too, which needs nothing that it refuses
            _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
            syscalls.hold(filtered)


def _by_process(box):
    """Whether the filter is another one for each program: where programs are of the same user as this process, or
    Landlock does not hold signals yet."""
    return not box["user"] or (box["landlock"] and landlock_version() < 6)


def enter(box, judge):
    """Hold this process and all that it starts, for good.

    Args:
        judge: it is the process that holds expected values: of a user of its own where there can be one, and its
            memory is closed to others.
    """
    # Where memory runs out it is the program that goes, not the process that tells of it.
    with contextlib.suppress(OSError):
        handle = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(handle, b"1000")
        os.close(handle)
    rules = _landlock(box) if box["landlock"] else None
    if os.getuid() == 0 and box["user"]:
        user = box["user"] + judge * box["judges"]
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    _check(_libc.capset(struct.pack("<Ii", _CAPABILITIES, 0), bytes(24)), "capset")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    if rules is not None:
        _check(_libc.syscall(_LANDLOCK["restrict"], rules, 0), "landlock")
        os.close(rules)
    _check(_libc.prctl(_PR_SET_DUMPABLE, int(not judge), 0, 0, 0), "prctl")
    if box["filter"] and _by_process(box):
        syscalls.hold(syscalls.instructions(box, os.getpid(), landlock_version()))


def limit(box, limits, hidden):
    """Limit this process, which is held already, further.

    Args:
        limits: name of a limit of `resource` -> [soft, hard].
        hidden: its memory is closed to itself, too, as far as files in /proc go.
    """
    for kind, values in limits.items():
        number = getattr(resource, kind)
        most = resource.getrlimit(number)[1]  # that of the box itself, which no limit may be above
        resource.setrlimit(number, [one if most < 0 else min(one, most) for one in values])
    if hidden:
        _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl")
    data = "RLIMIT_DATA" in limits
    if box["filter"] and (hidden or data):
        syscalls.hold(syscalls.further(hidden, data))


def end_all(box, children):
    """End every program, and what it started; {child: wait status}, seconds of processor time, largest peak in KiB.

    Whoever loses its parent becomes a child of this process: without children there is nobody left.
    """
    statuses, cpu, peak, how_to_wait = {}, 0.0, 0, os.WNOHANG
    while True:
        try:
            which, how, used = os.wait4(-1, how_to_wait)
        except ChildProcessError:
            return statuses, cpu, peak
        if which == 0:
            _kill_all(box)
            how_to_wait = 0  # one of those is about to end
            continue
        how_to_wait = os.WNOHANG
        cpu += used.ru_utime + used.ru_stime
        peak = max(peak, used.ru_maxrss)
        if which in children:
            statuses[which] = how


def _bound_signals():
    """Let the signals of this process, and of all that it starts, reach nothing but what it starts.

    It is of the same user as the processes of this machine that programs must not harm; with this it may end all of its
    own at once, faster than any of them can fork.
    """
    rules = _check(
        _libc.syscall(_LANDLOCK["create"], struct.pack("<QQQ", _REFER, 0, _SCOPES), 24, 0), "landlock"
    )
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    # Links and moves between folders are refused by any rules that do not allow them.
    _check(_libc.syscall(_LANDLOCK["add"], rules, 1, struct.pack("<Qi", _REFER, root), 0), "landlock")
    os.close(root)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    _check(_libc.syscall(_LANDLOCK["restrict"], rules, 0), "landlock")
    os.close(rules)


def _kill_all(box):
    if box["alone"] or box["bounded"]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        return
    if os.getuid() == 0 and box["user"]:
        _kill_users(range(box["user"], box["user"] + 2 * box["judges"], box["judges"]))
    # What is left is below this process, which all come to whose parents have gone.
    for _ in range(1000):
        found = _below(os.getpid())
        if not found:
            return
        for process in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        if all(_dead(process) for process in found):
            return


def _kill_users(users):
    """End all processes of users that only programs of this box have."""
    for user in users:
        child = os.fork()
        if child == 0:
            try:
                os.setresuid(user, user, user)
                os.kill(-1, signal.SIGKILL)
            finally:
                os._exit(0)
        os.waitpid(child, 0)


def _below(process):
    """The processes below one, the near ones first."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
                parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
    found, last = [], [process]
    while last:
        last = [one for one, parent in parents.items() if parent in last]
        found += last
    return found


def _dead(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def landlock_version():
    """The version of Landlock that the kernel offers, 0 for none."""
    return max(0, _libc.syscall(_LANDLOCK["create"], None, 0, 1))


def _landlock(box):
    """A descriptor of the rules for this process; they hold once it is told to be restricted by them."""
    version = landlock_version()
    rights = 0
    for since, bits in _FILE_RIGHTS.items():
        rights |= bits if version >= since else 0
    attributes = struct.pack(
        "<QQQ", rights, _NET_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0
    )
    attributes = attributes[: 24 if version >= 6 else 16 if version >= 4 else 8]
    rules = _check(_libc.syscall(_LANDLOCK["create"], attributes, len(attributes), 0), "landlock")
    own = f"/proc/{os.getpid()}"
    allowed = [(path, _READ) for path in (*box["readable"], own)]
    allowed += [
        (path, _DEVICE) for path in ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
    ]
    allowed += [(path, rights) for path in box["writable"]]
    for path, given in allowed:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        given &= rights
        if not os.path.isdir(path):
            given &= 0b111 | 1 << 14 | 1 << 15
        rule = struct.pack("<Qi", given, place)
        _check(_libc.syscall(_LANDLOCK["add"], rules, 1, rule, 0), f"landlock: {path}")
        os.close(place)
    return rules


def _check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
