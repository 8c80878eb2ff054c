"""Attacks by memory, in every shape that the kernel has."""

from __future__ import annotations

from dataclasses import replace

from codekiln.sandbox.attacks.attack import SMALL, Attack, Seen
from codekiln.sandbox.program import MB, Status

_LITTLE = replace(SMALL, memory=128 * MB)
#: Beside what the programs take: pages that the forks of one process no longer share.
_MARGIN = 96 * MB
_EACH = "limits of memory are each process's own without control groups"
_FULL: tuple[Status, ...] = ("exited", "signalled", "memory_limit", "timeout")
_SHARED = """
import mmap
held = []
try:
    for _ in range(12):
        held.append(mmap.mmap(-1, 64 << 20))
        for at in range(0, 64 << 20, 4096):
            held[-1][at] = 1
    through("768 MB of shared memory")
except OSError:
    pass
"""
_TOGETHER = "memory of all processes, measured from outside"


def _held(seen: Seen) -> str:
    most = seen.limits.memory + _MARGIN
    return f"{seen.memory // MB} MB at a time" if seen.memory > most else ""


ATTACKS = (
    Attack(
        "memory bomb", "takes all memory in one process", _TOGETHER,
        "held = []\nwhile True: held.append(bytearray(16 << 20))", limits=_LITTLE, ends=("memory_limit",), check=_held,
    ),
    Attack(
        "memory bomb in many processes", "takes less than the limit in each of many", _TOGETHER,
        "import time\nfor _ in range(10):\n  try:\n    if os.fork() == 0:\n      held = bytearray(48 << 20)\n"
        "      time.sleep(1); os._exit(0)\n  except OSError: pass\ntime.sleep(0.4)",
        limits=_LITTLE, ends=("memory_limit", "exited"), check=_held, open_at={"B": _EACH, "C": _EACH},
    ),
    Attack(
        "shared mapping", "memory that is shared with nobody, taken as if it were", "it fails; " + _TOGETHER,
        _SHARED,
        limits=_LITTLE, ends=_FULL, check=_held,
    ),
    Attack(
        "shared mapping beside a limit of data", "the same, where a runtime needs a large address space",
        "it fails; " + _TOGETHER,
        _SHARED,
        limits=_LITTLE, ends=_FULL, check=_held, memory="data",
    ),
    Attack(
        "stack beside a limit of data", "raises the limit of its stack and fills it", "it fails; " + _TOGETHER,
        "import resource\nattempt('a stack without end', resource.setrlimit, resource.RLIMIT_STACK, (1 << 40, 1 << 40))\n"
        "try: resource.setrlimit(resource.RLIMIT_STACK, (resource.getrlimit(resource.RLIMIT_STACK)[1],) * 2)\n"
        "except (OSError, ValueError): pass\n"
        "if resource.getrlimit(resource.RLIMIT_STACK)[1] in (-1, 1 << 40): through('no limit of the stack')",
        limits=_LITTLE, ends=_FULL, check=_held, memory="data",
    ),
    Attack(
        "page tables beside a limit of data", "maps terabytes that it only reads", "it fails",
        "import ctypes\nlibc.mmap.restype = ctypes.c_void_p\n"
        "libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]\n"
        "if libc.mmap(None, 1 << 42, 1, 0x4022, -1, 0) != ctypes.c_void_p(-1).value: through('four terabytes')",
        limits=_LITTLE, memory="data",
    ),
    Attack(
        "files in shared memory", "fills /dev/shm", "bytes that it could write",
        "written = 0\nfor number in range(64):\n  try:\n    with open(f'/dev/shm/{number}', 'wb', 0) as file:\n"
        "      for _ in range(8): written += file.write(bytes(1 << 20))\n  except OSError: pass\n"
        "if written > 20 << 20: through(f'{written >> 20} MB')",
        ends=_FULL, check=_held,
    ),
    Attack(
        "memory files", "memfd_create, memfd_secret", "they fail",
        "attempt('memfd', call, 'memfd_create', b'x', 0)\nattempt('memfd_secret', call, 'memfd_secret', 0)",
    ),
    Attack(
        "System V and POSIX IPC", "shared memory, semaphores, queues; those of the harness", "they fail",
        "attempt('shmget', call, 'shmget', 0, 1 << 26, 0o1666)\nattempt('semget', call, 'semget', 0, 8, 0o1666)\n"
        "attempt('msgget', call, 'msgget', 0, 0o1666)\nattempt('mq_open', call, 'mq_open', b'x', 0o102, 0o600, None)\n"
        "if host['segment'] >= 0: attempt('the harness\\'s segment', call, 'shmat', host['segment'], None, 0)\n"
        "attempt('msgsnd', call, 'msgsnd', 0, b'x' * 64, 8, 0o4000)",
    ),
    Attack(
        "pipes", "fills the buffers of pipes in many processes", "bytes that it could write",
        "import fcntl, mmap\ntotal = mmap.mmap(-1, 4096 * 16)\nfor child in range(8):\n  if os.fork() == 0:\n    filled = 0\n"
        "    try:\n      while True:\n        reader, writer = os.pipe()\n        os.set_blocking(writer, False)\n"
        "        try: fcntl.fcntl(writer, 1031, 1 << 20)\n        except OSError: pass\n"
        "        try:\n          while True: filled += os.write(writer, bytes(1 << 16))\n        except BlockingIOError: pass\n"
        "    except OSError: pass\n    total[child * 4096:child * 4096 + 8] = filled.to_bytes(8, 'little')\n"
        "    import time; time.sleep(0.3); os._exit(0)\nimport time; time.sleep(0.25)\n"
        "filled = sum(int.from_bytes(total[n * 4096:n * 4096 + 8], 'little') for n in range(8))\n"
        "if filled > 192 << 20: through(f'{filled >> 20} MB')",
        limits=_LITTLE, ends=_FULL,
    ),
    Attack(
        "sockets", "fills the buffers of pairs of sockets in many processes", "bytes that it could write",
        "import mmap, socket, time\ntotal = mmap.mmap(-1, 4096 * 16)\nfor child in range(14):\n  if os.fork() == 0:\n"
        "    filled, held = 0, []\n    try:\n      while True:\n        pair = socket.socketpair(); held.append(pair)\n"
        "        for one in pair:\n          one.setblocking(False)\n"
        "          one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)\n"
        "          try:\n            while True: filled += one.send(bytes(1 << 16))\n          except BlockingIOError: pass\n"
        "    except OSError: pass\n    total[child * 4096:child * 4096 + 8] = filled.to_bytes(8, 'little')\n"
        "    time.sleep(1.0); os._exit(0)\ntime.sleep(0.7)\n"
        "filled = sum(int.from_bytes(total[n * 4096:n * 4096 + 8], 'little') for n in range(14))\n"
        "if filled > 192 << 20: through(f'{filled >> 20} MB')",
        limits=_LITTLE, ends=_FULL,
    ),
    Attack(
        "asynchronous input and output", "takes all of the machine's io_setup contexts", "it fails",
        "import ctypes\nattempt('io_setup', call, 'io_setup', 60000, ctypes.byref(ctypes.c_ulong(0)))",
    ),
    Attack(
        "deep recursion", "recurses without end in Python", "it ends, the box goes on",
        "import sys\nsys.setrecursionlimit(1 << 30)\nf = lambda n: f(n + 1) + 1\nf(0)",
        limits=replace(SMALL, wall=0.5), ends=_FULL, check=_held,
    ),
    Attack(
        "deep recursion in C", "recurses without end on the stack of the processor", "it ends, the box goes on",
        "class C:\n  pass\nvalue = ()\nfor _ in range(3_000_000): value = (value,)\nhash(value)\nrepr(value)",
        limits=replace(SMALL, wall=0.5), ends=_FULL, check=_held,
    ),
    Attack(
        "deep recursion in C++", "recurses without end on the stack of the processor", "it ends, the box goes on",
        "#include <cstdlib>\nvolatile int zero;\nint f(int n) { volatile char room[4096]; room[n % 4096] = 1; "
        "return f(n + 1) + room[zero]; }\nint main() { return f(0); }",
        language="c++", ends=("signalled", "memory_limit"), check=_held, quick=False,
    ),
    Attack(
        "huge integers", "raises numbers to powers that nothing can hold", "it ends, the box goes on",
        "print(len(str(7 ** (10 ** 10))))", limits=replace(_LITTLE, wall=0.5), ends=_FULL, check=_held,
    ),
    Attack(
        "zip bomb in memory", "unpacks a few kilobytes into gigabytes", _TOGETHER,
        "import zlib\npacker = zlib.compressobj(9)\n"
        "packed = b''.join([*(packer.compress(bytes(1 << 20)) for _ in range(150)), packer.flush()])\n"
        "zlib.decompress(packed)\nthrough('150 MB')",
        limits=_LITTLE, ends=("memory_limit",), check=_held, quick=False,
    ),
)  # fmt: skip
