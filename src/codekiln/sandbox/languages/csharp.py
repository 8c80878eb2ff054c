"""C#: Mono."""

import re

from codekiln.sandbox.ending import at_end_of
from codekiln.sandbox.program import MB
from codekiln.sandbox.toolchain import Toolchain

_MAIN = re.compile(r"\bstatic(?:\s+\w+){0,4}?\s+(?:void|int|Task|Task<int>)\s+Main\s*\(")
_FINISH = """
using (var _asked = new System.IO.FileStream("/proc/self/fd/3", System.IO.FileMode.Open, System.IO.FileAccess.Read))
using (var _answer = new System.IO.FileStream("/proc/self/fd/4", System.IO.FileMode.Open, System.IO.FileAccess.Write)) {
  for (int _byte; (_byte = _asked.ReadByte()) >= 0; ) _answer.WriteByte((byte)(_byte ^ 0x5A));
}"""

TOOLCHAIN = Toolchain(
    language="c#",
    names=("cs", "csharp"),
    endings=(".cs",),
    # Debug.Assert is compiled, and told on stderr: what tests of MultiPL-E rely on.
    compile=("mcs", "-codepage:utf8", "-nowarn:1-9999", "-d:DEBUG", "-d:TRACE", "-r:System.Numerics.dll", "-r:System.Core.dll",
             "-out:program.exe", "{sources}"),
    run=("mono", "--gc-params=max-heap-size={memory_mb}m", "program.exe"),
    version=("mono", "--version"),
    install="apt-get install mono-mcs",
    memory="data",
    own_memory=96 * MB,
    own_processes=12,
    out_of_memory=(b"OutOfMemoryException", b"Out of memory", b"out of memory"),
    kept=("program.exe",),
    environment={"MONO_TRACE_LISTENER": "Console.Error"},
    finishing=lambda source: at_end_of(source, _MAIN, _FINISH, "c#", "method Main"),
)  # fmt: skip
