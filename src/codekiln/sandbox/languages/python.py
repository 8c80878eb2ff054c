"""Python: run by a fork of an interpreter that has common modules loaded."""

import os
import sys

from codekiln.sandbox.ending import at_end
from codekiln.sandbox.toolchain import Toolchain

_FINISH = """\
with open(3, "rb") as _asked, open(4, "wb") as _answer:
    _answer.write(bytes(byte ^ 0x5A for byte in _asked.read()))"""

TOOLCHAIN = Toolchain(
    language="python",
    names=("py", "python3"),
    endings=(".py",),
    run=("{main}",),
    version=(os.path.realpath(sys.executable), "--version"),
    install="apt-get install python3",
    python=True,
    out_of_memory=(b"MemoryError",),
    finishing=lambda source: at_end(source, _FINISH),
)
