"""What names say about languages: extensions, whole file names and interpreters of the report's 92 languages.

Facts as GitHub's linguist records them (languages.yml), and a few that the languages' own tools use beside. An
extension may stand under several languages; `codekiln.corpus.language_rules` says how the content decides.
"""

from __future__ import annotations

#: Extensions of each language, lower case without the first dot; the keys are the report's 92 names in its order.
EXTENSIONS: dict[str, str] = {
    "ada": "adb ads ada",
    "agda": "agda",
    "alloy": "als",
    "antlr": "g4 g3",
    "applescript": "applescript scpt",
    "assembly": "asm s nasm a51 x68 i inc nas",
    "augeas": "aug",
    "awk": "awk gawk mawk auk nawk",
    "batchfile": "bat cmd",
    "bluespec": "bsv bs",
    "c": "c h idc cats",
    "c#": "cs csx cake cs.pp linq",
    "c++": "cpp cc cxx c++ hpp hh hxx h++ ipp inl tpp txx ino cppm ixx cp h inc re tcc",
    "clojure": "clj cljs cljc cljx edn boot bb cl2 cljs.hl cljscm hic",
    "cmake": "cmake",
    "coffeescript": "coffee cson iced _coffee cake cjsx coffee.erb",
    "common-lisp": "lisp lsp cl asd ny l podsl sexp",
    "css": "css",
    "cuda": "cu cuh",
    "dart": "dart",
    "dockerfile": "dockerfile containerfile",
    "elixir": "ex exs",
    "elm": "elm",
    "emacs-lisp": "el emacs emacs.desktop",
    "erlang": "erl hrl escript xrl yrl app app.src es",
    "f#": "fs fsi fsx",
    "fortran": "f f77 f90 f95 f03 f08 for fpp ftn",
    "glsl": (
        "glsl vert frag geom tesc tese comp vsh fsh vshader fshader shader glslv glslf fp frg fs geo gs "
        "gshader rchit rmiss vrx"
    ),
    "go": "go",
    "groovy": "groovy gvy gy gradle grt gtpl",
    "haskell": "hs hsc hs-boot",
    "html": "html htm xhtml xht hta html.hl inc",
    "idris": "idr lidr",
    "isabelle": "thy",
    "java": "java jav jsh",
    "java-server-pages": "jsp jspf jspx tag",
    "javascript": (
        "js mjs cjs jsx es es6 jsm _js bones frag gs jake javascript jsb jscad jsfl jslib jspre jss njs "
        "pac sjs ssjs xsjs xsjslib"
    ),
    "json": (
        "json jsonc json5 geojson webmanifest jsonld topojson 4dform 4dproject avsc gltf har ice "
        "json-tmlanguage jsonl mcmeta sarif slnlaunch tact tfstate webapp yy yyp"
    ),
    "julia": "jl",
    "jupyter-notebook": "ipynb",
    "kotlin": "kt kts ktm",
    "lean": "lean hlean",
    "literate-agda": "lagda",
    "literate-coffeescript": "litcoffee coffee.md",
    "literate-haskell": "lhs",
    "lua": "lua rockspec nse wlua luau p8 fcgi pd_lua rbxs",
    "makefile": "mk mak make d mkfile",
    "maple": "mpl",
    "markdown": "md markdown mdown mkd mkdn mdwn mdx livemd mkdown ronn scd workbook",
    "mathematica": "wl wls nb nbp mathematica mt cdf m ma wlt",
    "matlab": "m matlab",
    "objectc++": "mm",
    "ocaml": "ml mli mll mly eliom eliomi ml4",
    "pascal": "pas pp dpr lpr dpk dfm inc pascal",
    "perl": "pl pm pod t psgi al perl cgi fcgi ph plx",
    "php": "php phtml php3 php4 php5 phps phpt aw ctp fcgi inc",
    "powershell": "ps1 psm1 psd1",
    "prolog": "pro prolog plt yap pl",
    "protocol-buffer": "proto",
    "python": "py pyi pyw pyx pxd pxi gyp gypi wsgi py3 bzl cgi fcgi lmi pyde pyp pyt rpy spec tac xpy",
    "r": "r rsx rd rhistory",
    "racket": "rkt rktd rktl scrbl",
    "restructuredtext": "rst rest rest.txt rst.txt",
    "rmarkdown": "rmd qmd",
    "ruby": (
        "rb rake gemspec ru podspec thor jbuilder builder rabl rbw rbi eye fcgi god mspec pluginspec "
        "prawn rbuild rbx ruby spec watchr"
    ),
    "rust": "rs",
    "sas": "sas",
    "scala": "scala sbt sc kojo",
    "scheme": "scm ss sld sls sps sch",
    "shell": (
        "sh bash zsh ksh bats ebuild eclass command cgi fcgi pacscript sbatch slurm tmux tool "
        "trigger zsh-theme"
    ),
    "smalltalk": "st cs",
    "solidity": "sol",
    "sparql": "sparql rq",
    "sql": "sql ddl dml pls plsql pks pkb pck psql tsql inc mysql prc tab udf viw",
    "stan": "stan",
    "standard-ml": "sml sig fun ml",
    "stata": "do ado doh mata sthlp ihlp matah",
    "swift": "swift",
    "systemverilog": "sv svh vh",
    "tcl": "tcl tk adp tm itcl itk exp sdc xdc",
    "tcsh": "tcsh csh",
    "tex": "tex sty cls ltx dtx ins bbx cbx tikz lbx mkii mkiv mkvi",
    "thrift": "thrift",
    "typescript": "ts tsx mts cts",
    "verilog": "v veo",
    "vhdl": "vhd vhdl vho vht vhf vhi vhs vhw",
    "visual-basic": "vb vbs bas frm vba vbhtml cls ctl dsr",
    "vue": "vue",
    "xslt": "xsl xslt",
    "yacc": "y yy yacc",
    "yaml": "yml yaml mir reek rviz sublime-syntax syntax yaml-tmlanguage yaml.sed yml.mysql",
    "zig": "zig zig.zon",
}

#: Whole file names, lower case.
NAMES: dict[str, str] = {
    "batchfile": "gradlew.bat mvnw.cmd",
    "clojure": "build.boot riemann.config",
    "cmake": "cmakelists.txt",
    "coffeescript": "cakefile",
    "dockerfile": "dockerfile containerfile",
    "elixir": "mix.lock",
    "emacs-lisp": (
        ".emacs .spacemacs .abbrev_defs .emacs.desktop .gnus .viper cask eask project.ede _emacs abbrev_defs"
    ),
    "erlang": "emakefile rebar.config rebar.config.lock rebar.lock",
    "groovy": "jenkinsfile",
    "isabelle": "root",
    "javascript": "jakefile",
    "json": (
        ".babelrc .jshintrc .prettierrc .swcrc .watchmanconfig .all-contributorsrc .arcconfig "
        ".auto-changelog .c8rc .htmlhintrc .imgbotconfig .nycrc .secrets.baseline .tern-config "
        ".tern-project module.bazel.lock package.resolved pipfile.lock bun.lock composer.lock deno.lock "
        "flake.lock mcmod.info"
    ),
    "jupyter-notebook": "notebook",
    "lua": ".luacheckrc",
    "makefile": (
        "makefile gnumakefile bsdmakefile kbuild makefile.am makefile.in makefile.inc makefile.boot "
        "makefile.frag makefile.pc makefile.wat makefile.sco mkfile"
    ),
    "markdown": "contents.lr",
    "perl": "cpanfile .latexmkrc makefile.pl rexfile ack latexmkrc",
    "php": ".php .php_cs .php_cs.dist phakefile",
    "python": (
        "sconstruct sconscript wscript snakefile build.bazel workspace .pythonrc .pystartup tiltfile "
        ".gclient deps"
    ),
    "r": ".rprofile .rapp.history .rhistory expr-dist",
    "ruby": (
        "gemfile rakefile guardfile capfile vagrantfile podfile fastfile appfile thorfile berksfile "
        "brewfile dangerfile .irbrc .pryrc .simplecov appraisals buildfile deliverfile jarfile mavenfile "
        "puppetfile snapfile steepfile"
    ),
    "shell": (
        ".bashrc .bash_profile .bash_aliases .bash_logout .profile .zshrc .zshenv .zprofile .zlogin "
        ".kshrc pkgbuild apkbuild gradlew .bash_functions .bash_history .envrc .flaskenv "
        ".tmux.conf .xinitrc .xsession .zlogout 9fs bash_aliases bash_logout bash_profile bashrc "
        "kshrc man mvnw profile tmux.conf xinitrc xsession zlogin zlogout zprofile zshenv zshrc"
    ),
    "tcl": "owh starfield",
    "tcsh": ".cshrc .tcshrc .login cshrc tcshrc login",
    "yaml": (".clang-format .clang-tidy .clangd citation.cff .gemrc glide.lock pixi.lock yarn.lock"),
}

#: Interpreters of `#!` lines, lower case, without version numbers.
INTERPRETERS: dict[str, str] = {
    "applescript": "osascript",
    "awk": "awk gawk mawk nawk",
    "c": "tcc",
    "clojure": "bb",
    "coffeescript": "coffee",
    "common-lisp": "sbcl clisp ecl ccl lisp",
    "dart": "dart",
    "elixir": "elixir",
    "erlang": "escript",
    "groovy": "groovy",
    "haskell": "runhaskell runghc stack runhugs",
    "javascript": "node nodejs rhino qjs bun chakra d8 deno gjs js v8 v8-shell",
    "julia": "julia",
    "kotlin": "kotlin",
    "lua": "lua luajit luau",
    "makefile": "make gmake",
    "mathematica": (
        "wolfram wolframkernel wolframscript math mathkernel mathematicascript wolframnb mathematica"
    ),
    "ocaml": "ocaml ocamlrun ocamlscript",
    "pascal": "instantfpc",
    "perl": "perl cperl",
    "php": "php",
    "powershell": "pwsh powershell",
    "prolog": "swipl yap",
    "python": "python pypy pythonw py uv",
    "r": "rscript",
    "racket": "racket",
    "ruby": "ruby jruby rbx macruby rake",
    "rust": "rust-script",
    "scala": "scala",
    "scheme": "guile scheme gosh csi chicken bigloo r6rs",
    "shell": "sh bash zsh ksh dash ash mksh pdksh rc bats",
    "stata": "stata",
    "swift": "swift",
    "tcl": "tclsh wish expect",
    "tcsh": "csh tcsh",
    "typescript": "ts-node tsx",
}
