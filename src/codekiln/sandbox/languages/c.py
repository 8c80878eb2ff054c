"""C: gcc."""

import re

from codekiln.sandbox.ending import at_end_of
from codekiln.sandbox.toolchain import Toolchain

MAIN = re.compile(r"(?<![\w$.>:])main\s*\(")
#: Declares what it calls, so that it needs no header; both are what headers declare, too.
_FINISH = """
{ extern long read(int, void *, unsigned long); extern long write(int, const void *, unsigned long);
  unsigned char _byte; while (read(3, &_byte, 1) == 1) { _byte ^= 0x5A; if (write(4, &_byte, 1) != 1) break; } }"""

TOOLCHAIN = Toolchain(
    language="c",
    endings=(".c",),
    # The GNU dialect declares POSIX's functions, which programs expect; -O1 costs little more to compile than -O0.
    compile=("gcc", "-std=gnu17", "-O1", "-w", "-pthread", "-o", "program", "{sources}", "-lm"),
    run=("./program",),
    version=("gcc", "--version"),
    install="apt-get install gcc libc6-dev",
    finishing=lambda source: at_end_of(source, MAIN, _FINISH, "c", "function main"),
)
