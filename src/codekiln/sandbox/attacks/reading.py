"""Attacks that read what is not theirs: files, environments, what the harness holds."""

from __future__ import annotations

from codekiln.sandbox.attacks.attack import Attack

_NO_SECRET = "secrets of the harness, new for each check, do not come out"
_NAMES = "Landlock holds what is in files, not whether they are there"

ATTACKS = (
    Attack(
        "files of the harness", "reads its home folder, its files in /tmp, private and open to all", _NO_SECRET,
        "for path in [*host['files'].values(), host['writable'] + '/prey']:\n"
        "  attempt(f'open {path}', lambda: os.write(1, open(path, 'rb').read()))\n"
        "for place in (host['home'], host['writable'], '/home', '/root', '/var/log'):\n"
        "  try: names = os.listdir(place)\n  except OSError: continue\n"
        "  if 'prey' in names or any(name.startswith('.codekiln-check') for name in names): through(f'names in {place}')",
    ),
    Attack(
        "accounts", "reads /etc/shadow, /etc/passwd, keys", "they fail",
        "for path in ('/etc/shadow', '/etc/gshadow', '/etc/passwd', '/etc/ssh/ssh_host_rsa_key', '/etc/machine-id', '/etc/hostname', "
        "'/etc/resolv.conf', '/root/.ssh/id_rsa', host['home'] + '/.bash_history', host['home'] + '/.ssh/authorized_keys'):\n"
        "  attempt(path, lambda: open(path).read())",
    ),
    Attack(
        "names of files of the harness", "asks whether files outside of the box are there", "they cannot be found",
        "for path in host['files'].values(): attempt(f'there is {path}', os.stat, path)", open_at={"C": _NAMES},
    ),
    Attack(
        "environment of the harness", "reads every environment and command line there is", _NO_SECRET,
        "for one in (1, os.getppid(), host['victim'], host['harness'], 'self', 'thread-self', *numbers()):\n"
        "  for name in ('environ', 'cmdline', 'comm', 'task/%s/environ' % one, 'maps', 'mountinfo', 'status'):\n"
        "    try: os.write(1, open(f'/proc/{one}/{name}', 'rb').read())\n    except OSError: pass\n"
        "os.write(1, repr(dict(os.environ)).encode() + b'\\n')\nimport ctypes\n"
        "environ = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, 'environ')\nat = 0\n"
        "while environ and environ[at]: os.write(1, environ[at]); at += 1\nos.write(1, b'\\n')",
    ),
    Attack(
        "descriptors", "looks for descriptors beside 0, 1 and 2, its own and those of others", "there are none; no secret",
        "import fcntl\nheld = []\nfor number in range(3, 66000 if os.sysconf('SC_OPEN_MAX') > 66000 else 4096):\n"
        "  try: fcntl.fcntl(number, fcntl.F_GETFD); held.append(number)\n  except OSError: pass\n"
        "if held: through(f'descriptors {held}')\n"
        "for one in (1, os.getppid(), host['victim'], host['harness']):\n"
        "  for number in range(16):\n"
        "    attempt(f'descriptor of {one}', lambda: os.write(1, open(f'/proc/{one}/fd/{number}', 'rb').read(100)))\n"
        "  attempt(f'list of {one}', os.listdir, f'/proc/{one}/fd')\n"
        "  attempt(f'cwd of {one}', lambda: os.listdir(f'/proc/{one}/cwd/'))\n"
        "  attempt(f'root of {one}', lambda: os.listdir(f'/proc/{one}/root/'))",
    ),
    Attack(
        "own memory", "looks through its own memory, which is a fork's, for secrets and for the program before it",
        "neither is there",
        # The patterns are not themselves what they look for.
        "import re\nwanted = re.compile(rb'the-former-[p]rogram-\\w+-here|secret-[0-9a-f]{32}|CODEKILN_[C]HECK')\n"
        "with open('/proc/self/maps') as maps:\n"
        "  places = [re.match('([0-9a-f]+)-([0-9a-f]+) r', line) for line in maps if '[v' not in line]\n"
        "with open('/proc/self/mem', 'rb', 0) as memory:\n  for place in filter(None, places):\n"
        "    begin, end = (int(part, 16) for part in place.groups())\n    try:\n"
        "      memory.seek(begin); held = memory.read(end - begin)\n    except OSError: continue\n"
        "    for found in set(wanted.findall(held)): through(found.decode())",
        before="mark = 'the-former-program-said-here'\nimport sys; print(mark, sys.argv, sys.stdin.read())\n",
    ),
    Attack(
        "the process that started it", "looks for what its parent left in its interpreter: frames, modules, objects",
        "no secret; no request of another program",
        "import gc, sys\nheld = []\nframe = sys._getframe()\nwhile frame: held.append(frame.f_globals); frame = frame.f_back\n"
        "held += [one for one in gc.get_objects() if isinstance(one, (dict, list, tuple))]\n"
        "import socket\nif any(isinstance(one, socket.socket) and one.fileno() >= 0 for one in gc.get_objects()): through('a socket')\n"
        "for name in ('confine', 'folders', 'trial', 'pyfile'):\n"
        "  module = sys.modules.get(name) or __import__('importlib').util.find_spec(name)\n"
        "  if module is not None: through(name)",
    ),
    Attack(
        "import tricks", "takes modules by every way that a guarded interpreter forgets", "no secret; nothing is reached",
        "for name in ('_posixsubprocess', 'posix', '_ctypes', '_socket', 'nt', 'importlib._bootstrap', '_frozen_importlib'):\n"
        "  try: __import__(name)\n  except ImportError: pass\n"
        "found = [one for one in ().__class__.__base__.__subclasses__() if 'wrap_close' in one.__name__]\n"
        "system = found[0].__init__.__globals__['system']\n"
        "system(f\"cat {host['files']['public']} {host['files']['home']} /proc/1/environ /etc/shadow 2>/dev/null\")\n"
        "import importlib, sys\nsys.path[:] = [os.path.dirname(host['files']['public']), host['home'], '/run/inside']\n"
        "try: print(importlib.import_module('codekiln'))\nexcept ImportError: pass",
    ),
)  # fmt: skip
