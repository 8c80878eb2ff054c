"""Paths and first lines by which a file is flagged as vendored, generated or documentation.

What GitHub's linguist publishes as vendored, generated and documentation, in groups of our own. Left out are what projects
write themselves all the same (`cache/`, `env/`, Vagrantfile, Jenkinsfile, fabfile.py) and formats that are no source code.
"""

from __future__ import annotations

import re

# Libraries that are commonly copied into a web project as single files; what follows a name is a version or a build.
_SCRIPTS = r"""
    (?: jquery (?:[.-](?:ui|effects|migrate|form|validate|cookie|easing|unobtrusive(?:-ajax)?|fancybox|datatables|fileupload|ujs|\d+))*
      | bootstrap (?:[.-][\w-]+)? | angular (?:-\w+)* | fuelux | bootbox | pdf\.worker | slick | effects | controls | dragdrop
      | mochikit | fontello | chart | sh(?:brush\w*|core|legacy) | skeleton | animate | materialize | bulma | foundation
      | cordova | octicons | leaflet\.(?:draw|spin|coordinates) | control\.fullscreen | microsoft(?:mvc)?(?:ajax|validation)
      | (?:mootools|prototype|dojo|ext|yui|yahoo|tiny_?mce|ckeditor|raphael|backbone|underscore|lodash|modernizr|knockout
         |ember|react|react-dom|vue|d3|moment|handlebars|mustache|require|less|html5shiv|respond|normalize
         |font-?awesome|reset|select2|codemirror|highlight|mathjax|leaflet|three)
    )
    (?:[.-](?:v?\d+|core|full|all|dev|debug|src|common|global|prod|production|development|custom|slim|bundle|min))*
    \.(?:js|css|less|scss|styl)
"""
# Files that build tools and package managers put into a project.
_TOOLS = r"""
    (?:gradlew|mvnw|activator)(?:\.(?:bat|cmd))? | ltmain\.sh | install-sh | config\.(?:guess|sub) | depcomp | missing | compile
  | configure | (?:aclocal|libtool|ltoptions|ltsugar|ltversion|lt~obsolete)\.m4 | dotnet-install\.(?:ps1|sh) | cpplint\.py
  | erlang\.mk | rebar | waf | \.indent\.pro | proguard(?:-rules)?\.pro | catch(?:_amalgamated)?\.[hc]pp | sqlite3\.[ch] | stb_\w+\.h
  | [\w.-]*(?:-vsdoc|\.intellisense)\.js | [\w.-]+\.d\.ts
  | \.git(?:attributes|ignore|modules) | [\w.-]*\.sublime-(?:project|workspace) | \.ds_store | \.osx
"""
#: File names, lower case.
VENDORED_NAME = re.compile(rf"^(?:{_SCRIPTS}|{_TOOLS})$", re.VERBOSE)

#: Folders, lower case, the path with a slash before it: anywhere, and only at the top of a project.
VENDORED_FOLDER = re.compile(
    r"""/(?: extern(?:als?)? | 3rd[-_]?party | [^/]*third[-_]?party | v+endors? | _esy | xvba_modules | flow-typed | mathjax | ace-builds
        | extjs | tiny_mce | bootstrap-datepicker | admin_media | puphpet | sparkle | godeps/_workspace | \.github | \.vscode
        | \.teamcity | \.obsidian | \.google_apis | (?:tests?|specs?)/fixtures | testdata | gradle/wrapper | \.mvn/wrapper
        | docs?/_?(?:build|themes?|templates?|static) | inst/extdata | font-?awesome | bourbon | select2
        | \.yarn/(?:releases|plugins|sdks|versions|unplugged) | packages/[^/]*\.\d+
        | [\w-]+\.(?:xctemplate|imageset|framework) )/
      | ^/(?:deps|dependencies|debian)/""",
    re.VERBOSE,
)

DOCUMENTATION_FOLDER = re.compile(r"/(?:groovydoc|inst/doc)/|^/(?:examples|demos?|samples?)/")
DOCUMENTATION_NAME = re.compile(
    r"^(?:(?:readme|change(?:s|log)?|contributing|copying|install|licen[cs]e)\.[a-z.]{1,20}|citations?\.(?:cff|bib|md))$"
)
#: Extensions of source code: `license.py` is none of the above.
_CODE = r"(?:py|rb|js|ts|go|c|h|cc|cpp|cs|java|kt|rs|php|pl|sh|scala|swift|ml|hs|ex|exs|erl|lua|jsx|tsx|vue)"
SOURCE_NAME = re.compile(rf"\.{_CODE}$")

#: Names of generated files besides those that are never read (`sources.names`): the path in lower case, a slash before it.
GENERATED_PATH = re.compile(
    r"""/(?: [\w.-]+\.(?:feature\.cs|zep\.(?:c|h|php)|nib|xcworkspacedata|xcuserstate) | \w+_tlb\.pas | ppport\.h
        | (?:gopkg|glide)\.lock | package\.resolved | (?:\w+\.)?esy\.lock | module\.bazel\.lock | mise(?:\.[^/]+)?\.lock
        | \.pnp\.[^/]+ | cargo\.toml\.orig | \.secrets\.baseline | (?:julia)?manifest(?:-v\d+\.\d+)?\.toml | \.terraform\.lock\.hcl
        | query-[a-f\d]{64}\.json )$
      | /(?:\.idea|pods|htmlcov|__generated__|godeps|carthage/build)/""",
    re.VERBOSE,
)
