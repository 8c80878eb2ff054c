"""What kind of file it is besides its language: vendored, generated, minified, test, documentation.

Flags describe and drop nothing by themselves; folder and file names are those that GitHub's linguist and the
test runners of each language go by.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from codekiln.corpus import flag_patterns as patterns
from codekiln.corpus.generated import is_generated
from codekiln.corpus.sources import names

FLAGS = ("vendored", "generated", "minified", "test", "documentation")

_TEST_FOLDERS = """
    test tests testing testsuite testsuites __tests__ __test__ __mocks__ spec specs unittest unittests testdata
    test-data test_data testcases fixtures e2e integration-tests integration_tests
"""
_TESTS = frozenset(_TEST_FOLDERS.split())
_TEST_NAME = re.compile(
    r"""^(?: test_.*\.\w+ | .*_tests?\.(?:py|go|c|cc|cpp|cxx|rs|rb|exs?|erl|dart|lua|ml|php|jl|cr|nim|zig|hs|clj[cs]?|sh|pl|sql)
          | .*[._-](?:test|spec)s?\.(?:[cm]?[jt]sx?|coffee|vue|rb|dart|el) | .*_spec\.(?:rb|lua|js|ts|moon|cr)
          | conftest\.py | test\.\w+ | tests\.(?:py|rs|fs|hs) | .*\.t | .*\.bats | .*_suite\.(?:erl|scala)
        )$""",
    re.VERBOSE,
)
#: In these a test's class, and so its file, is named so; case counts (`Latest.java` is none).
_TEST_CLASS = re.compile(
    r"(?:^Test[A-Z0-9]\w*|[a-z0-9_](?:Tests?|TestCase|Spec|IT|Suite))\.(?:java|kt|kts|scala|groovy|cs|vb|fs|swift|php|m|mm)$"
)
_DOCUMENTATION_FOLDERS = "doc docs documentation javadoc apidoc apidocs man manual manuals guide guides"
_DOCUMENTATION = frozenset(_DOCUMENTATION_FOLDERS.split())
_DOCUMENTATION_NAME = re.compile(
    r"^(?:readme|changelog|changes|history|news|contributing|code[_-]of[_-]conduct|copying|license|licence|notice"
    r"|install|authors|contributors|maintainers|security|governance|support|faq|release[_-]?notes|upgrading|migration)"
    r"(?:[_-][^.]*)?(?:\.\w\w(?:[_-]\w\w)?(?=\.))?(?:\.(?:md|markdown|mkd|rst|txt|adoc|org|html?|pod|rdoc|textile))?$"
)
_PROSE = frozenset(["markdown", "restructuredtext"])
#: Characters a line on average above which a script or style sheet is minified, as linguist has it.
_MINIFIED_MEAN = 110


def flags_of(
    path: str, language: str | None, text: str, is_package: Callable[[str], bool] = lambda folder: False
) -> list[str]:
    """The flags of a file, in the order of `FLAGS`.

    Args:
        language: one of the 92 names, or None.
        is_package: whether a folder has an `__init__.py`: a package called `build` is source.
    """
    folders, _, name = path.rpartition("/")
    lower, inside = name.lower(), set(folders.lower().split("/"))
    below = "/" + path.lower()
    vendored = (
        names.vendored_folder(path, is_package) is not None
        or patterns.VENDORED_NAME.match(lower)
        or patterns.VENDORED_FOLDER.search(below)
    )
    minified = names.is_minified_name(path) or (
        language in ("javascript", "css") and len(text) > _MINIFIED_MEAN * (text.count("\n") + 1)
    )
    generated = (
        (names.is_generated_name(path) and not minified)
        or patterns.GENERATED_PATH.search(below)
        or is_generated(text)
    )
    test = inside & _TESTS or _TEST_NAME.match(lower) or _TEST_CLASS.search(name)
    documentation = (
        inside & _DOCUMENTATION
        or _DOCUMENTATION_NAME.match(lower)
        or (patterns.DOCUMENTATION_NAME.match(lower) and not patterns.SOURCE_NAME.search(lower))
        or patterns.DOCUMENTATION_FOLDER.search(below)
        or language in _PROSE
    )
    found = zip(FLAGS, (vendored, generated, minified, test, documentation))
    return [flag for flag, given in found if given]
