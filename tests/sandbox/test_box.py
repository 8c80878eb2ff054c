"""Programs in a box: what they print and how they end, and what they cannot do to anybody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codekiln.sandbox.attacks.watch import began, below, starter
from codekiln.sandbox.box import Box, Level
from codekiln.sandbox.isolation import why_not
from codekiln.sandbox.launch import Shape
from codekiln.sandbox.program import MB, Execution, Limits
from codekiln.sandbox.step import Step

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed: apt-get install bubblewrap"
)


@pytest.fixture(scope="module", params=["A", "B", "C"])
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    level: Level = request.param
    if reason := why_not(level):
        pytest.skip(f"isolation {level} is not to be had here: {reason}")
    with Box(level, Shape(64 * MB)) as made:
        yield made


def python(box: Box, code: str, stdin: bytes = b"", **limits: float) -> Execution:
    chosen = Limits(**{"wall": 5.0, **limits})  # type: ignore[arg-type]
    out_of_memory = (b"MemoryError",)
    return box.run(
        Step({"main.py": code.encode()}, ["main.py", "x"], True, stdin, chosen, out_of_memory=out_of_memory)
    )


def test_a_program_reads_and_writes(box: Box) -> None:
    done = python(
        box, "import sys\nprint(sys.argv, sys.stdin.read(), __name__)\nprint('e', file=sys.stderr)", b"in\n"
    )
    assert (done.status, done.exit_code, done.signal) == ("exited", 0, None)
    assert done.stdout == b"['main.py', 'x'] in\n __main__\n"
    assert done.stderr == b"e\n"
    assert 0 < done.wall_s < 5
    assert done.isolation == box.level


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(3)", 3),
        ("raise SystemExit('why')", 1),
        ("raise SystemExit", 0),
        ("import os; os._exit(7)", 7),
        ("1/0", 1),
        ("import atexit; atexit.register(print, 'bye')", 0),
        ("import threading; threading.Timer(0.1, print, ['later']).start()", 0),
    ],
)
def test_exit_codes_are_those_of_python(box: Box, code: str, expected: int, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(code)
    alone = subprocess.run(
        [shutil.which("python3") or "python3", "main.py"], cwd=tmp_path, capture_output=True
    )
    done = python(box, code)
    assert done.exit_code == alone.returncode == expected
    assert done.stdout == alone.stdout


def test_a_traceback_is_that_of_the_program(box: Box) -> None:
    done = python(box, "def f():\n    return {}['a']\nf()\n")
    assert done.stderr.decode().splitlines()[:3] == [
        "Traceback (most recent call last):", '  File "main.py", line 3, in <module>', "    f()",
    ]  # fmt: skip
    assert b"zygote" not in done.stderr


def test_limits_end_a_program(box: Box) -> None:
    assert python(box, "while True: pass", wall=0.3).status == "timeout"
    assert (
        python(
            box,
            "import signal, time\nfor n in range(1, 65):\n try: signal.signal(n, signal.SIG_IGN)\n except (OSError, ValueError): pass\ntime.sleep(60)",
            wall=0.3,
        ).status
        == "timeout"
    )
    assert python(box, "while True: pass", cpu=1, wall=4).status == "timeout"
    assert python(box, "x = bytearray(3 << 30)").status == "memory_limit"
    flood = python(box, "while True: print('x' * 1000)", output=100_000)
    assert (flood.status, flood.truncated, len(flood.stdout)) == ("output_limit", True, 100_000)
    full = python(box, "open('x', 'wb').write(bytes(200 << 20))")
    assert b"No space left" in full.stderr or b"File too large" in full.stderr
    assert python(box, "print('well')").stdout == b"well\n"


def test_a_megabyte_of_honest_output(box: Box) -> None:
    done = python(box, "print('0123456789' * 100_000)")
    assert (done.status, len(done.stdout), done.truncated) == ("exited", 1_000_001, False)


def test_nothing_outlives_a_program(box: Box) -> None:
    places = "[p for p in ('/tmp', '/dev/shm', '.') if p == '.' or os.access('/box', os.W_OK)]"
    code = (
        "import os, time\nfor _ in range(5):\n  if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "      open('left', 'w').write('x'); time.sleep(100)\n    os._exit(0)\ntime.sleep(0.2)\n"
        f"for place in {places}:\n  os.makedirs(place + '/a/b'); os.symlink('/', place + '/a/l')\n"
        "  os.chmod(place + '/a', 0)\nprint('done')"
    )
    assert python(box, code).stdout == b"done\n"
    ended = time.clock_gettime(time.CLOCK_BOOTTIME)
    after = python(box, f"import os; print(*map(os.listdir, {places}))").stdout
    assert after in (b"[] [] ['main.py']\n", b"['main.py']\n")
    # What began later waits for the next program; when a process began is told in hundredths of a second.
    left = [one for one in below(box.process, box.user) if one != starter(box.process)]
    assert [one for one in left if began(one) < ended - 0.01] == []
    assert len(left) < 2


def test_a_fork_bomb_is_held(box: Box) -> None:
    done = python(box, "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", wall=1.0)
    assert done.status == "timeout"
    assert python(box, "print(1)").stdout == b"1\n"


def test_memory_of_all_processes_together() -> None:
    if reason := why_not("A"):
        pytest.skip(f"isolation A is not to be had here: {reason}")
    with Box("A", Shape(64 * MB)) as box:
        each = "    x = bytearray(b'x') * (300 << 20)\n    time.sleep(20)"
        code = f"import os, time\nfor _ in range(6):\n  if os.fork() == 0:\n{each}\nos.wait()"
        assert python(box, code, wall=20).status == "memory_limit"


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('\\0{abstract}')",
        "open({home!r})",
        "open('/proc/1/environ').read()",
        "open('/proc/1/mem', 'r+b')",
        "import os; os.kill(1, 9); os.listdir('/proc/1/fd')",
        "open('/etc/shadow').read()",
        "open('/usr/x', 'w')",
        "open('/dev/x', 'w')",
        "import os; os.setuid(0)",
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nif libc.unshare(0x10000000): raise OSError(ctypes.get_errno())",
    ],
)
def test_what_is_out_of_reach(box: Box, code: str, tmp_path: Path) -> None:
    import socket

    secret = tmp_path / "secret"
    secret.write_text("s")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        name = f"codekiln-{os.getpid()}"
        abstract.bind(f"\0{name}")
        abstract.listen()
        done = python(box, code.format(port=server.getsockname()[1], abstract=name, home=str(secret)))
    assert done.exit_code == 1, done
    assert b"Error" in done.stderr


def test_the_environment_is_empty(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "SECRET")
    code = "import os\nprint(sorted(os.environ))\nprint(open('/proc/self/environ', 'rb').read())"
    with Box(box.level, Shape(64 * MB)) as other:
        done = python(other, code)
    assert done.stdout.count(b"HOME") == 2
    assert b"SECRET" not in done.stdout
    assert b"TOKEN" not in done.stdout


def test_the_end_of_a_flood_does_not_reach_the_next_program(box: Box) -> None:
    for _ in range(30):  # as many bytes as are too many, and the end, at the same time
        assert python(box, "print('x' * 3000)", output=1000).status == "output_limit"
        assert python(box, "print(1)").stdout == b"1\n"
