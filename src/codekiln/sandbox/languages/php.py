"""PHP: its command line."""

from codekiln.sandbox.ending import at_end
from codekiln.sandbox.program import MB
from codekiln.sandbox.toolchain import Toolchain

_FINISH = r"""
file_put_contents('php://fd/4', implode('', array_map(function ($byte) { return chr(ord($byte) ^ 0x5A); },
    str_split(file_get_contents('php://fd/3')))));"""


def _finishing(source: str) -> str:
    outside = source.rfind("?>") > source.rfind("<?")
    return at_end(source, f"<?php {_FINISH}" if outside else _FINISH)


TOOLCHAIN = Toolchain(
    language="php",
    endings=(".php",),
    # The system's settings load its modules, but hide errors; assertions throw.
    run=("php", "-d", "memory_limit={memory_mb}M", "-d", "display_errors=stderr", "-d", "log_errors=0", "-d",
         "error_reporting=32767", "-d", "zend.assertions=1", "-d", "assert.exception=1", "-d", "html_errors=0", "{main}"),
    version=("php", "--version"),
    install="apt-get install php-cli",
    memory="data",
    own_memory=32 * MB,
    out_of_memory=(b"Allowed memory size of", b"Out of memory"),
    finishing=_finishing,
)  # fmt: skip
