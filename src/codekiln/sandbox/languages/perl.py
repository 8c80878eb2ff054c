"""Perl."""

import re

from codekiln.sandbox.ending import before_line
from codekiln.sandbox.toolchain import Toolchain

_FINISH = r"""
{ open(my $asked, '<&=', 3); open(my $answer, '>&=', 4); binmode($asked); binmode($answer);
  local $/; my $bytes = <$asked>; print {$answer} join('', map { chr(ord($_) ^ 0x5A) } split(//, $bytes)); close($answer); }"""
_END = re.compile(r"^__(?:END|DATA)__\r?$", re.MULTILINE)

TOOLCHAIN = Toolchain(
    language="perl",
    names=("pl",),
    endings=(".pl",),
    run=("perl", "{main}"),
    version=("perl", "-e", 'print "perl $^V\n"'),
    install="apt-get install perl",
    out_of_memory=(b"Out of memory",),
    ends=_END,
    finishing=lambda source: before_line(source, _END, _FINISH),
)
