"""Shell: Bash."""

from codekiln.sandbox.ending import at_end
from codekiln.sandbox.toolchain import Toolchain

# Two digits at a time from od; without its own newline, which od adds, so that every byte is one that was asked.
_FINISH = """\
for _byte in $(od -An -v -tu1 <&3); do printf "\\\\x$(printf %x $((_byte ^ 0x5A)))"; done >&4"""

TOOLCHAIN = Toolchain(
    language="shell",
    names=("bash", "sh"),
    endings=(".sh", ".bash"),
    run=("bash", "{main}"),
    version=("bash", "--version"),
    install="apt-get install bash",
    out_of_memory=(b"annot allocate memory", b"xrealloc: ", b"xmalloc: "),
    finishing=lambda source: at_end(source, _FINISH),
)
