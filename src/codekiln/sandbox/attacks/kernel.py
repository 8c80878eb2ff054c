"""Attacks by calls of the kernel that would give a program another place, other rights, or another program's input."""

from __future__ import annotations

from codekiln.sandbox.attacks.attack import Attack

ATTACKS = (
    Attack(
        "namespaces", "unshare, clone, clone3, setns, with each kind of namespace", "they fail",
        "import ctypes\nKINDS = {'user': 0x10000000, 'mount': 0x20000, 'pid': 0x20000000, 'net': 0x40000000, 'ipc': 0x8000000, "
        "'uts': 0x4000000, 'cgroup': 0x2000000, 'time': 0x80}\n"
        "for name, flag in KINDS.items():\n"
        "  for also in (0, KINDS['user']):\n    attempt(f'unshare {name}', lambda: checked(libc.unshare(flag | also)))\n"
        "    if name != 'time':\n      done = attempt(f'clone {name}', call, 'clone', flag | also | 17, 0, 0, 0, 0)\n"
        "      if done == 0: os._exit(0)\n"
        "    given = (ctypes.c_uint64 * 11)(flag | also, 0, 0, 0, 17)\n"
        "    done = attempt(f'clone3 {name}', call, 'clone3', given, 88)\n    if done == 0: os._exit(0)\n"
        "for one in ('self', '1', str(os.getppid()), str(host['harness'])):\n  for name in ('user', 'mnt', 'net', 'pid', 'ipc'):\n"
        "    attempt(f'setns {name} of {one}', lambda: checked(libc.setns(os.open(f'/proc/{one}/ns/{name}', 0), 0)))",
    ),
    Attack(
        "mounts", "mount, umount, pivot_root, chroot, and the newer calls for them", "they fail",
        "attempt('mount tmpfs', lambda: checked(libc.mount(b'x', b'/work', b'tmpfs', 0, None)))\n"
        "attempt('mount proc', lambda: checked(libc.mount(b'x', b'/work', b'proc', 0, None)))\n"
        "attempt('bind', lambda: checked(libc.mount(b'/', b'/work', None, 4096, None)))\n"
        "for place in (b'/', b'/usr', b'/dev', b'/work'):\n"
        "  attempt('writable again', lambda: checked(libc.mount(None, place, None, 32 | 4096, None)))\n"
        "  attempt('umount', lambda: checked(libc.umount2(place, 2)))\n"
        "attempt('chroot', os.chroot, '.')\nattempt('pivot_root', call, 'pivot_root', b'.', b'.')\n"
        "attempt('fsopen', call, 'fsopen', b'tmpfs', 0)\nattempt('open_tree', call, 'open_tree', -100, b'/', 1)\n"
        "attempt('mount_setattr', call, 'mount_setattr', -100, b'/', 0, bytes(32), 32)",
    ),
    Attack(
        "users", "setuid, setgid, setgroups, programs that are another user's by their mode", "they fail",
        "import subprocess\nfor number in (0, 1, 1000, 65534):\n"
        "  for name in ('setuid', 'setgid', 'seteuid', 'setegid'):\n"
        "    if number not in (os.getuid(), os.getgid()): attempt(f'{name} {number}', getattr(os, name), number)\n"
        "attempt('groups', os.setgroups, [0])\n"
        "for command in (['su', '-c', 'id'], ['sudo', '-n', 'id'], ['mount', '/'], ['passwd', '-d', 'root'], ['newgrp', 'root']):\n"
        "  try: done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=0.3)\n"
        "  except (OSError, subprocess.SubprocessError): continue\n"
        "  if b'uid=0' in done.stdout: through(' '.join(command))\n"
        "with open('/proc/self/status') as status:\n  for line in status:\n"
        "    if line.startswith(('CapEff', 'CapPrm', 'CapInh', 'CapAmb')) and int(line.split()[1], 16): through(line)\n"
        "    if line.startswith('NoNewPrivs') and line.split()[1] != '1': through(line)\n"
        "    if line.startswith('Seccomp:') and line.split()[1] != '2': through(line)",
    ),
    Attack(
        "calls that programs do not need", "keyctl, bpf, perf_event_open, io_uring, userfaultfd, modules, fanotify, handles",
        "they fail",
        "attempt('keyctl', call, 'keyctl', 0, -3, 1)\nattempt('add_key', call, 'add_key', b'user', b'x', b'x', 1, -3)\n"
        "attempt('bpf', call, 'bpf', 0, bytes(64), 64)\nattempt('perf', call, 'perf_event_open', bytes(128), 0, -1, -1, 0)\n"
        "attempt('io_uring', call, 'io_uring_setup', 4, bytes(120))\nattempt('userfaultfd', call, 'userfaultfd', 1)\n"
        "attempt('init_module', call, 'init_module', b'', 0, b'')\nattempt('kexec', call, 'kexec_load', 0, 0, None, 0)\n"
        "attempt('fanotify', call, 'fanotify_init', 0, 0)\nattempt('quotactl', call, 'quotactl', 0, b'', 0, None)\n"
        "attempt('handle', call, 'name_to_handle_at', -100, b'/', bytes(136), bytes(8), 0)\n"
        "attempt('kcmp', call, 'kcmp', os.getpid(), os.getpid(), 0, 0, 0)\nattempt('swapon', call, 'swapon', b'main.py', 0)\n"
        "attempt('reboot', call, 'reboot', 0, 0, 0, None)",
    ),
    Attack(
        "terminals", "types into the terminal that started it", "it fails",
        "import fcntl, os\nfor number in (0, 1, 2):\n  attempt('TIOCSTI', fcntl.ioctl, number, 0x5412, b'x')\n"
        "try:\n  leader, follower = os.openpty()\nexcept OSError: pass\nelse:\n"
        "  for number in (0x5412, 0x15412 & 0xffff):\n    attempt('TIOCSTI', fcntl.ioctl, follower, number, b'x')\n"
        "  try: attempt('TIOCLINUX', fcntl.ioctl, follower, 0x541c, b'\\x02')\n  except OSError: pass\n"
        "attempt('the terminal', lambda: open('/dev/tty', 'w'))",
    ),
    Attack(
        "calls of other architectures", "32-bit calls, the x32 form", "the program is ended",
        "import mmap, ctypes, platform\nif platform.machine() == 'x86_64':\n  if os.fork() == 0:\n    libc.syscall(0x40000000 | 39); os._exit(9)\n"
        "  if os.waitstatus_to_exitcode(os.wait()[1]) == 9: through('x32')\n  if os.fork() == 0:\n"
        "    code = mmap.mmap(-1, 4096, prot=7); code.write(bytes.fromhex('b814000000cd80c3'))\n"
        "    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))(); os._exit(9)\n"
        "  if os.waitstatus_to_exitcode(os.wait()[1]) == 9: through('32-bit calls')",
    ),
)  # fmt: skip
