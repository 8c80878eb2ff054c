"""R."""

from codekiln.sandbox.ending import at_end
from codekiln.sandbox.program import MB
from codekiln.sandbox.toolchain import Toolchain

_FINISH = """\
local({
  asked <- file("/proc/self/fd/3", "rb"); answer <- file("/proc/self/fd/4", "wb")
  while (length(bytes <- readBin(asked, "raw", 4096)) > 0) writeBin(xor(bytes, as.raw(0x5A)), answer)
  close(asked); close(answer)
})"""

TOOLCHAIN = Toolchain(
    language="r",
    endings=(".r", ".R"),
    run=("Rscript", "--vanilla", "{main}"),
    version=("Rscript", "--version"),
    install="apt-get install r-base-core",
    own_memory=128 * MB,
    own_processes=8,
    out_of_memory=(b"cannot allocate", b"memory exhausted", b"Cannot allocate"),
    finishing=lambda source: at_end(source, _FINISH),
)
