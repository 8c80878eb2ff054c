"""Lua: 5.4, or whatever version is called `lua`."""

from __future__ import annotations

from codekiln.sandbox.ending import at_end
from codekiln.sandbox.toolchain import Toolchain, located

# Without the operator for it, which older versions lack.
_FINISH = """\
do
  local asked, answer = assert(io.open("/proc/self/fd/3", "rb")), assert(io.open("/proc/self/fd/4", "wb"))
  answer:write((asked:read("*a"):gsub(".", function(one)
    local byte, mask, sum, bit = one:byte(), 0x5A, 0, 1
    while bit < 256 do
      if byte % 2 ~= mask % 2 then sum = sum + bit end
      byte, mask, bit = (byte - byte % 2) / 2, (mask - mask % 2) / 2, bit * 2
    end
    return string.char(sum)
  end)))
  answer:close()
end"""


def _interpreter() -> list[str]:
    found = located("lua5.4") or located("lua")
    return [found] if found else []


TOOLCHAIN = Toolchain(
    language="lua",
    endings=(".lua",),
    run=("lua", "{main}"),
    version=("lua", "-v"),
    install="apt-get install lua5.4",
    out_of_memory=(b"not enough memory",),
    lookup={"lua": _interpreter},
    finishing=lambda source: at_end(source, _FINISH),
)
