"""Each language's start: what compiling and running a small program costs in a box, and what warm starts save.

    python benchmarks/sandbox_languages.py                        # all that is installed, a table
    python benchmarks/sandbox_languages.py c++ java --repeats 9   # some of them
    python benchmarks/sandbox_languages.py --json > FILE          # the figures as JSON

A program that includes or imports what tests usually do is compiled and run several times, once with what the sandbox
keeps ready for the compiler (a precompiled header, an archive of classes and settings of javac's own start, compiled
packages) and once without; of each
the least processor time counts, the wall time beside it is of the same machine under whatever load it has. `least` is the
smallest limit of memory, in steps of 16 MB, at which the program still runs, its runtime's own share not counted.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from codekiln.sandbox import Limits, Program, Sandbox
from codekiln.sandbox.artefacts import Artefacts
from codekiln.sandbox.languages import toolchain, toolchains
from codekiln.sandbox.program import MB
from codekiln.sandbox.step import Step

#: Small programs of the kind that tests of functions are.
PROGRAMS = {
    "python": "import collections, math\nassert math.gcd(4, 6) == 2\nprint(collections.Counter('aab'))\n",
    "javascript": "const assert = require('node:assert');\nassert.deepEqual([1].map(x => x + 1), [2]);\nconsole.log('done');\n",
    "typescript": "import assert from 'node:assert';\nconst all: Map<string, number[]> = new Map();\nall.set('a', [1, 2]);\n"
    "assert.deepEqual(all.get('a'), [1, 2]);\nconsole.log('done');\n",
    "java": "import java.util.*;\nimport java.util.stream.*;\nclass Main {\n  public static void main(String[] args) {\n"
    "    List<Integer> all = Arrays.asList(3, 1, 2).stream().sorted().map(x -> x + 1).collect(Collectors.toList());\n"
    "    assert all.equals(Arrays.asList(2, 3, 4));\n    System.out.println(all);\n  }\n}\n",
    "c": "#include <assert.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
    'int main(void) { assert(strlen("ab") == 2); puts("done"); return 0; }\n',
    "c++": "#include<assert.h>\n#include<bits/stdc++.h>\nusing namespace std;\nint main() {\n  map<string, vector<int>> all;\n"
    '  all["a"].push_back(1);\n  sort(all["a"].begin(), all["a"].end());\n  assert(all["a"] == vector<int>({1}));\n'
    '  cout << "done" << endl;\n}\n',
    "c#": "using System;\nusing System.Collections.Generic;\nusing System.Linq;\nclass Program {\n  static void Main() {\n"
    "    Console.WriteLine(new List<int> { 3, 1 }.OrderBy(x => x).Sum());\n  }\n}\n",
    "go": 'package main\nimport (\n "fmt"\n "sort"\n "strings"\n)\nfunc main() {\n all := []int{3, 1}\n sort.Ints(all)\n'
    ' fmt.Println(strings.Repeat("a", 2), all)\n}\n',
    "rust": "use std::collections::HashMap;\nfn main() {\n  let mut all: HashMap<String, Vec<i32>> = HashMap::new();\n"
    '  all.entry("a".to_string()).or_default().push(1);\n  assert_eq!(all["a"], vec![1]);\n  println!("{:?}", all);\n}\n',
    "php": "<?php\nassert(array_sum([1, 2]) == 3);\necho json_encode(['a' => 1]), \"\\n\";\n",
    "ruby": "require 'set'\nraise unless [1, 2].sum == 3\nputs Set.new([1]).inspect\n",
    "perl": "use strict; use warnings; use List::Util qw(sum);\ndie unless sum(1, 2) == 3;\nprint \"done\\n\";\n",
    "lua": "assert(#{1, 2} == 2)\nprint(string.rep('a', 2))\n",
    "r": "stopifnot(sum(1:2) == 3)\ncat(rev(c(1, 2)), '\\n')\n",
    "shell": "all=(3 1)\nprintf '%s\\n' \"${all[@]}\" | sort\n",
    "sql": "with recursive c(x) as (select 1 union all select x + 1 from c where x < 9) select sum(x) from c;\n",
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("languages", nargs="*", help="all where none is named")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--isolation", default="auto")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = [toolchain(name).language for name in options.languages] or list(toolchains())
    rows = []
    with (
        tempfile.TemporaryDirectory() as kept,
        Sandbox(1, options.isolation, artefacts=Artefacts(Path(kept))) as sandbox,
    ):
        if not options.json:
            print(HEADER)
        for name in names:
            rows.append(measured(sandbox, name, options.repeats))
            if not options.json:
                print(line(rows[-1]), flush=True)
    if options.json:
        print(json.dumps({"isolation": sandbox.level, "languages": rows}, indent=2))
    return 0


def measured(sandbox: Sandbox, name: str, repeats: int) -> dict[str, Any]:
    """Seconds of one language's steps, each the least of several."""
    tools = toolchain(name)
    if not tools.found():
        return {"language": name, "missing": tools.install}
    row: dict[str, Any] = {"language": name, "version": tools.version_text()}
    program = Program(name, {tools.file: PROGRAMS[name].encode()})
    if tools.compile:
        row["compile"] = least(sandbox, compiling(program, False), repeats)
        warm = compiling(program, True)
        if warm != compiling(program, False):
            row["compile_warm"] = least(sandbox, warm, repeats)
    step, failed = sandbox.compiled(program)
    if failed:
        raise SystemExit(
            f"{name}: {failed.status}: {(failed.stdout + failed.stderr).decode(errors='replace')}"
        )
    row["run"] = least(sandbox, step, repeats)
    sizes = (replace(program, limits=Limits(memory=size * MB)) for size in range(16, 1025, 16))
    row["least_mb"] = next(one.limits.memory // MB for one in sizes if sandbox.run(one).exit_code == 0)
    return row


def compiling(program: Program, warm: bool) -> Step:
    """The step that compiles a program, with or without what the sandbox keeps ready for it."""
    tools, limits = toolchain(program.language), program.compile_limits
    files, main = tools.arrange(program.files, tools.file)
    words = tools.command(tools.compile, files, main, limits.memory, limits.processes)
    if not warm:
        words = [one for one in words if not one.startswith("-J")]
    words += [*tools.compile_words(files, main), *(tools.warm_words(files, main) if warm else ())]
    environment = {**tools.environment, **(tools.warm_environment() if warm else {})}
    return Step(files, words, limits=limits, memory="data", environment=environment)


def least(sandbox: Sandbox, step: Step, repeats: int) -> tuple[float, float]:
    """The least (processor, wall) seconds of a step."""
    done = [sandbox.step(step) for _ in range(repeats)]
    if any(one.exit_code != 0 for one in done):
        raise SystemExit(
            f"{' '.join(step.command)}: {done[0].status}: {done[0].stderr.decode(errors='replace')}"
        )
    return min(one.cpu_s for one in done), min(one.wall_s for one in done)


def line(row: dict[str, Any]) -> str:
    if "missing" in row:
        return f"{row['language']:<11} not installed: {row['missing']}"
    cells = [f"{row[key][0]:5.2f} {row[key][1]:5.2f}" if key in row else " " * 11 for key in STEPS]
    ratio = f"{row['compile'][0] / row['compile_warm'][0]:5.2f}" if "compile_warm" in row else " " * 5
    return f"{row['language']:<11} {cells[0]}  {cells[1]}  {ratio}  {cells[2]}  {row['least_mb']:5}  {row['version']}"


STEPS = ("compile", "compile_warm", "run")
HEADER = "language    compile: s cpu, wall  warm  cold/warm  run: s cpu, wall  least MB  version"


if __name__ == "__main__":
    raise SystemExit(main())
