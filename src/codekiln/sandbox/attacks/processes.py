"""Attacks by numbers of processes, by time, and by not ending."""

from __future__ import annotations

from dataclasses import replace

from codekiln.sandbox.attacks.attack import SMALL, Attack, Seen

#: Processes that a box may have beside a program's limit for a moment.
_MARGIN = 4
_SHORT = replace(SMALL, wall=0.4)


def _few(seen: Seen) -> str:
    most = seen.limits.processes + _MARGIN
    return f"{seen.processes} processes at a time" if seen.processes > most else ""


def _in_time(seen: Seen) -> str:
    return f"it took {seen.wall:.1f} s" if seen.wall > seen.limits.wall + 1 else ""


def _at_once(seen: Seen) -> str:
    """For programs whose first process ends at once."""
    return f"the answer took {seen.wall:.1f} s" if seen.wall > seen.limits.wall / 2 else ""


def _few_in_time(seen: Seen) -> str:
    return _few(seen) or _in_time(seen)


_NOT_MORE = "processes counted from outside; time until the answer"

ATTACKS = (
    Attack(
        "fork bomb", "forks for ever in every process", _NOT_MORE,
        "while True:\n  try: os.fork()\n  except OSError: pass",
        limits=_SHORT, ends=("timeout",), check=_few_in_time,
    ),
    Attack(
        "fork bomb of sleepers", "fills all processes, which sleep; the next program must start", _NOT_MORE,
        "import time\ntry:\n  while True:\n    if os.fork() == 0: time.sleep(60); os._exit(0)\nexcept OSError: pass",
        check=_few,
    ),
    Attack(
        "thread bomb", "starts threads until it may not", _NOT_MORE,
        "import threading, time\nthreading.stack_size(65536)\ntry:\n"
        "  for _ in range(2000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "except RuntimeError: pass\ntime.sleep(0.1); tried(); os._exit(0)",
        check=_few,
    ),
    Attack(
        "daemon", "forks twice, leaves the session, holds the pipes open", "time until the answer; processes left",
        "import time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(60)\n  os._exit(0)\nos.wait()",
        check=_at_once,
    ),
    Attack(
        "daemon that forks on", "each process starts the next one and ends, for ever", "time until the answer; "
        "processes left",
        "import time\ndef begins():\n  try: return os.fork() == 0\n  except OSError: return False  # the others take all there are\n"
        "for _ in range(4):\n  if begins():\n    while True:\n      os.setsid() if os.getsid(0) != "
        "os.getpid() else None\n      try:\n        if os.fork(): os._exit(0)\n      except OSError: pass\ntime.sleep(0.1)",
        check=_at_once,
    ),
    Attack(
        "endless sleep", "sleeps", "time until the answer", "import time\ntime.sleep(60)",
        limits=_SHORT, ends=("timeout",), check=_in_time,
    ),
    Attack(
        "busy loop", "computes for ever", "time until the answer", "while True: pass",
        limits=replace(SMALL, wall=4.0, cpu=1.0), ends=("timeout",), check=_in_time, quick=False,
    ),
    Attack(
        "many busy loops", "computes for ever in as many processes as it may have", "time until the answer",
        "try:\n  while os.fork(): pass\nexcept OSError: pass\nwhile True: pass",
        limits=_SHORT, ends=("timeout",), check=_few_in_time,
    ),
    Attack(
        "swallowed signals", "ignores every signal and every exception", "time until the answer",
        "import signal, time\nfor number in range(1, 65):\n  try: signal.signal(number, signal.SIG_IGN)\n"
        "  except (OSError, ValueError): pass\nwhile True:\n  try: time.sleep(1)\n  except BaseException: pass",
        limits=_SHORT, ends=("timeout",), check=_in_time,
    ),
    Attack(
        "blocked processor limit", "ignores SIGXCPU", "time until the answer",
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
        limits=replace(SMALL, wall=5.0, cpu=1.0), ends=("timeout",), check=_in_time, quick=False,
    ),
    Attack(
        "stops itself", "sends itself SIGSTOP", "time until the answer", "import signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        limits=_SHORT, ends=("timeout",), check=_in_time,
    ),
    Attack(
        "stops everything", "sends SIGSTOP to all that it may", "the harness's own process goes on; time",
        "import signal\nfor one in (1, os.getppid(), host['victim'], host['harness'], -1):\n"
        "  try: os.kill(one, signal.SIGSTOP)\n  except OSError: pass\nimport time; time.sleep(60)",
        limits=_SHORT, ends=("timeout",), check=_in_time,
    ),
    Attack(
        "kill", "SIGKILL to its parent, the harness, all processes, their numbers and groups",
        "the harness's own process lives; the box goes on",
        "import signal\nfor one in (1, os.getppid(), host['victim'], host['harness'], *numbers()):\n"
        "  attempt(f'kill {one}', os.kill, one, 9) if one not in (1, os.getppid()) else None\n"
        "  for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGCHLD, signal.SIGPIPE, 9):\n"
        "    try: os.kill(one, number)\n    except OSError: pass\n"
        "    try: os.killpg(one, number)\n    except OSError: pass\n"
        "if os.fork() == 0:\n  os.setsid()\n  try: os.kill(-1, 9)\n  except OSError: pass\n  os._exit(0)\nos.wait()",
        ends=("exited", "signalled"),
    ),
    Attack(
        "kill by other calls", "tgkill, pidfd_send_signal, queued signals, signals of descriptors",
        "the harness's own process lives; the box goes on",
        "import fcntl, signal\nfor one in (1, os.getppid(), host['victim'], host['harness']):\n"
        "  for number in (signal.SIGINT, 9):\n"
        "    try: checked(libc.tgkill(one, one, number))\n    except OSError: pass\n"
        "    try: checked(libc.sigqueue(one, number, None))\n    except OSError: pass\n"
        "    try: call('pidfd_send_signal', os.pidfd_open(one), number, None, 0)\n    except OSError: pass\n"
        "    reader, writer = os.pipe()\n"
        "    try:\n      fcntl.fcntl(reader, 8, one)\n      fcntl.fcntl(reader, 10, int(number))\n"
        "      fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)\n    except OSError: pass\n"
        "    os.write(writer, b'x')",
        ends=("exited", "signalled"),
    ),
    Attack(
        "limits and priorities of others", "prlimit, setpriority, sched_setaffinity of its parent and the harness",
        "they fail; the harness's own process keeps its priority; the box goes on",
        "import resource\nfor one in (1, os.getppid(), host['victim'], host['harness']):\n"
        "  for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE):\n"
        "    attempt(f'prlimit {one}', resource.prlimit, one, kind, (0, 0))\n"
        "  attempt(f'setpriority {one}', os.setpriority, os.PRIO_PROCESS, one, 19)\n"
        "  attempt(f'affinity {one}', os.sched_setaffinity, one, {0})\n"
        "  attempt(f'scheduler {one}', os.sched_setscheduler, one, os.SCHED_IDLE, os.sched_param(0))",
    ),
    Attack(
        "ptrace and memory of others", "ptrace, process_vm_writev, /proc/PID/mem of its parent and the harness",
        "they fail; the box goes on",
        "import ctypes\nfor one in (1, os.getppid(), host['victim'], host['harness']):\n"
        "  attempt(f'ptrace {one}', lambda: checked(libc.ptrace(16, one, 0, 0)))\n"
        "  attempt(f'seize {one}', lambda: checked(libc.ptrace(0x4206, one, 0, 0)))\n"
        "  box = (ctypes.c_ulong * 2)(ctypes.addressof(ctypes.create_string_buffer(8)), 8)\n"
        "  attempt(f'write {one}', lambda: checked(libc.process_vm_writev(one, box, 1, box, 1, 0)))\n"
        "  attempt(f'read {one}', lambda: checked(libc.process_vm_readv(one, box, 1, box, 1, 0)))\n"
        "  for name in ('mem', 'maps', 'fd/0', 'fd/3', 'map_files', 'auxv', 'stack', 'syscall', 'pagemap'):\n"
        "    attempt(f'{name} of {one}', lambda: os.open(f'/proc/{one}/{name}', os.O_RDONLY))\n"
        "  for name in ('mem', 'oom_score_adj', 'oom_adj', 'clear_refs', 'timerslack_ns', 'comm', 'autogroup'):\n"
        "    attempt(f'write {name} of {one}', lambda: os.write(os.open(f'/proc/{one}/{name}', os.O_WRONLY), b'1'))\n"
        "  attempt(f'descriptors of {one}', lambda: call('pidfd_getfd', os.pidfd_open(one), 0, 0))",
    ),
)  # fmt: skip
