"""Small programs in every language, by what they do; `task` reads stdin and arguments and writes text that is not ASCII."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Samples:
    """Source texts of one language.

    Attributes:
        task: prints "ü→ARGUMENT→LINE of stdin", then exits with code 3.
        broken: text that a compiler refuses, "" without one.
        two: files of which the first imports the second and prints 42.
        endless: never ends; bomb: takes memory without end.
        main: prints "done" and comes to its end; early: ends before, with exit code 0.
    """

    task: str
    endless: str
    bomb: str
    main: str
    early: str
    broken: str = ""
    two: dict[str, str] = field(default_factory=dict)


SAMPLES = {
    "python": Samples(
        task="import sys\nprint('ü→' + sys.argv[1] + '→' + input())\nsys.exit(3)",
        two={"main.py": "from other import value\nprint(value)", "other.py": "value = 42"},
        endless="while True: pass",
        bomb="x = []\nwhile True: x.append(bytearray(1 << 20))",
        main="print('done')",
        early="import sys\nprint('done')\nsys.exit(0)",
    ),
    "javascript": Samples(
        task="const line = require('fs').readFileSync(0, 'utf8').trim();\nconsole.log('ü→' + process.argv[2] + '→' + line);\nprocess.exitCode = 3;",
        two={"main.js": "console.log(require('./other').value)", "other.js": "exports.value = 42"},
        endless="for (;;);",
        bomb="const x = []; for (;;) x.push(Array.from({length: 10000}, (_, at) => at + 0.5));",
        main="setTimeout(() => console.log('done'), 1);",
        early="console.log('done'); process.exit(0);",
    ),
    "typescript": Samples(
        task="import * as fs from 'fs';\nconst line: string = fs.readFileSync(0, 'utf8').trim();\nconsole.log('ü→' + process.argv[2] + '→' + line);\nprocess.exitCode = 3;",
        broken="const x: number = 'text';",
        two={
            "main.ts": "import { value } from './other';\nconsole.log(value)",
            "other.ts": "export const value: number = 42",
        },
        endless="for (;;);",
        bomb="const x: number[][] = []; for (;;) x.push(Array.from({length: 10000}, (_, at) => at + 0.5));",
        main="declare var require: any;\nconst assert = require('node:assert');\nassert.deepEqual([1], [1]);\nconsole.log('done');",
        early="console.log('done'); process.exit(0);",
    ),
    "java": Samples(
        task="""package some.place;
import java.util.*;
class Before { static String of() { return "ü→"; } }
public class Program {
  public static void main(String[] args) throws Exception {
    System.out.println(Before.of() + args[0] + "→" + new Scanner(System.in).nextLine());
    System.exit(3);
  }
}""",
        broken="public class Main { int f() { return true; } }",
        two={
            "main.java": "import util.Other;\npublic class Main { public static void main(String[] args) { System.out.println(Other.VALUE); } }",
            "util/Other.java": "package util;\npublic class Other { public static final int VALUE = 42; }",
        },
        endless="class Main { public static void main(String[] args) { while (true); } }",
        bomb="""import java.util.*;
class Main { public static void main(String[] args) { List<int[]> x = new ArrayList<>(); while (true) x.add(new int[100000]); } }""",
        main="""import java.util.*;
class Problem {
  public static void main(String[] args) { assert 1 + 1 == 2; System.out.println("done"); /* } */ }

}""",
        early='class Problem { static { System.out.println("done"); System.exit(0); } public static void main(String[] args) { } }',
    ),
    "c": Samples(
        task='#include <stdio.h>\nint main(int n, char **args) { char line[99]; scanf("%98s", line); printf("ü→%s→%s\\n", args[1], line); return 3; }',
        broken="int main() { return undeclared; }",
        two={
            "main.c": '#include <stdio.h>\n#include "other.h"\nint main() { printf("%d\\n", value()); }',
            "other.c": "int value(void) { return 42; }",
            "other.h": "int value(void);",
        },
        endless="int main() { for (;;); }",
        bomb="#include <stdlib.h>\n#include <string.h>\nint main() { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }",
        main='#include <stdio.h>\n/* main() { */ int main(void) { puts("}done" + 1); return 0; }',
        early='#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts("done"); exit(0); }',
    ),
    "c++": Samples(
        task='#include<assert.h>\n#include<bits/stdc++.h>\nint main(int n, char **args) { std::string line; std::cin >> line; std::cout << "ü→" << args[1] << "→" << line << "\\n"; return 3; }',
        broken="int main() { return undeclared; }",
        two={
            "main.cpp": '#include <iostream>\n#include "other.h"\nint main() { std::cout << value() << "\\n"; }',
            "other.cpp": '#include "other.h"\nint value() { return 42; }',
            "other.h": "int value();",
        },
        endless="int main() { for (volatile int x = 0;; x = 1); }",
        bomb="#include <vector>\nint main() { std::vector<char *> x; for (;;) x.push_back(new char[1 << 20]()); }",
        main="#include<assert.h>\n#include<bits/stdc++.h>\nusing namespace std;\n/* int main() { */\nint main() { assert(1 + 1 == 2); cout << R\"(done)\" << '\\n'; }",
        early='#include <cstdlib>\n#include <cstdio>\nint x = (puts("done"), exit(0), 1);\nint main() { }',
    ),
    "c#": Samples(
        task="""using System;
class Program { static int Main(string[] args) { Console.WriteLine("ü→" + args[0] + "→" + Console.ReadLine()); return 3; } }""",
        broken="class Program { static int Main() { return true; } }",
        two={
            "main.cs": "class Program { static void Main() { System.Console.WriteLine(Other.Value); } }",
            "other.cs": "static class Other { public const int Value = 42; }",
        },
        endless="class Program { static void Main() { while (true); } }",
        bomb="""using System.Collections.Generic;
class Program { static void Main() { var x = new List<int[]>(); while (true) x.Add(new int[100000]); } }""",
        main="""using System; using System.Diagnostics;
class Problem { public static void Main(string[] args) { Debug.Assert(1 + 1 == 2); Console.WriteLine(@"done"); }
}""",
        early='using System; class P { static P() { Console.WriteLine("done"); Environment.Exit(0); } static void Main() { } }',
    ),
    "go": Samples(
        task='package main\nimport ("bufio"; "fmt"; "os")\nfunc main() { line, _, _ := bufio.NewReader(os.Stdin).ReadLine(); fmt.Printf("ü→%s→%s\\n", os.Args[1], line); os.Exit(3) }',
        broken='package main\nimport "fmt"\nfunc main() { }',
        two={
            "main.go": 'package main\nimport ("fmt"; "program/util")\nfunc main() { fmt.Println(util.Value + local) }',
            "other.go": "package main\nconst local = 2",
            "util/util.go": "package util\nconst Value = 40",
        },
        endless="package main\nfunc main() { for { } }",
        bomb="package main\nfunc main() { var x [][]byte; for { y := make([]byte, 1 << 20); for at := range y { y[at] = 1 }; x = append(x, y) } }",
        main='package some_test\n\nimport (\n "fmt"\n "testing"\n)\nfunc TestIt(t *testing.T) { if 1 + 1 != 2 { t.Errorf("no") }; fmt.Println("done") }',
        early='package main\nimport ("fmt"; "os")\nfunc init() { fmt.Println("done"); os.Exit(0) }\nfunc main() { }',
    ),
    "rust": Samples(
        task='use std::io::BufRead;\nfn main() { let line = std::io::stdin().lock().lines().next().unwrap().unwrap(); println!("ü→{}→{}", std::env::args().nth(1).unwrap(), line); std::process::exit(3) }',
        broken='fn main() { let x: i32 = "text"; }',
        two={
            "main.rs": 'mod other;\nfn main() { println!("{}", other::VALUE); }',
            "other.rs": "pub const VALUE: i32 = 42;",
        },
        endless="fn main() { loop { std::hint::black_box(1); } }",
        bomb="fn main() { let mut x = Vec::new(); loop { x.push(vec![1u8; 1 << 20]); } }",
        main="fn first<'a>(x: &'a str) -> &'a str { x }\nfn main() { let c = '{'; assert_eq!(c, '{'); println!(\"{}\", first(r#\"done\"#)) }",
        early='fn main() { println!("done"); if true { std::process::exit(0) } }',
    ),
    "php": Samples(
        task="<?php\necho 'ü→' . $argv[1] . '→' . trim(fgets(STDIN)) . \"\\n\";\nexit(3);",
        two={"main.php": "<?php require __DIR__ . '/other.php'; echo VALUE, \"\\n\";", "other.php": "<?php const VALUE = 42;"},
        endless="<?php while (true);",
        bomb="<?php $x = []; while (true) $x[] = str_repeat('x', 1 << 20);",
        main="<?php\nassert(1 + 1 == 2);\necho \"done\\n\"; ?>\n",
        early='<?php echo "done\\n"; exit(0);',
    ),
    "ruby": Samples(
        task='puts "ü→#{ARGV[0]}→#{STDIN.gets.chomp}"\nexit 3',
        two={"main.rb": "require_relative 'other'\nputs VALUE", "other.rb": "VALUE = 42"},
        endless="loop { }",
        bomb="x = []\nloop { x << 'x' * (1 << 20) }",
        main="puts 'done'\n__END__\ntext",
        early="puts 'done'\nexit 0",
    ),
    "perl": Samples(
        task='my $line = <STDIN>; chomp $line; print "ü→$ARGV[0]→$line\\n"; exit 3;',
        two={"main.pl": "use lib '.'; use Other; print Other::value(), \"\\n\";", "Other.pm": "package Other; sub value { 42 } 1;"},
        endless="while (1) { }",
        bomb="my @x; while (1) { push @x, 'x' x (1 << 20); }",
        main='print "done\\n";\n__DATA__\ntext',
        early='print "done\\n"; exit 0;',
    ),
    "lua": Samples(
        task='print("ü→" .. arg[1] .. "→" .. io.read())\nos.exit(3)',
        two={"main.lua": "print(require('other').value)", "other.lua": "return {value = 42}"},
        endless="while true do end",
        bomb="local x = {}\nwhile true do x[#x + 1] = string.rep('x' .. #x, 1 << 18) end",
        main="print('done')",
        early="print('done')\nos.exit(0)",
    ),
    "r": Samples(
        task='arguments <- commandArgs(trailingOnly = TRUE)\ncat(paste0("ü→", arguments[1], "→", readLines("stdin", n = 1), "\\n"))\nquit(status = 3)',
        two={"main.r": "source('other.r')\ncat(value, '\\n', sep = '')", "other.r": "value <- 42"},
        endless="while (TRUE) { }",
        bomb="x <- list()\nwhile (TRUE) x[[length(x) + 1]] <- numeric(1e5) + 1",
        main="cat('done\\n')",
        early="cat('done\\n')\nquit(status = 0)",
    ),
    "shell": Samples(
        task='read line\necho "ü→$1→$line"\nexit 3',
        two={"main.sh": ". ./other.sh\necho $value", "other.sh": "value=42"},
        endless="while :; do :; done",
        bomb="x=xxxxxxxxxxxxxxxx\nwhile :; do x=$x$x; done",
        main="echo done",
        early="echo done\nexit 0",
    ),
}  # fmt: skip
