"""A Python file, run as `python FILE ARGUMENTS` would, in this process, which ends with it."""

import atexit
import builtins
import gc
import io
import os
import sys
import traceback
import types


def forget(folder):
    """Let a program in a folder find its own modules before those that were loaded for it."""
    for name in os.listdir(folder):
        name = name.removesuffix(".py")
        if name in sys.modules and name != "__main__":
            for one in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
                del sys.modules[one]


def run(command):
    """Run a file and end. The streams of the interpreter are those of the descriptors 0, 1 and 2, whatever they are."""
    sys.argv = list(command)
    folder = os.path.dirname(os.path.abspath(command[0]))
    sys.path.insert(0, folder)
    forget(folder)
    gc.enable()
    code = 0
    try:
        main = types.ModuleType("__main__")
        main.__dict__.update(__file__=command[0], __builtins__=builtins)
        sys.modules["__main__"] = main
        with io.open_code(os.path.abspath(command[0])) as stream:
            source = stream.read()
        exec(compile(source, command[0], "exec", dont_inherit=True), main.__dict__)  # noqa: S102 - held by the box
    except SystemExit as end:
        code = exit_code(end)
    except BaseException as error:
        code = 1
        show(error, command[0])
    finish(code)


def exit_code(end):
    """What the interpreter ends with for a SystemExit."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    print(end.code, file=sys.stderr)
    return 1


def show(error, file):
    """The traceback of an error, from the program's own first frame on."""
    try:
        shown = error.__traceback__
        while shown is not None and shown.tb_frame.f_code.co_filename != file:
            shown = shown.tb_next
        traceback.print_exception(type(error), error, shown or error.__traceback__)
    except BaseException:
        os.write(2, b"an error that cannot be shown\n")


def finish(code):
    """End as the interpreter would: threads, then what is registered, then the streams."""
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        code = code or 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            code = code or 120
    os._exit(code)
