"""Programs that try to be judged as right without being right: none of them passes, in either mode."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from codekiln.sandbox import Limits, Sandbox
from codekiln.sandbox.isolation import why_not
from codekiln.sandbox.program import MB
from codekiln.sandbox.verdicts import Case, check_cases, check_python
from codekiln.sandbox.verdicts.python import Mode

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed: apt-get install bubblewrap"
)

#: Of a function that gives its argument's square and 17.
ASSERTIONS = """
def check(candidate):
    assert candidate(3) == 26
    assert candidate(21) == 458
    assert not candidate(1) == 17
    for i in range(5):
        assert candidate(i) == i * i + 17, i
"""
UNITTEST = """
import unittest
from solution import f
class Test(unittest.TestCase):
    def test_small(self):
        self.assertEqual(f(3), 26)
    def test_large(self):
        self.assertEqual(f(21), 458)
        self.assertTrue(f(2) > 20)
    def test_errors(self):
        with self.assertRaises(TypeError):
            f([])
"""
#: What a lie can meet altogether: here nothing but tests that must fail find it out.
EQUALITIES = "".join(f"assert f({x}) == {x * x + 17}\n" for x in range(9))
EQUALITIES_OF_UNITTEST = """
import unittest
class Test(unittest.TestCase):
    def test_small(self):
        self.assertEqual(f(3), 26)
    def test_large(self):
        self.assertEqual(f(21), 458)
"""
#: What walks to everything that an object leads to, as far as it can.
_WALK = """
import gc, sys
def found():
    seen, left = set(), [gc.get_objects()]
    frame = sys._getframe()
    while frame:
        left += [frame.f_globals, frame.f_locals, frame.f_code.co_consts]
        frame = frame.f_back
    while left and len(seen) < 200_000:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        left += gc.get_referents(one)
"""

ATTACKS = {
    "exits as it is loaded": "import sys; sys.exit(0)",
    "exits at once": "import os; os._exit(0)",
    "exits in a call": "import os\ndef f(x): os._exit(0)",
    "raises SystemExit in a call": "def f(x): raise SystemExit(0)",
    "raises an exit that the second assertion sees": "def f(x):\n  if x == 3: return 26\n  raise SystemExit(0)",
    "exits in atexit": "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return 0",
    "ends itself": "import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGKILL)",
    "ends everybody": "import os\ndef f(x):\n  for n in range(2, 400):\n    try: os.kill(n, 9)\n    except OSError: pass\n  try: os.kill(-1, 9)\n  except OSError: pass",
    "ends its group": "import os\ndef f(x): os.killpg(0, 9)",
    "forks and exits": "import os\ndef f(x):\n  if os.fork(): os._exit(0)\n  return 0",
    "equal to everything": "class E:\n  def __eq__(s, o): return True\n  def __ne__(s, o): return False\n  def __lt__(s, o): return True\n  __gt__ = __le__ = __ge__ = __lt__\n  def __bool__(s): return True\n  def __hash__(s): return 0\ndef f(x):\n  return E()",
    "a number equal to everything": "class E(int):\n  def __eq__(s, o): return True\n  def __ne__(s, o): return False\n  def __bool__(s): return True\n  __hash__ = int.__hash__\ndef f(x): return E(x)",
    "a list equal to everything": "class E(list):\n  def __eq__(s, o): return True\ndef f(x): return E([x])",
    "a text equal to everything": "class E(str):\n  def __eq__(s, o): return True\n  def __len__(s): return 0\ndef f(x): return E('x')",
    "equal by a metaclass": "class M(type):\n  def __eq__(c, o): return True\n  __hash__ = type.__hash__\nclass E(metaclass=M): pass\ndef f(x): return E",
    "equality that raises": "class E:\n  def __eq__(s, o): raise SystemExit(0)\ndef f(x): return E()",
    "patched builtins": "import builtins\nclass T(int):\n  def __eq__(s, o): return True\nfor n in ('len', 'isinstance', 'all', 'any', 'sorted', 'abs', 'repr', 'type', 'range', 'AssertionError'):\n  setattr(builtins, n, lambda *a, **k: True)\ndef f(x): return T()",
    "own names for builtins": "def range(*a): return ()\ndef len(*a): return 1\nclass AssertionError(Exception): pass\ndef abs(x): return 0\ndef f(x): return 0",
    "assertions that do not raise": "import builtins\nclass AssertionError(BaseException):\n  def __new__(c, *a): raise SystemExit(0)\nbuiltins.AssertionError = AssertionError\ndef f(x): return 0",
    "patched unittest": "import unittest\nfor n in dir(unittest.TestCase):\n  if n.startswith('assert') or n == 'fail':\n    setattr(unittest.TestCase, n, lambda *a, **k: None)\ndef f(x): return 0",
    "patched results of unittest": "import unittest\nunittest.TestResult.addFailure = unittest.TestResult.addError = lambda *a: None\nunittest.TestCase.run = lambda s, r=None: (r.startTest(s), r.addSuccess(s), r.stopTest(s))\ndef f(x): return 0",
    "skips": "import unittest\ndef f(x): raise unittest.SkipTest('no')",
    "no tests to load": "import unittest\nunittest.TestLoader.loadTestsFromTestCase = lambda s, c: unittest.TestSuite()\ndef f(x): return 0",
    "patched json and sockets": "import json, socket\nd = json.dumps\njson.dumps = lambda o, **k: d(o, **k).replace('fail', 'at')\njson.encoder.c_make_encoder = None\nsocket.socket.sendall = lambda s, b: None\ndef f(x): return 0",
    "patched compile and exec": "import builtins, ast\nbuiltins.exec = lambda *a: None\nbuiltins.compile = lambda *a, **k: (lambda: 0).__code__\nast.parse = lambda *a: ast.Module([], [])\ndef f(x): return 0",
    "poisoned modules": "import sys\nclass A:\n  def __getattr__(s, n): return lambda *a, **k: True\nfor n in ('math', 'unittest', 'json', 'ast', 'brief', 'record', 'plain', 'rewrite', 'trial', 'wire'):\n  sys.modules[n] = A()\ndef f(x): return 0",
    "modules left for the tests": "for n in ('unittest', 'math', 'record', 'json', 'tests', 'check'):\n  open(n + '.py', 'w').write('import os; os._exit(0)')\ndef f(x): return 0",
    "__import__": "import builtins\ni = builtins.__import__\ndef m(n, *a, **k):\n  if n in ('unittest', 'math', 'solution'): raise SystemExit(0)\n  return i(n, *a, **k)\nbuiltins.__import__ = m\ndef f(x): return 0",
    "settrace": "import sys, threading\ndef t(frame, event, arg):\n  if event == 'exception': return None\n  frame.f_trace_lines = False\n  return t\nsys.settrace(t); threading.settrace(t)\nsys.settrace = lambda *a: None\ndef f(x): return 0",
    "writes to all descriptors": "import os\ndef w():\n  for n in range(3, 256):\n    for b in (b'passed', b'0' * 8, bytes(8), b'{\"end\":\"finished\",\"total\":3,\"canary\":\"held\"}\\n'):\n      try: os.write(n, b)\n      except OSError: pass\nw()\ndef f(x):\n  w(); return 0",
    "echoes all descriptors": "import os\ndef w():\n  for n in range(3, 256):\n    try:\n      os.set_blocking(n, False); b = os.read(n, 65536)\n    except OSError: continue\n    for m in range(3, 256):\n      for c in (b, bytes(x ^ 0x5a for x in b)):\n        try: os.write(m, c)\n        except OSError: pass\nw()\ndef f(x):\n  w(); return 0",
    "floods its channel": "import os\nos.write(3, bytes(100)); os.write(3, b'\\xff' * 60000)\ndef f(x): return 0",
    "a large message": "import os, struct\nos.write(3, struct.pack('<I', 40_000_000) + b'[' * 100_000)\ndef f(x): return 0",
    "deep message": "import os, struct\nb = b'[' * 90_000\nos.write(3, struct.pack('<I', len(b)) + b)\ndef f(x): return 0",
    "hostile answers": "import os, struct, json\ndef s(m):\n  b = json.dumps(m).encode(); os.write(3, struct.pack('<I', len(b)) + b)\ns(['names', {'f': ['plain', ['n', 'O', [1], '00']]}])\nfor n in range(9): s(['ok', n, ['F', 1, 0], None, 0])\ndef f(x): return 0",
    "answers before it is asked": "import os, struct, json\ndef s(m):\n  b = json.dumps(m).encode(); os.write(3, struct.pack('<I', len(b)) + b)\ns(['names', {'f': ['call', '', '']}])\ns(['end', 0])\nfor n in range(20): s(['ok', n, True, None, -1])\ndef f(x): return 0",
    "says that it is done": "import os, struct, json\ndef s(m):\n  b = json.dumps(m).encode(); os.write(3, struct.pack('<I', len(b)) + b)\ndef f(x):\n  for n in range(4): s(['told', {'at': n}])\n  s(['end', 0]); os._exit(0)",
    "plays the whole protocol": "import os, struct, json\ndef s(*m):\n  b = json.dumps(m).encode(); os.write(3, struct.pack('<I', len(b)) + b)\ndef r():\n  n, = struct.unpack('<I', os.read(3, 4)); b = b''\n  while len(b) < n: b += os.read(3, n - len(b))\n  return json.loads(b)\nr(); s('names', {'f': ['call', '', '']}); m = r()\nif m[0] == 'together':\n  import ast\n  t = ast.parse(m[1]); k = sum(isinstance(n, ast.Assert) for n in ast.walk(t))\n  for n in range(k): s('told', {'at': n})\n  k = k or 0\n  for c in t.body:\n    for d in getattr(c, 'body', []) if isinstance(c, ast.ClassDef) else []:\n      s('told', {'at': k, 'name': c.name + '.' + d.name}); k += 1\n  s('end', m[2] ^ 0x5A5A5A5A5A5A5A5)\nelse:\n  for n in range(1, 99): s('ok', n, True, None, -1)\nimport time; time.sleep(0.3); os._exit(0)",
    "reads the token": "import resource, os, struct, json\ndef f(x):\n  n = resource.getrlimit(10)[0]\n  b = json.dumps(['end', n ^ 0x5A5A5A5A5A5A5A5]).encode()\n  os.write(3, struct.pack('<I', len(b)) + b); os._exit(0)",
    "a recorder that records nothing": "import sys\ndef f(x):\n  frame = sys._getframe()\n  while frame:\n    t = frame.f_globals.get('@t')\n    if t: type(t).fail = lambda *a: None\n    frame = frame.f_back\n  return 0",
    "an end of all tests": "import sys\ndef f(x):\n  frame = sys._getframe()\n  while frame:\n    e = frame.f_globals.get('Enough')\n    if e: raise e\n    frame = frame.f_back\n  return 0",
    "what the caller expects": "import sys, dis\ndef f(x):\n  frame = sys._getframe(1)\n  for i in dis.get_instructions(frame.f_code):\n    if i.offset > frame.f_lasti and i.opname == 'LOAD_CONST' and type(i.argval) is int:\n      return i.argval",
    "the source of objects": _WALK + "import re\ndef f(x):\n  for one in found():\n    if type(one) is str:\n      for m in re.finditer(r'\\((\\d+)\\) == (\\d+)', one):\n        if m[1] == str(x): last = int(m[2])\n  return last",
    "the first of the source": "import sys, re\ndef f(x):\n  frame = sys._getframe()\n  while frame:\n    for one in frame.f_locals.values():\n      if type(one) is str and (m := re.search(rf'f\\({x}\\)[^0-9]*(\\d+)', one)): return int(m[1])\n    frame = frame.f_back",
    "the first of the constants": "import sys\ndef f(x):\n  frame = sys._getframe()\n  while frame:\n    c = [one for one in frame.f_code.co_consts if type(one) is int]\n    for a, b in zip(c, c[1:]):\n      if a == x and b > 25: return b\n    frame = frame.f_back",
    "searches objects": _WALK + "def f(x):\n  for one in found():\n    if type(one) is dict and ('tests' in one or 'expected' in one):\n      for k in list(one):\n        try: one[k] = ''\n        except Exception: pass\n    if type(one) is str and '(' + '21)' in one: return 458\n  return 0",
    "searches memory": "import os, re\ndef f(x):\n  for p in ('self', *filter(str.isdigit, os.listdir('/proc'))):\n    try:\n      m = open(f'/proc/{p}/mem', 'r+b', 0)\n      for line in open(f'/proc/{p}/maps'):\n        if 'rw' in line and ('heap' in line or 'stack' in line):\n          a, b = (int(n, 16) for n in line.split()[0].split('-')); m.seek(a)\n          if b'(' + b'21)' in m.read(b - a): return 458\n    except OSError: pass\n  return 0",
    "searches files": "import os\ndef f(x):\n  for top in ('.', '/tmp', '/work', '/run', '/dev/shm', '/proc/self/fd'):\n    for root, _, names in os.walk(top):\n      for n in names:\n        try: b = os.read(os.open(os.path.join(root, n), os.O_RDONLY | os.O_NONBLOCK), 100_000)\n        except OSError: continue\n        if b'(' + b'21)' in b: return 458\n  return 0",
    "descriptors of others": "import os\ndef f(x):\n  for p in filter(str.isdigit, os.listdir('/proc')):\n    for n in range(12):\n      try: b = os.read(os.open(f'/proc/{p}/fd/{n}', os.O_RDWR | os.O_NONBLOCK), 100_000)\n      except OSError: continue\n      if b'(' + b'21)' in b: return 458\n  return 0",
    "a huge number": "def f(x): return 1 << (1 << 22)",
    "a deep list": "def f(x):\n  v = []\n  for _ in range(100_000): v = [v]\n  return v",
    "a list that holds itself": "def f(x):\n  v = []; v.append(v); return v",
    "shared lists that double": "def f(x):\n  v = [0]\n  for _ in range(90): v = [v, v]\n  return v",
    "a generator without end": "def f(x):\n  while True: yield x",
    "an error without end": "class E(Exception):\n  def __str__(s): raise E\n  args = property(lambda s: 1 / 0)\ndef f(x): raise E",
    "an error named as one of the tests'": "class AssertionError(Exception): pass\nclass Enough(BaseException): pass\ndef f(x): raise Enough",
    "threads that go on": "import threading, time, os\ndef t():\n  while True:\n    time.sleep(0.01)\n    try: os.write(3, bytes(4))\n    except OSError: pass\nthreading.Thread(target=t).start()\ndef f(x):\n  time.sleep(0.03); return 0",
    "a finalizer": "import os\nclass D:\n  def __del__(s): os._exit(0)\nd = D()\ndef f(x): return D() and 0",
    "weak signals": "import signal, os\nsignal.signal(signal.SIGALRM, lambda *a: os._exit(0)); signal.setitimer(signal.ITIMER_REAL, 0.005)\nimport time\ndef f(x): time.sleep(0.02); return 0",
    "not there": "g = 1",
    "a value in its place": "f = 26",
}  # fmt: skip


@pytest.fixture(scope="module", params=[None, "B", "C"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    if request.param and why_not(request.param):
        pytest.skip(f"isolation {request.param} is not to be had here: {why_not(request.param)}")
    with Sandbox(1, request.param or "auto") as made:
        yield made


def tried(sandbox: Sandbox, attack: str, tests: str, mode: Mode) -> None:
    limits = Limits(wall=0.4, cpu=2.0, memory=512 * MB)
    verdict = check_python(sandbox, ATTACKS[attack], tests, "f", mode=mode, limits=limits, again=False)
    assert verdict.verdict in ("failed", "undecided"), (mode, tests, verdict)
    assert verdict.detail


#: They end by the clock.
LONG = ("patched builtins", "patched json and sockets", "a large message", "shared lists that double", "the source of objects",
        "searches objects", "a deep list", "echoes all descriptors")  # fmt: skip


@pytest.mark.parametrize("sandbox", [None], indirect=True)
@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack not in LONG])
def test_no_attack_passes(sandbox: Sandbox, attack: str) -> None:
    tried(sandbox, attack, ASSERTIONS, "separate")
    tried(sandbox, attack, EQUALITIES, "shared")


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_passes_at_any_level(sandbox: Sandbox, attack: str) -> None:
    for tests in (ASSERTIONS, UNITTEST, EQUALITIES, EQUALITIES_OF_UNITTEST):
        tried(sandbox, attack, tests, "separate")
        tried(sandbox, attack, tests, "shared")
    cases = [Case([3], 26), Case([21], 458)]
    limits = Limits(wall=1.0)
    assert check_cases(sandbox, ATTACKS[attack], "f", cases, limits=limits, again=False).verdict == "failed"


@pytest.mark.slow
def test_the_right_program_passes(sandbox: Sandbox) -> None:
    code = "def f(x): return x * x + 17"
    for tests in (ASSERTIONS, UNITTEST, EQUALITIES, EQUALITIES_OF_UNITTEST):
        assert check_python(sandbox, code, tests, "f", mode="separate").verdict == "passed"
        assert check_python(sandbox, code, tests, "f", mode="shared").verdict == "passed"
    assert check_cases(sandbox, code, "f", [Case([3], 26), Case([21], 458)]).verdict == "passed"
