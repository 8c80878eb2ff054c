"""Which of the report's 92 languages a file is in, by its name and its content."""

from codekiln.corpus.languages.detector import (
    LANGUAGES,
    NOTEBOOK,
    by_name,
    by_shebang,
    detect,
    looks_like_code,
    may_be_code,
)

__all__ = ["LANGUAGES", "NOTEBOOK", "by_name", "by_shebang", "detect", "looks_like_code", "may_be_code"]
