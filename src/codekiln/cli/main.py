"""The `codekiln` command: sub-commands loaded when called, and every way to end told in one line."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any

import click

from codekiln import __version__
from codekiln.cli.failures import Terminated, end

#: Command -> (module that holds it under its own name, what it does). The module is imported when called.
COMMANDS = {
    "run": ("codekiln.cli.run", "Adapt a model to your code and prove it: every stage of a recipe."),
    "corpus": ("codekiln.cli.corpus", "Read sources; filter, deduplicate and split them."),
    "dataset": ("codekiln.cli.dataset", "Turn a corpus into packed training rows."),
    "train": ("codekiln.cli.train", "Train a model on a dataset."),
    "eval": ("codekiln.cli.eval", "Measure a model on the held-out files of a corpus."),
    "compare": ("codekiln.cli.compare", "Set two measurements side by side, with intervals."),
    "export": ("codekiln.cli.export", "Write the merged model, the adapter and the GGUF files."),
    "report": ("codekiln.cli.report", "Write report.html and report.json of a run."),
    "sandbox": ("codekiln.cli.sandbox", "Run programs that nobody has read, in many languages."),
    "models": ("codekiln.cli.models", "List, fetch, verify and locate models."),
    "recipes": ("codekiln.cli.recipes", "List the built-in recipes and show one in full."),
    "doctor": ("codekiln.cli.doctor", "Tell what this machine can do and what is missing."),
}
PROG = "codekiln"


class LazyGroup(click.Group):
    """A group whose commands come from `COMMANDS`, so that help and completion import none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, (module, _) in COMMANDS.items() if importlib.util.find_spec(module)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in names:
            close = difflib.get_close_matches(args[0], names, n=1)
            raise click.UsageError(
                f"there is no command {args[0]!r}" + (f"; did you mean {close[0]}?" if close else ""), ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=PROG, message="%(prog)s %(version)s")
def codekiln() -> None:
    """Code in, a better code model out, and the proof.

    Results go to stdout, progress and errors to stderr. Exit codes: 0 done, 1 the run failed (start the same
    command again to go on), 2 a mistake in the input, 130 interrupted. CODEKILN_DEBUG=1 shows tracebacks.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing but a result reaches stdout."""
    _set_up_streams()
    _catch_sigterm()
    try:
        with codekiln.make_context(PROG, list(arguments)) as context:
            codekiln.invoke(context)
        _flush()
        return 0
    except click.exceptions.Exit as done:
        return _finish(done.exit_code)
    except BaseException as error:
        return end(error)


def main() -> None:
    """Entry point of the console script and of `python -m codekiln`."""
    _complete_shell()
    sys.exit(run(sys.argv[1:]))


def _finish(code: int) -> int:
    try:
        _flush()
    except Exception as error:
        return end(error)
    return code


def _flush() -> None:
    """Flush while errors can still be told: a closed pipe or a full disk shows only now."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _set_up_streams() -> None:
    """A file name or character that the terminal cannot show is escaped instead of ending the run."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def _catch_sigterm() -> None:
    """SIGTERM ends a run the way Ctrl-C does, so that checkpoints and locks are left in order."""
    if threading.current_thread() is not threading.main_thread():
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)


def _complete_shell() -> None:
    """Shell completion, when the shell asks for it (_CODEKILN_COMPLETE=bash_source codekiln)."""
    instruction = os.environ.get("_CODEKILN_COMPLETE")
    if instruction:
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(codekiln, {}, PROG, "_CODEKILN_COMPLETE", instruction))
