"""Attacks by what is written: to places that may be written, and to those that may not."""

from __future__ import annotations

from dataclasses import replace

from codekiln.sandbox.attacks.attack import SMALL, Attack
from codekiln.sandbox.program import MB

_ONE_FILE = "without a mount of its own each file is held to the limit, not how many there are"
#: Files that one program may make where it has mounts of its own.
_FILES = 100_000
_PLACES = """
places = []
for place in ("/work", "/tmp", "/dev/shm", "/var/tmp", "/run", "/dev", os.getcwd()):
    try:
        open(place + "/writable", "w").close()
        os.unlink(place + "/writable")
        places.append(place)
    except OSError:
        pass
"""

ATTACKS = (
    Attack(
        "one large file", "writes a file that is larger than the limit, in each place", "bytes that it could write",
        _PLACES + "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nfor place in places:\n  size = 0\n  try:\n"
        "    with open(place + '/large', 'wb', 0) as file:\n      while size < 64 << 20: size += file.write(bytes(1 << 20))\n"
        "  except OSError: pass\n  if size > 16 << 20: through(f'{size >> 20} MB in {place}')",
    ),
    Attack(
        "many large files", "writes many files below the limit, in each place", "bytes that it could write",
        _PLACES + "for place in places:\n  size = 0\n  try:\n    for number in range(6):\n"
        "      with open(f'{place}/{number}', 'wb', 0) as file: size += file.write(bytes(12 << 20))\n"
        "  except OSError: pass\n  if size > 20 << 20: through(f'{size >> 20} MB in {place}')",
        open_at={"C": _ONE_FILE},
    ),
    Attack(
        "files without names", "writes files that are removed and held open", "bytes that it could write",
        _PLACES + "held = []\nfor place in places:\n  size = 0\n  try:\n    for number in range(6):\n"
        "      held.append(open(f'{place}/{number}', 'wb', 0)); os.unlink(f'{place}/{number}')\n"
        "      size += held[-1].write(bytes(12 << 20))\n  except OSError: pass\n"
        "  if size > 20 << 20: through(f'{size >> 20} MB in {place}')",
        open_at={"C": _ONE_FILE},
    ),
    Attack(
        "sparse files", "makes files of terabytes that hold nothing", "they fail",
        _PLACES + "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nfor place in places:\n"
        "  with open(place + '/sparse', 'wb') as file:\n"
        "    attempt(f'a terabyte in {place}', os.ftruncate, file.fileno(), 1 << 40)\n"
        "    attempt(f'a hole in {place}', os.pwrite, file.fileno(), b'x', 1 << 39)\n"
        "    attempt(f'posix_fallocate in {place}', os.posix_fallocate, file.fileno(), 0, 1 << 36)",
    ),
    Attack(
        "many small files", "makes empty files without end", "how many it could make",
        _PLACES + f"place, made = places[0], 0\ntry:\n  while made < {_FILES + 20_000}:\n"
        "    os.close(os.open(f'{place}/{made}', os.O_CREAT | os.O_WRONLY)); made += 1\nexcept OSError: pass\n"
        f"if made > {_FILES}: through(f'{{made}} files')",
        ends=("exited", "signalled"), limits=replace(SMALL, wall=10.0, cpu=10.0), open_at={"C": _ONE_FILE}, quick=False,
    ),
    Attack(
        "unpacked zip bomb", "unpacks a few kilobytes into a file of gigabytes", "bytes that it could write",
        "import shutil, zipfile\nwith zipfile.ZipFile('bomb.zip', 'w', zipfile.ZIP_DEFLATED) as bomb:\n"
        "  for name in 'abcdef': bomb.writestr(name, bytes(12 << 20))\ntry: shutil.unpack_archive('bomb.zip', 'out')\n"
        "except OSError: pass\nelse: through('72 MB')",
        open_at={"C": _ONE_FILE}, quick=False,
    ),
    Attack(
        "writing elsewhere", "creates, opens, removes, renames and changes files outside of its folders",
        "they fail; the harness's files are as they were",
        "import glob\nfor place in ('/', '/usr', '/bin', '/etc', '/dev', '/run', '/run/inside', '/proc', '/sys', '/var', '/home', "
        "'/root', '/opt', '/mnt', host['home'], host['writable'], '/sys/fs/cgroup', '/dev/pts', '/dev/mqueue'):\n"
        "  attempt(f'a file in {place}', lambda: open(place + '/codekiln-attack', 'w'))\n"
        "  attempt(f'a folder in {place}', os.mkdir, place + '/codekiln-attack-folder')\n"
        "  attempt(f'a link in {place}', os.symlink, '/', place + '/codekiln-attack-link')\n"
        "for path in (host['files']['public'], host['files']['home'], host['writable'] + '/prey', '/usr/bin/env', "
        "'/etc/ld.so.cache', *glob.glob('/run/inside/*')):\n"
        "  attempt(f'write {path}', lambda: open(path, 'r+'))\n  attempt(f'truncate {path}', os.truncate, path, 0)\n"
        "  attempt(f'remove {path}', os.unlink, path)\n  attempt(f'rename {path}', os.rename, path, 'taken')\n"
        "  for action in (lambda: os.chmod(path, 0o700), lambda: os.utime(path, (0, 0)), lambda: os.setxattr(path, 'user.x', b'x')):\n"
        "    try: action()\n    except OSError: pass\n  attempt(f'own {path}', os.chown, path, 0, 0)",
    ),
    Attack(
        "devices and kernel files", "writes to /proc/sys, /sys, devices; makes devices", "they fail",
        "import stat\nfor path in ('/proc/sys/kernel/core_pattern', '/proc/sys/kernel/hostname', '/proc/sys/vm/drop_caches', "
        "'/proc/sys/user/max_user_namespaces', '/proc/sysrq-trigger', "
        "'/sys/kernel/uevent_helper', '/sys/power/state', '/dev/mem', '/dev/kmsg', '/dev/vda', '/dev/sda', '/dev/kvm', "
        "'/dev/fuse', '/dev/loop-control', '/dev/vsock', '/dev/net/tun', '/dev/userfaultfd', '/proc/1/oom_score_adj', '/dev/snapshot'):\n"
        "  attempt(f'write {path}', lambda: os.open(path, os.O_WRONLY))\n"
        "for path in ('/proc/kcore', '/proc/kmsg', '/dev/mem', '/dev/kmsg', '/proc/1/environ', '/proc/1/root/', '/dev/vda', "
        "'/proc/kpageflags', '/sys/kernel/debug', '/sys/kernel/security'):\n"
        "  attempt(f'read {path}', lambda: os.open(path, os.O_RDONLY))\n"
        "attempt('a device', os.mknod, 'device', stat.S_IFBLK | 0o666, os.makedev(254, 0))\n"
        "attempt('a device', os.mknod, 'memory', stat.S_IFCHR | 0o666, os.makedev(1, 1))",
    ),
    Attack(
        "deep folders", "makes folders deeper than any path may be long", "the box goes on; nothing is left",
        "for _ in range(600):\n  os.mkdir('d' * 20); os.chdir('d' * 20)",
    ),
    Attack(
        "folders that cannot be removed", "modes, odd names, loops, dangling links, pipes, sockets, immutable files",
        "the box goes on; nothing is left",
        "import fcntl, socket, struct\nos.makedirs('a/b/c'); os.symlink('loop', 'loop'); os.symlink('/nowhere', 'dangling')\n"
        "os.mkfifo('pipe'); os.link('main.py', 'a/hard')\n"
        "for name in (b'\\xff\\xfe', b'-rf', b'a\\nb', b' ', b'*', b'x' * 255, b'\\x1b[31m'):\n"
        "  os.mkdir(b'a/' + name); open(b'a/' + name + b'/' + name, 'w').close()\n"
        "open('fixed', 'w').close()\nwith open('fixed') as file:\n"
        "  attempt('immutable', fcntl.ioctl, file, 0x40086602, struct.pack('l', 0x10))\n"
        "try: socket.socket(socket.AF_UNIX).bind('socket')\nexcept OSError: pass\n"
        "os.chmod('a/b/c', 0); os.chmod('a/b', 0); os.chmod('a', 0)\ntry: os.chmod('.', 0)\nexcept OSError: pass",
    ),
    Attack(
        "links among its results", "links to files of the harness, where its new files are taken out",
        "no secret is among them",
        "for number, path in enumerate([*host['files'].values(), '/etc/passwd', '/etc/shadow', '/proc/1/environ', "
        "'/proc/self/environ']):\n  os.symlink(path, f'soft{number}')\n"
        "  attempt(f'a hard link to {path}', os.link, path, f'hard{number}')\nos.symlink('/', 'all'); os.mkfifo('pipe')\n"
        "os.symlink(os.path.dirname(host['files']['public']), 'folder')\n"
        "with open('sparse', 'wb') as file: file.truncate(8 << 20)",
        keep=16 * MB,
    ),
    Attack(
        "results too deep to collect", "a folder deeper than any stack, where new files are taken out", "the box goes on",
        "for _ in range(1200):\n  os.mkdir('d'); os.chdir('d')\nopen(b'\\xff', 'w').close()", keep=16 * MB,
    ),
)  # fmt: skip
