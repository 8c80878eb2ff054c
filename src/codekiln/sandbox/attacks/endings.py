"""Attacks by output, by ending, by what is left for the next program, and on compilers."""

from __future__ import annotations

from dataclasses import replace

from codekiln.sandbox.attacks.attack import SMALL, Attack, Seen
from codekiln.sandbox.program import MB, Status


def _capped(seen: Seen) -> str:
    most = max(len(seen.done.stdout), len(seen.done.stderr))
    if most > seen.limits.output:
        return f"{most} bytes came out"
    return "" if seen.wall < seen.limits.wall + 1 else f"it took {seen.wall:.1f} s"


def _whole(seen: Seen) -> str:
    """All of an honest program's megabyte, and the line after it."""
    return "" if len(seen.done.stdout) == 1_000_007 and not seen.done.truncated else "honest output was lost"


def _silent(seen: Seen) -> str:
    """An exit code of 0 is all that there is: nothing was said where verdicts come from."""
    return "it spoke over the channel of verdicts" if seen.done.said else ""


_FLOOD = replace(SMALL, output=100_000)
_BROKEN: tuple[Status, ...] = ("compile_error", "timeout", "memory_limit", "output_limit", "exited")
_COMPILER = "no secret is in what it says or makes; the box goes on"
_EARLY = "the exit code is no verdict: nothing comes over the channel that verdicts come from"

ATTACKS = (
    Attack(
        "flood on stdout", "writes without end", "bytes that came; time", "while True: os.write(1, b'x' * 65536)",
        limits=_FLOOD, ends=("output_limit",), check=_capped,
    ),
    Attack(
        "flood on stderr", "writes without end", "bytes that came; time", "while True: os.write(2, b'x' * 65536)",
        limits=_FLOOD, ends=("output_limit",), check=_capped,
    ),
    Attack(
        "flood on both from many processes", "writes without end in many processes", "bytes that came; time",
        "try:\n  while os.fork(): pass\nexcept OSError: pass\nwhile True: os.write(1, b'x' * 4096); os.write(2, b'y' * 4096)",
        limits=_FLOOD, ends=("output_limit",), check=_capped,
    ),
    Attack(
        "a megabyte of honest output", "is no attack: it must come out whole", "bytes that came",
        "import sys\nsys.stdout.write('0123456789' * 100_000 + '\\n'); sys.stdout.flush()",
        limits=replace(SMALL, output=2 * MB), check=_whole,
    ),
    Attack(
        "early exit in Python", "os._exit(0) before anything is tested", _EARLY, "tried()\nos._exit(0)", check=_silent,
    ),
    Attack(
        "early exit in JavaScript", "process.exit(0) before anything is tested", _EARLY,
        "require('fs').writeSync(1, 'TRIED\\n'); process.exit(0); throw 1;", language="javascript", memory="data",
        check=_silent, quick=False,
    ),
    Attack("early exit in Bash", "exit 0 before anything is tested", _EARLY, "echo TRIED; exit 0; false", language="shell",
           check=_silent),
    Attack(
        "static initialiser in C++", "exits before main", _EARLY,
        "#include <cstdio>\n#include <cstdlib>\nstruct E { E() { puts(\"TRIED\"); exit(0); } } e;\nint main() { abort(); }",
        language="c++", check=_silent, quick=False,
    ),
    Attack(
        "files left for the next program", "writes to every place, and looks for what the program before it wrote",
        "nothing is there",
        "for place in ('.', '/work', '/tmp', '/dev/shm', '/dev', '/var/tmp', '/run'):\n"
        "  try: names = os.listdir(place)\n  except OSError: continue\n"
        "  for name in names:\n    if name.startswith('left-behind'): through(f'{place}/{name}')",
        before="for place in ('.', '/tmp', '/dev/shm'):\n  try:\n    os.makedirs(place + '/left-behind/x'); "
        "open(place + '/left-behind-file', 'w').close(); os.chmod(place + '/left-behind', 0)\n  except OSError: pass",
    ),
    Attack(
        "state left for the next program", "changes its limits, masks, handlers, modules and working folder",
        "the next program finds none of it",
        "import signal, math\nif os.umask(0) != 0o022: through('umask')\n"
        "if math.pi < 3: through('a changed module')\n"
        "if signal.getsignal(signal.SIGUSR1) != signal.SIG_DFL or signal.pthread_sigmask(signal.SIG_BLOCK, []): through('signals')\n",
        before="import signal, math\nos.umask(0); math.pi = 1\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))",
    ),
    Attack(
        "compiler: files of the host", "includes /etc/passwd, the harness's secrets, the environment of process 1", _COMPILER,
        "#include \"/etc/passwd\"\n#include \"/etc/shadow\"\n#include \"/proc/1/environ\"\n#include \"/proc/self/environ\"\n"
        "asm(\".incbin \\\"/etc/shadow\\\"\");\nasm(\".incbin \\\"/etc/passwd\\\"\");\nint main() {}",
        language="c++", ends=("compile_error",), quick=False,
    ),
    Attack(
        "compiler: endless files", "includes /dev/zero and /dev/stdin", _COMPILER,
        "#include \"/dev/stdin\"\nasm(\".incbin \\\"/dev/zero\\\"\");\n#include \"/dev/zero\"\nint main() {}",
        language="c++", ends=_BROKEN, quick=False,
    ),
    Attack(
        "compiler: endless templates", "instantiates templates without end", _COMPILER,
        "template <int N> struct A { typedef typename A<N * 2 + 1>::t t; A<N + 1> a; A<N + 2> b; };\n"
        "template <class T> int f(T t) { return f(&t); }\nint main() { return f(0); }",
        language="c++", ends=("compile_error", "timeout", "memory_limit"), quick=False,
    ),
    Attack(
        "compiler: large results", "makes a program of gigabytes", _COMPILER,
        "char large[1L << 33] = {1};\nint main() { return large[5]; }",
        language="c++", ends=("compile_error", "timeout", "memory_limit", "sandbox_error"), quick=False,
    ),
    Attack(
        "compiler: many messages", "makes the compiler speak without end", _COMPILER,
        "#define A(x) x x x x x x x x\n#define B(x) A(A(A(A(x))))\nint main() { B(undeclared + \"\" * 1;) }",
        language="c++", ends=("compile_error", "output_limit"), quick=False,
    ),
)  # fmt: skip
