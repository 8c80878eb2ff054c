"""What attacks have in common: goes into the box beside each of them, and is imported by them there."""

from __future__ import annotations

import ctypes
import json
import os
import platform
from collections.abc import Callable
from typing import Any

try:
    with open("host.json") as _stream:
        #: What the harness tells of itself: ports, names of sockets, paths, process numbers.
        host = json.load(_stream)
except OSError:
    host = {}
libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = {
    "x86_64": {"keyctl": 250, "add_key": 248, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "shmget": 29,
               "shmat": 30, "semget": 64, "msgget": 68, "msgsnd": 69, "mq_open": 240, "memfd_create": 319,
               "io_setup": 206, "kcmp": 312, "clone": 56, "pivot_root": 155, "name_to_handle_at": 303,
               "kexec_load": 246, "init_module": 175, "prlimit64": 302, "setpriority": 141, "quotactl": 179,
               "fanotify_init": 300, "swapon": 167, "reboot": 169, "chmod": 90, "ioprio_set": 251},
    "aarch64": {"keyctl": 219, "add_key": 217, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "shmget": 194,
                "shmat": 196, "semget": 190, "msgget": 186, "msgsnd": 189, "mq_open": 180, "memfd_create": 279,
                "io_setup": 0, "kcmp": 272, "clone": 220, "pivot_root": 41, "name_to_handle_at": 264,
                "kexec_load": 104, "init_module": 105, "prlimit64": 261, "setpriority": 140, "quotactl": 60,
                "fanotify_init": 262, "swapon": 224, "reboot": 142, "ioprio_set": 30},
}[platform.machine()]  # fmt: skip
_NUMBERS.update({"pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428, "fsopen": 430, "clone3": 435,
                 "pidfd_getfd": 438, "memfd_secret": 447, "mount_setattr": 442})  # fmt: skip


def through(what: str) -> None:
    """Tell that something was reached that must not be."""
    os.write(1, f"THROUGH {what}\n".encode("utf-8", "replace"))


def tried() -> None:
    """Tell that all was tried: an attack that ends before this proves nothing."""
    os.write(1, b"TRIED\n")


def attempt(what: str, action: Callable[..., Any], *arguments: Any) -> Any:
    """Do what must fail; its result, or None where it failed."""
    try:
        result = action(*arguments)
    except Exception:
        return None
    through(what)
    return result


def checked(result: int) -> int:
    """The result of a function of the C library; raises OSError where it failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def call(name: str, *arguments: Any) -> int:
    """A system call by name; raises OSError where it failed."""
    return checked(libc.syscall(_NUMBERS[name], *arguments))


def numbers() -> list[int]:
    """Processes that can be seen, without this one."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    return [int(name) for name in names if name.isdigit() and int(name) != os.getpid()]
