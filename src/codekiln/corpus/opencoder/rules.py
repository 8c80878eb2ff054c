"""OpenCoder's rules for code and data files (Huang et al. 2024, arXiv 2411.04905; thresholds of the released filters).

The base set is for every language; packs change or add to it for shell, SQL, Python, C, C++, C#, Java, Go, JavaScript and
HTML. Left out: their rules for text (Markdown, reStructuredText, TeX) and those that they measure and never apply. Where
they draw a random number, the same share of files is spared by content.
"""

from __future__ import annotations

from codekiln.corpus.rule import Rule

ORIGIN = "OpenCoder"


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


#: Languages that OpenCoder takes for text, and those that it takes for data.
_TEXT = _set("jupyter-notebook markdown restructuredtext rmarkdown tex")
_DATA = _set("css json protocol-buffer sparql yaml")
_HTML, _SQL, _SHELL, _GO, _PYTHON = (_set(name) for name in ("html", "sql", "shell", "go", "python"))
_C = _set("c c++")
_LOGIC = _set("c c++ c# go java javascript python")
#: "dropped with probability 0.8"
_SPARED = 0.2


def _rule(
    name: str, label: str, signal: str, comparison: str, threshold: float, *,
    only: frozenset[str] | None = None, excepts: frozenset[str] = frozenset(), spares: float = 0.0,
) -> Rule:  # fmt: skip
    return Rule(
        f"opencoder_{name}", label, signal, comparison, threshold, ORIGIN, only, excepts | _TEXT, spares
    )


_TOPS = [
    _rule(
        f"top_{n}grams",
        f"share of the most frequent {n} words in a row",
        f"oc_top_{n}gram_fraction",
        ">",
        threshold,
    )
    for n, threshold in ((2, 0.20), (3, 0.18), (4, 0.16))
]
_COPIES = [
    rule
    for n, threshold in ((5, 0.80), (6, 0.70), (7, 0.70), (8, 0.70), (9, 0.70), (10, 0.60))
    for rule in (
        _rule(
            f"duplicate_{n}grams", f"share of repeated runs of {n} words", f"oc_duplicate_{n}gram_fraction", ">",
            threshold, excepts=_HTML,
        ),
        _rule(
            f"html_duplicate_{n}grams", f"share of repeated runs of {n} words", f"oc_duplicate_{n}gram_fraction", ">",
            0.60, only=_HTML,
        ),
    )
]  # fmt: skip

#: In the order in which a dropped file's reason is chosen.
OPENCODER: tuple[Rule, ...] = (
    _rule("generated", "says that it is generated", "oc_generated", ">=", 1),
    _rule("xml_declaration", "XML declaration at the start", "xml_declaration", ">=", 1),
    _rule("replacement", "share of replacement characters", "oc_replacement_fraction", ">", 0.01),
    _rule("few_characters", "characters", "characters", "<", 50),
    _rule("large_data", "characters", "characters", ">", 5_000, only=_DATA),
    # In bytes there.
    _rule("large", "characters", "characters", ">", 3_000_000),
    _rule("few_words", "words", "oc_words", "<", 30),
    _rule("few_lines", "lines", "lines", "<", 10),
    _rule("many_lines", "lines", "lines", ">", 100_000),
    _rule("short_words", "mean word length", "oc_mean_word_length", "<", 2),
    _rule("long_words", "mean word length", "oc_mean_word_length", ">", 10),
    _rule("short_lines", "mean line length", "mean_line_length", "<", 5),
    _rule("long_lines", "mean line length", "mean_line_length", ">", 100),
    _rule("longest_line", "longest line", "max_line_length", ">", 1_000),
    _rule("alphabetic", "alphabetic share of visible characters", "oc_alphabetic_fraction", "<", 0.5),
    _rule("digits", "share of digits in visible characters", "oc_digit_fraction", ">", 0.2, excepts=_SQL),
    _rule("sql_digits", "share of digits in visible characters", "oc_digit_fraction", ">", 0.3, only=_SQL),
    _rule("blanks", "share of white space", "oc_blank_fraction", ">", 0.5),
    _rule("encoded_run", "longest run of encoded data", "encoded_longest", ">", 1_024),
    _rule("encoded_share", "share of encoded data", "encoded_fraction", ">", 0.5),
    _rule("hexadecimal", "share of hexadecimal numbers", "oc_hex_fraction", ">", 0.4),
    _rule("comments", "share of comments", "oc_comment_fraction", ">", 0.8, excepts=_HTML),
    _rule("unfinished", "share of lines with a comment such as TODO", "oc_prompt_lines", ">", 0.01, excepts=_DATA | _HTML),
    _rule("unique_words", "share of different words", "oc_unique_word_fraction", "<", 0.4, only=_DATA),
    *_TOPS,
    *_COPIES,
    _rule("duplicate_lines", "share of repeated lines", "oc_duplicate_lines", ">", 0.7),
    _rule(
        "long_strings", "share of lines of long strings", "oc_long_string_lines", ">", 0.2,
        excepts=_DATA | _SHELL | _HTML,
    ),
    _rule("strings", "share of strings", "oc_string_fraction", ">", 0.6, excepts=_DATA | _SHELL | _HTML),
    _rule("long_string_words", "share of long words in strings", "oc_long_word_fraction", ">", 0.4, excepts=_HTML),
    _rule("asserts", "share of lines that assert", "oc_assert_lines", ">", 0.4, excepts=_DATA | _SHELL | _HTML | _GO),
    _rule("html_visible_share", "share of visible text", "visible_text_fraction", "<", 0.2, only=_HTML),
    _rule("html_visible_characters", "characters of visible text", "visible_text_characters", "<", 100, only=_HTML),
    # "Must parse", for Python and JavaScript; BeautifulSoup parses any HTML.
    _rule("does_not_parse", "share of parse errors", "parse_errors", ">", 0, only=_set("javascript python")),
    _rule("functions", "share of lines that begin a function", "oc_functions", ">", 0.2, only=_LOGIC),
    # Not C# and Go: theirs compares a list with 0 there and never fires.
    _rule("no_variable", "no variable at all", "oc_no_variable", ">=", 1, only=_set("java javascript python")),
    _rule("no_logic", "share of lines without logic", "oc_no_logic", ">", 0.5, only=_LOGIC, spares=_SPARED),
    _rule("prints", "share of lines that print", "oc_print_lines", ">", 0.4, only=_LOGIC),
    _rule("imports", "share of imports", "oc_import_lines", ">", 0.3, only=_PYTHON),
    _rule("passes", "share of lines that pass", "oc_pass_lines", ">", 0.05, only=_PYTHON),
    _rule("return_functions", "functions that only return, a line", "oc_return_functions", ">", 0.1, only=_PYTHON),
    _rule("directives", "share of preprocessor lines", "oc_directive_lines", ">", 0.8, only=_C),
    _rule("mains", "main functions", "oc_mains", ">", 1, only=_C),
    _rule("go_tests", "Go test file", "oc_go_test", ">=", 1, only=_GO, spares=_SPARED),
)  # fmt: skip
