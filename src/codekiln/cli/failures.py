"""How a command ends when it does not end well: one line on stderr and an exit code for every cause."""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import traceback

import click

from codekiln.errors import CodekilnError, one_line

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_PIPE, EXIT_TERMINATED = 1, 2, 130, 141, 143
#: Modules that come with an extra of the package, not with its core.
EXTRAS = {
    "torch": "train",
    "transformers": "train",
    "gguf": "train",
    "jinja2": "train",
    "xllamacpp": "llama",
}
_DISK = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again to go on",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again to go on",
    errno.EACCES: "permission denied: check the owner and mode, or choose another folder",
    errno.EPERM: "not permitted: check the owner and mode, or choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n) or use fewer --workers",
    errno.EIO: "the disk reported an input/output error",
}
_NO_MEMORY = "out of memory: close other programs, or use fewer --workers or shorter rows (dataset.length)"


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived. A KeyboardInterrupt, so that whoever tidies up on Ctrl-C tidies up now as well."""


def end(error: BaseException) -> int:
    """Tell why the command ends, in one line on stderr, and return the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else EXIT_FAILED if error.code else 0
    if isinstance(error, BrokenPipeError):
        _silence(sys.stdout)
        return EXIT_PIPE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return _interrupted(error)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    text, code = _verdict(error)
    if isinstance(error, OSError):
        # What could not be written would be tried again, and complained about, when Python ends.
        _silence(sys.stdout)
    _tell(f"codekiln: error: {text}")
    return code


def _verdict(error: BaseException) -> tuple[str, int]:
    if isinstance(error, CodekilnError):
        return str(error), error.exit_code
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "codekiln"
        message = error.format_message().rstrip(".")
        return f"{message}; see '{command} --help'", EXIT_USAGE
    if isinstance(error, click.ClickException):
        return error.format_message(), error.exit_code
    if _is_memory(error):
        return _NO_MEMORY, EXIT_FAILED
    if isinstance(error, OSError) and error.errno in _DISK:
        name = error.filename if error.filename is not None else "writing failed"
        return f"{os.fsdecode(name) if isinstance(name, bytes) else name}: {_DISK[error.errno]}", EXIT_FAILED
    extra = _missing_extra(error)
    if extra:
        return extra, EXIT_FAILED
    return _internal(error), EXIT_FAILED


def _is_memory(error: BaseException) -> bool:
    """Python's, numpy's, Arrow's and torch's ways to say that memory ran out."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _missing_extra(error: BaseException) -> str | None:
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    module = error.name.partition(".")[0]
    if error.name != module or module not in EXTRAS:
        return None
    return f"this needs {module}, which is not installed: pip install 'codekiln[{EXTRAS[module]}]'"


def _internal(error: BaseException) -> str:
    """A defect of codekiln: the traceback goes to a file, or to the terminal with CODEKILN_DEBUG=1."""
    what = f"internal error: {type(error).__name__}: {one_line(error)}"[:300]
    trace = "".join(traceback.format_exception(error))
    if os.environ.get("CODEKILN_DEBUG", "0") not in ("", "0"):
        sys.stderr.write(trace)
        return what
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="codekiln-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as log:
            log.write(f"codekiln {' '.join(sys.argv[1:])}\n{trace}")
    except OSError:
        return f"{what}; set CODEKILN_DEBUG=1 to see the traceback"
    return f"{what}; the traceback is in {log.name}"


def _interrupted(error: BaseException) -> int:
    # A second Ctrl-C while Python ends should stop it at once, without a traceback.
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            signal.signal(number, signal.SIG_DFL)
        except ValueError:
            break  # Not the main thread: there are no handlers of ours here.
    terminated = isinstance(error, Terminated) or isinstance(error.__cause__, Terminated)
    word = "terminated" if terminated else "interrupted"
    _tell(f"codekiln: {word}; run the same command again to go on")
    return EXIT_TERMINATED if terminated else EXIT_INTERRUPTED


def _tell(text: str) -> None:
    """One line on stderr; control characters (of a file name, say) are escaped."""
    line = "".join(one if one.isprintable() else repr(one)[1:-1] for one in one_line(text))
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # Nobody is listening; the exit code still tells.


def _silence(stream: object) -> None:
    """Point a stream at nothing, so that Python's last flush does not fail again."""
    try:
        descriptor = stream.fileno()  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
