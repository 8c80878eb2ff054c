"""JavaScript: Node."""

from codekiln.sandbox.ending import at_end
from codekiln.sandbox.program import MB
from codekiln.sandbox.toolchain import Toolchain

#: What runs JavaScript files, TypeScript's too: the heap ends at the program's limit, and says so.
NODE = ("node", "--max-old-space-size={memory_mb}")
#: Once nothing is left to do; not after process.exit or an error that nobody caught.
FINISH = """\
;globalThis.process.once("beforeExit", () => {
  const files = typeof require === "function" ? require("fs") : globalThis.process.getBuiltinModule("fs");
  files.writeSync(4, files.readFileSync(3).map((byte) => byte ^ 0x5A));
});"""

TOOLCHAIN = Toolchain(
    language="javascript",
    names=("js", "node"),
    endings=(".js", ".mjs", ".cjs"),
    run=(*NODE, "{main}"),
    version=("node", "--version"),
    install="apt-get install nodejs",
    memory="data",
    own_memory=192 * MB,
    own_processes=16,
    out_of_memory=(
        b"heap out of memory",
        b"Array buffer allocation failed",
        b"Cannot create a string longer",
    ),
    finishing=lambda source: at_end(source, FINISH),
)
