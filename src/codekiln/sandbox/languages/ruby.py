"""Ruby: the reference interpreter."""

import re

from codekiln.sandbox.ending import before_line
from codekiln.sandbox.program import MB
from codekiln.sandbox.toolchain import Toolchain

_FINISH = """\
IO.for_fd(4, "wb").then { |answer| answer.write(IO.for_fd(3, "rb").read.bytes.map { |byte| byte ^ 0x5A }.pack("C*")); answer.close }"""
_END = re.compile(r"^__END__\r?$", re.MULTILINE)

TOOLCHAIN = Toolchain(
    language="ruby",
    names=("rb",),
    endings=(".rb",),
    # Without what only makes error messages longer: a quarter of its start.
    run=("ruby", "--disable=did_you_mean,error_highlight", "{main}"),
    version=("ruby", "--version"),
    install="apt-get install ruby",
    own_memory=64 * MB,
    own_processes=4,
    out_of_memory=(b"failed to allocate memory",),
    ends=_END,
    finishing=lambda source: before_line(source, _END, _FINISH),
)
