"""Keys, tokens, passwords and personal data in source code: found, counted, replaced by placeholders."""

from codekiln.corpus.secrets.finder import Finding, clean, find
from codekiln.corpus.secrets.redact import placeholder, redact

__all__ = ["Finding", "clean", "find", "placeholder", "redact"]
