"""Programs that want to pass tests without being right: attacks on verdicts, not on the machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codekiln.sandbox.attacks.attack import Row, State
from codekiln.sandbox.box import Level
from codekiln.sandbox.program import MB, Limits
from codekiln.sandbox.sandbox import Sandbox
from codekiln.sandbox.verdicts import Verdict, check_appended, check_python

TOLD_BY = "its verdict, which must not be that it passed"
_LIMITS = Limits(wall=2.0, cpu=2.0, memory=512 * MB)
_TESTS = "assert f(3) == 26\nassert f(21) == 458"


@dataclass(frozen=True)
class Cheat:
    """One program that is wrong, and tests that it fails.

    Python's run with the tests in a process of their own and again in the program's; those of other languages with the
    tests appended.

    Attributes:
        right: it is no cheat, and must pass.
    """

    name: str
    tries: str
    code: str
    language: str = "python"
    tests: str = _TESTS
    right: bool = False

    @property
    def quick(self) -> bool:
        """Whether it takes less than half a second: others are compiled."""
        return self.language == "python"


_LOOKS = """
import gc, re, sys
def texts():
    frame, found = sys._getframe(), []
    while frame:
        found += [*frame.f_locals.values(), *frame.f_globals.values(), *frame.f_code.co_consts]
        frame = frame.f_back
    return [one for one in [*found, *gc.get_objects()] if type(one) is str]
"""
_PYTHON = (
    Cheat("a right program", "is no cheat: it must pass", "def f(x): return x * x + 17", right=True),
    Cheat("an object that equals everything", "gives objects whose comparisons, hash and length say what is wanted",
          "class E:\n  __eq__ = __ge__ = __le__ = __contains__ = lambda s, o: True\n  __ne__ = lambda s, o: False\n"
          "  __hash__ = __len__ = __int__ = __index__ = lambda s: 26\n  __class__ = int\ndef f(x): return E()"),
    Cheat("reads its tests", "looks for expected values in frames, objects and constants",
          f"{_LOOKS}\ndef f(x):\n  for one in texts():\n    if m := re.search(rf'f\\({{x}}\\) == (\\d+)', one): return int(m[1])"),
    Cheat("reads files for its tests", "looks for them in its folder, in /tmp and in /proc",
          "import os, re\ndef f(x):\n  for top in ('.', '..', '/tmp', '/proc/self', '/proc/1'):\n    for root, _, names in os.walk(top):\n"
          "      for n in names:\n        try: b = os.read(os.open(os.path.join(root, n), os.O_RDONLY | os.O_NONBLOCK), 100_000)\n"
          "        except OSError: continue\n        if m := re.search(rb'f\\(%d\\) == (\\d+)' % x, b): return int(m[1])"),
    Cheat("looks through memory for its tests", "its own by /proc/self/mem, and that of all other processes",
          "import os, re\ndef f(x):\n  for p in ('self', *filter(str.isdigit, os.listdir('/proc'))):\n    try:\n"
          "      m = open(f'/proc/{p}/mem', 'rb', 0)\n      for line in open(f'/proc/{p}/maps'):\n        if ' rw' in line:\n"
          "          a, b = (int(n, 16) for n in line.split()[0].split('-')); m.seek(a)\n"
          "          if k := re.search(rb'f\\(%d\\) == (\\d+)' % x, m.read(min(b - a, 1 << 22))): return int(k[1])\n"
          "    except (OSError, ValueError, OverflowError): pass"),
    Cheat("writes to every descriptor", "what a harness may want to hear, and what it reads from each",
          "import os\ndef f(x):\n  for n in range(3, 256):\n    try: os.set_blocking(n, False); b = os.read(n, 1000)\n    except OSError: b = b''\n"
          "    for t in (b, bytes(c ^ 90 for c in b), b'passed\\n', b'{\"end\": \"finished\"}\\n', bytes(16)):\n"
          "      try: os.write(n, t)\n      except OSError: pass\n  return 0"),
    Cheat("exits early", "ends with 0 before its tests do", "import os, sys, atexit\natexit.register(os._exit, 0)\ndef f(x): os._exit(0)"),
    Cheat("exits early at once", "ends with 0 while it is loaded", "raise SystemExit(0)"),
    Cheat("patches its tests", "changes builtins, unittest, json and sockets",
          "import builtins, json, socket, unittest\nclass T(unittest.TestCase): pass\n"
          "for n in ('assertEqual', 'assertTrue', 'fail', 'run'): setattr(unittest.TestCase, n, lambda *a, **k: None)\n"
          "builtins.AssertionError = type('A', (BaseException,), {})\nbuiltins.isinstance = lambda *a: True\n"
          "json.dumps = lambda *a, **k: '[\"ok\", 1, true, null, -1]'\nsocket.socket.sendall = lambda *a: None\ndef f(x): return 0"),
    Cheat("ends its judge", "kills and stops all other processes",
          "import os, signal\ndef f(x):\n  for s in (signal.SIGSTOP, signal.SIGKILL):\n    for p in filter(str.isdigit, os.listdir('/proc')):\n"
          "      if int(p) != os.getpid():\n        try: os.kill(int(p), s)\n        except OSError: pass\n  return 0"),
)  # fmt: skip
#: Language -> a program that exits with 0 as early as that language lets it, and tests that fail.
_EARLY = {
    "c": ("#include <unistd.h>\n__attribute__((constructor)) static void early(void) { _exit(0); }",
          "#include <assert.h>\nint main(void) { assert(0); return 0; }"),
    "c++": ("#include <unistd.h>\nstruct Early { Early() { _exit(0); } } early;", "#include <cassert>\nint main() { assert(false); }"),
    "c#": ("class Problem { static Problem() { System.Environment.Exit(0); }",
           "static void Main() { throw new System.Exception(); } }"),
    "go": ('package main\nimport "os"\nfunc init() { os.Exit(0) }', "func main() { panic(1) }"),
    "java": ("class Problem { static { System.exit(0); }", "public static void main(String[] a) { assert false; } }"),
    "javascript": ("process.exit(0);", "throw 1;"),
    "lua": ("os.exit(0)", "error('x')"),
    "perl": ("BEGIN { exit 0 }", "die;"),
    "php": ("<?php exit(0);", "assert(false);"),
    "r": ("quit(status = 0)", "stop('x')"),
    "ruby": ("exit!(0)", "raise 'x'"),
    "rust": ('#[used]\n#[link_section = ".init_array"]\nstatic EARLY: extern "C" fn() = early;\n'
             'extern "C" fn early() { std::process::exit(0) }', "fn main() { panic!() }"),
    "shell": ("exit 0", "exit 1"),
    "typescript": ("process.exit(0);", "throw 1;"),
}  # fmt: skip
CHEATS = (
    *_PYTHON,
    *(
        Cheat(
            f"early exit in {language}",
            "exits with 0 before its tests, in an initialiser where there are any",
            *pair,
        )
        for language, (source, tests) in _EARLY.items()
        for pair in [(source, language, tests)]
    ),
)


def run_cheats(level: Level, cheats: Sequence[Cheat]) -> Iterator[Row]:
    """Judge cheats at a level, one after another, and tell of each what came of it.

    Raises UserError or RunError where there is no box of this level.
    """
    with Sandbox(1, level) as sandbox:
        for cheat in cheats:
            begun = time.monotonic()
            verdicts = list(_verdicts(sandbox, cheat))
            state: State = "held"
            detail = "; ".join(filter(None, (_problem(cheat, one) for one in verdicts)))
            if detail:
                state = "escaped"
            elif missing := next((one.detail for one in verdicts if one.verdict == "unsupported"), ""):
                state, detail = "not tried", missing
            yield Row(cheat.name, level, state, detail, time.monotonic() - begun)


def _problem(cheat: Cheat, verdict: Verdict) -> str:
    """What is wrong with a verdict, or ""."""
    if verdict.verdict == "unsupported":
        return ""
    if (verdict.verdict == "passed") != cheat.right:
        return f"{verdict.verdict} ({verdict.method}) {verdict.detail}".strip()
    done = verdict.execution
    if verdict.method == "appended" and (done is None or (done.status, done.exit_code) != ("exited", 0)):
        return f"it proves nothing, since it did not exit with 0: {verdict.detail}"
    return ""


def _verdicts(sandbox: Sandbox, cheat: Cheat) -> Iterator[Verdict]:
    if cheat.language != "python":
        yield check_appended(sandbox, cheat.language, cheat.code, cheat.tests, limits=_LIMITS, again=False)
        return
    yield check_python(sandbox, cheat.code, cheat.tests, "f", mode="separate", limits=_LIMITS, again=False)
    yield check_python(sandbox, cheat.code, cheat.tests, "f", mode="shared", limits=_LIMITS, again=False)
