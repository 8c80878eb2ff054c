"""`codekiln sandbox run`: one file, run where it can do no harm."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from codekiln.cli.common import emit, json_option
from codekiln.errors import UserError
from codekiln.progress import say


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("arguments", nargs=-1)
@click.option("--language", metavar="L", help="Of FILE, where its ending does not tell.")
@click.option("--stdin", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="What it reads.")
@click.option(
    "--wall",
    type=click.FloatRange(0.01, 86_400),
    default=10.0,
    show_default=True,
    metavar="S",
    help="Seconds by the clock.",
)
@click.option(
    "--cpu",
    type=click.FloatRange(0.01, 86_400),
    default=10.0,
    show_default=True,
    metavar="S",
    help="Seconds of processor time of each process.",
)
@click.option(
    "--memory", type=click.IntRange(1, 1024**2), default=1024, show_default=True, metavar="MB", help="Memory."
)
@click.option(
    "--processes",
    type=click.IntRange(1, 10_000),
    default=32,
    show_default=True,
    metavar="N",
    help="Processes and threads.",
)
@click.option(
    "--output",
    type=click.IntRange(1),
    default=4096,
    show_default=True,
    metavar="KB",
    help="Of stdout, and of stderr.",
)
@click.option(
    "--disk",
    type=click.IntRange(1, 1024**2),
    default=64,
    show_default=True,
    metavar="MB",
    help="What it may write.",
)
@click.option(
    "--isolation",
    default="auto",
    show_default=True,
    metavar="auto|A|B|C|none",
    help="Level; auto takes the best that this machine has, see `codekiln sandbox check`.",
)
@json_option
@click.pass_context
def run(
    context: click.Context,
    file: Path,
    arguments: tuple[str, ...],
    language: str | None,
    stdin: Path | None,
    wall: float,
    cpu: float,
    memory: int,
    processes: int,
    output: int,
    disk: int,
    isolation: str,
    as_json: bool,
) -> None:
    """Run FILE, whatever is in it, without network, without this machine's files, within limits.

    ARGUMENTS are the program's (after `--` where they begin with a dash). What it writes comes out as it is, and a line on
    stderr says how it ended; exit code 0: it exited with 0, 1: it did not. With --json the exit code is 0 however it ended.

    \b
    codekiln sandbox run solution.py --stdin input.txt --wall 2
    codekiln sandbox run Main.java --memory 512 --json -- --size 3
    """
    from codekiln.sandbox import Limits, Program, Sandbox
    from codekiln.sandbox.languages import language_of, toolchain

    known = language or language_of(file.name)
    if known is None:
        raise UserError(f"{file}: its ending tells no language; name it with --language")
    toolchain(known).need()
    limits = Limits(wall, cpu, memory * 1024**2, processes, output * 1024, disk * 1024**2)
    given = _content(stdin) if stdin else b""
    program = Program(known, {file.name: _content(file)}, stdin=given, arguments=arguments, limits=limits)
    with Sandbox(1, isolation) as sandbox:
        done = sandbox.run(program)
    if as_json:
        emit(done.document(), True, [])
        context.exit(1 if done.status == "sandbox_error" else 0)
    for stream, content in ((sys.stdout, done.stdout), (sys.stderr, done.stderr)):
        if stream is None:  # closed by who called
            continue
        stream.flush()
        stream.buffer.write(content)
        stream.flush()
    how = {"exited": f"exited with {done.exit_code}", "signalled": f"ended by signal {done.signal}"}
    words = how.get(done.status, done.status.replace("_", " ")) + (f" ({done.detail})" if done.detail else "")
    if done.step == "compile" and done.status != "compile_error":
        words = f"compiler: {words}"
    say(
        f"{words}; {done.wall_s:.2f} s, {done.cpu_s:.2f} s of processor time, {done.peak_memory_mb:.0f} MB; "
        f"isolation {done.isolation}"
    )
    context.exit(0 if (done.status, done.exit_code) == ("exited", 0) else 1)


def _content(path: Path) -> bytes:
    if not path.is_file():  # a pipe or a device may never end
        raise UserError(f"{path}: is no file; write what it gives to one first")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
