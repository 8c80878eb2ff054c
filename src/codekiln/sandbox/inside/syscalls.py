"""The filter of system calls that programs are held by: seccomp's classic BPF (seccomp(2))."""

import ctypes
import errno
import os
import platform
import struct

#: prctl(2)
_PR_SET_DUMPABLE, _PR_SET_SECCOMP = 4, 22
#: Seccomp: (architecture, system calls by name). Of x86-64 and AArch64 the numbers differ; 424 and above are one.
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS = {
    "x86_64": {
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "unshare": 272, "setns": 308,
        "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "keyctl": 250, "add_key": 248,
        "request_key": 249, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "kexec_load": 246,
        "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176, "reboot": 169,
        "swapon": 167, "swapoff": 168, "acct": 163, "quotactl": 179, "syslog": 103, "sethostname": 170,
        "setdomainname": 171, "name_to_handle_at": 303, "open_by_handle_at": 304, "fanotify_init": 300,
        "mq_open": 240, "msgget": 68, "shmget": 29, "iopl": 172, "ioperm": 173, "modify_ldt": 154,
        "semget": 64, "semop": 65, "semctl": 66, "semtimedop": 220, "shmat": 30, "shmctl": 31, "msgsnd": 69, "msgrcv": 70,
        "msgctl": 71, "io_setup": 206, "socketpair": 53, "mmap": 9, "fcntl": 72, "prlimit64": 302, "setpriority": 141,
        "ioprio_set": 251, "sched_setaffinity": 203, "sched_setscheduler": 144, "sched_setparam": 142,
        "sched_setattr": 314, "migrate_pages": 256, "move_pages": 279, "chmod": 90, "fchmod": 91, "fchmodat": 268,
        "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260, "utime": 132, "utimes": 235, "futimesat": 261,
        "utimensat": 280, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198,
        "fremovexattr": 199, "inotify_init": 253, "inotify_init1": 294, "flock": 73,
        "memfd_create": 319, "clone": 56, "socket": 41, "kill": 62, "tkill": 200, "tgkill": 234,
        "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "prctl": 157, "ioctl": 16,
    },
    "aarch64": {
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "unshare": 97, "setns": 268,
        "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "keyctl": 219, "add_key": 217,
        "request_key": 218, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "kexec_load": 104,
        "kexec_file_load": 294, "init_module": 105, "finit_module": 273, "delete_module": 106, "reboot": 142,
        "swapon": 224, "swapoff": 225, "acct": 89, "quotactl": 60, "syslog": 116, "sethostname": 161,
        "setdomainname": 162, "name_to_handle_at": 264, "open_by_handle_at": 265, "fanotify_init": 262,
        "mq_open": 180, "msgget": 186, "shmget": 194,
        "semget": 190, "semop": 193, "semctl": 191, "semtimedop": 192, "shmat": 196, "shmctl": 195, "msgsnd": 189,
        "msgrcv": 188, "msgctl": 187, "io_setup": 0, "socketpair": 199, "mmap": 222, "fcntl": 25, "prlimit64": 261,
        "setpriority": 140, "ioprio_set": 30, "sched_setaffinity": 122, "sched_setscheduler": 119,
        "sched_setparam": 118, "sched_setattr": 274, "migrate_pages": 238, "move_pages": 239, "fchmod": 52,
        "fchmodat": 53, "fchown": 55, "fchownat": 54, "utimensat": 88, "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7,
        "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "inotify_init1": 26, "flock": 32,
        "memfd_create": 279, "clone": 220, "socket": 198, "kill": 129, "tkill": 130, "tgkill": 131,
        "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240, "prctl": 167, "ioctl": 29,
    },
}  # fmt: skip
_COMMON_CALLS = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "clone3": 435, "pidfd_getfd": 438,
    "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447, "fchmodat2": 452, "setxattrat": 463,
    "removexattrat": 466, "open_tree_attr": 467,
}  # fmt: skip
#: Refused as if the kernel did not know them, so that libraries take another way.
_UNKNOWN = ("clone3", "memfd_create", "io_uring_setup", "io_uring_enter", "io_uring_register", "io_setup")
_SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
#: What they change of another process its user may change; their first argument is a process.
_OF_PROCESSES = ("prlimit64", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr",
                 "migrate_pages", "move_pages")  # fmt: skip
#: What they change of a file its owner may change, wherever it is; Landlock does not hold them.
_OF_OWNERS = ("chmod", "fchmod", "fchmodat", "fchmodat2", "utime", "utimes", "futimesat", "utimensat", "setxattr",
              "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "setxattrat", "removexattrat")  # fmt: skip
_CHANGES_OF_OWNER = ("chown", "fchown", "lchown", "fchownat")
#: With conditions of their own.
_CONDITIONAL = ("clone", "socket", "socketpair", "prctl", "ioctl", "pidfd_send_signal", "mmap", "fcntl", "setpriority",
                "ioprio_set", "flock", *_SIGNALS, *_OF_PROCESSES, *_OF_OWNERS,
                *_CHANGES_OF_OWNER)  # fmt: skip
_NEW_NAMESPACES = 0x7E020000
_TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP = 0x5412, 0x541C, 0x8901, 0x8902
_F_SETOWN, _F_SETOWN_EX = 8, 15
_SOCK_STREAM, _SOCK_SEQPACKET = 1, 5
_SHARED_WITHOUT_FILE = 0x21  # MAP_SHARED, MAP_ANONYMOUS
_FAMILIES = (1, 2, 10, 16)  # of sockets, in a namespace of their own: local, IPv4, IPv6, netlink

#: Instructions, and what a filter answers.
_LOAD, _EQUAL, _ANY_BIT, _MASK, _GIVE = 0x20, 0x15, 0x45, 0x54, 0x06
_ALLOW, _KILL, _DONE = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE, _UNKNOWN_TO_KERNEL, _FULL = _DONE | errno.EPERM, _DONE | errno.ENOSYS, _DONE | errno.ENOMEM

_libc = ctypes.CDLL(None, use_errno=True)


def hold(program):
    """Hold this process and all that it starts by a filter, for good."""
    code = ctypes.create_string_buffer(program)
    attributes = struct.pack("@HL", len(program) // 8, ctypes.addressof(code))
    if _libc.prctl(_PR_SET_SECCOMP, 2, ctypes.create_string_buffer(attributes), 0, 0) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


class _Filter:
    """The instructions of a filter, 8 bytes each.

    Raises OSError where there is none for this machine's processor.
    """

    def __init__(self):
        machine = platform.machine()
        if machine not in _CALLS:
            raise OSError(errno.ENOSYS, f"no filter of system calls is written for {machine}")
        self.calls = {**_CALLS[machine], **_COMMON_CALLS}
        self.parts = [
            _one(_LOAD, 4),
            _one(_EQUAL, _ARCHITECTURES[machine], 1, 0),
            _one(_GIVE, _KILL),
            _one(_LOAD, 0),
        ]
        if machine == "x86_64":  # calls of the x32 form
            self.parts += [_one(_ANY_BIT, 0x40000000, 0, 1), _one(_GIVE, _KILL)]

    def where(self, name, *test):
        """For one call: a test that goes on to what follows it, or skips that."""
        if name in self.calls:
            body = b"".join([*test, _one(_GIVE, _ALLOW)])
            self.parts.append(_one(_EQUAL, self.calls[name], 0, len(body) // 8) + body)

    def only(self, name, number, *values):
        """Refuse a call unless one of its arguments is one of these."""
        tests = [_one(_EQUAL, value, len(values) - at, 0) for at, value in enumerate(values)]
        self.where(name, _argument(number), *tests, _one(_GIVE, _REFUSE))

    def never(self, name, number, *values):
        """Refuse a call where one of its arguments is one of these."""
        last = len(values) - 1
        tests = [_one(_EQUAL, value, last - at, at == last) for at, value in enumerate(values)]
        self.where(name, _argument(number), *tests, _one(_GIVE, _REFUSE))

    def whole(self):
        return b"".join([*self.parts, _one(_GIVE, _ALLOW)])


def _one(code, value, yes=0, no=0):
    return struct.pack("<HBBI", code, yes, no, value)


def _argument(number):
    return _one(_LOAD, 16 + 8 * number)


def further(hidden, data):
    """The instructions of what holds some programs beside the filter of all.

    Args:
        hidden: the program may not open its own memory again.
        data: what it can write to is limited, not its address space; shared memory would not count.
    """
    made = _Filter()
    if hidden:
        made.never("prctl", 0, _PR_SET_DUMPABLE)
    if data:
        made.where("mmap", _argument(3), _one(_MASK, _SHARED_WITHOUT_FILE),
                   _one(_EQUAL, _SHARED_WITHOUT_FILE, 0, 1), _one(_GIVE, _FULL))  # fmt: skip
    return made.whole()


def instructions(box, process, landlock):
    """The instructions of the filter for all programs, 8 bytes each.

    Args:
        process: number of the process that it is for; of no matter where programs have a user of their own.
        landlock: version of Landlock.

    Raises OSError where there is no filter for this machine's processor.
    """
    made = _Filter()
    for name, number in made.calls.items():
        if name not in _CONDITIONAL:
            answer = _UNKNOWN_TO_KERNEL if name in _UNKNOWN else _REFUSE
            made.parts += [_one(_EQUAL, number, 0, 1), _one(_GIVE, answer)]
    made.where("clone", _argument(0), _one(_ANY_BIT, _NEW_NAMESPACES, 0, 1), _one(_GIVE, _REFUSE))
    made.only("socket", 0, *(_FAMILIES if box["alone"] else ()))
    made.never("ioctl", 1, _TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP)
    made.never("fcntl", 1, _F_SETOWN, _F_SETOWN_EX)  # a descriptor's signals need not be its owner's
    # Files that boxes share could be locked for all of this machine; a program is alone with its own.
    made.where("flock", _one(_GIVE, _DONE))
    if not box["user"]:  # programs are of the same user as what holds them
        for name in _OF_PROCESSES:
            made.only(name, 0, 0, process)
        for name in ("setpriority", "ioprio_set"):
            made.where(name, _argument(1), _one(_EQUAL, 0, 1, 0), _one(_GIVE, _REFUSE))
    if not box["alone"]:
        # Datagrams of one end may go to any socket of this machine that has a name.
        made.where("socketpair", _argument(1), _one(_MASK, 0xF), _one(_EQUAL, _SOCK_STREAM, 2, 0),
                   _one(_EQUAL, _SOCK_SEQPACKET, 1, 0), _one(_GIVE, _REFUSE))  # fmt: skip
        for name in (
            _OF_OWNERS if box["user"] else ()
        ):  # those that a file's mode may allow to others than its owner
            if "time" in name or "xattr" in name:
                made.where(name, _one(_GIVE, _DONE if "time" in name else _REFUSE))
        if not box["user"]:
            for name in _OF_OWNERS:  # as if it had been done: compilers set modes of what they make
                made.where(name, _one(_GIVE, _DONE))
            for name in _CHANGES_OF_OWNER:
                made.where(name, _one(_GIVE, _REFUSE))
    if box["landlock"] and landlock < 6:  # signals, which Landlock does not hold yet
        for name in _SIGNALS:
            made.only(name, 0, process)
        made.where("pidfd_send_signal", _one(_GIVE, _REFUSE))
    return made.whole()
