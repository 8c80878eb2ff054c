"""Licences: what files, texts, headers and metadata say, one verdict a file, what is permitted, who is named.

The permissive set follows the Blue Oak Council and ScanCode, as The Stack v2 did: weak copyleft (MPL, LGPL) is
not permissive.
"""

from codekiln.corpus.licenses.attribution import attribution, attribution_text, copyright_lines
from codekiln.corpus.licenses.expressions import classify, parse_expression, permissive_ids
from codekiln.corpus.licenses.folders import (
    is_license_file,
    is_metadata_file,
    looked_at,
    of_file,
    of_path,
    resolve_folders,
)
from codekiln.corpus.licenses.headers import from_header
from codekiln.corpus.licenses.identify import Identified, identify, recognise
from codekiln.corpus.licenses.installed import LIST_BYTES, Installed, find_installed, is_list_file
from codekiln.corpus.licenses.metadata import from_metadata, normalised
from codekiln.corpus.licenses.optout import OptOut, opted_out, read_opt_outs
from codekiln.corpus.licenses.verdict import NO_LICENSE, License

__all__ = [
    "LIST_BYTES",
    "NO_LICENSE",
    "Identified",
    "Installed",
    "License",
    "OptOut",
    "attribution",
    "attribution_text",
    "classify",
    "copyright_lines",
    "find_installed",
    "from_header",
    "from_metadata",
    "identify",
    "is_license_file",
    "is_list_file",
    "is_metadata_file",
    "looked_at",
    "normalised",
    "of_file",
    "of_path",
    "opted_out",
    "parse_expression",
    "permissive_ids",
    "read_opt_outs",
    "recognise",
    "resolve_folders",
]
