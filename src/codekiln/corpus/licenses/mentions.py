"""Licences that prose names: "released under the MIT license", an address of a licence, a title."""

from __future__ import annotations

import re

from codekiln.corpus.licenses.expressions import PUBLIC_DOMAIN, canonical_id

_MAX = 8_000

_V = r"(?:[\s,]*\(?(?:version|v)?\.?\s*"  # "version 2.0", "v2", ", Version 2.0"
_NAMES: list[tuple[str, str]] = [
    ("Apache-2.0", rf"apache(?:\s+software)?(?:\s+(?:public\s+)?licen[sc]e)?{_V}2(?:\.0)?)|asl\s*2(?:\.0)?|al2"),
    ("Apache-1.1", rf"apache(?:\s+software)?(?:\s+licen[sc]e)?{_V}1\.1)"),
    ("MIT-0", r"mit[\s-]0|mit\s+no\s+attribution"),
    ("MIT", r"(?:the\s+)?mit(?:[/\s(]+x11\)?)?(?:\s+(?:open\s+source\s+)?licen[sc]ed?)|expat(?:\s+licen[sc]e)?|"
            r"(?<=under the )mit|(?<=under )mit|(?<=licensed )mit|(?<= or )mit|(?<=licen[sc]e: )mit|"
            r"mit(?=\s*(?:or|and|/|,)\s*(?:the\s+)?(?:apache|bsd|gpl|unlicense|isc))"),
    ("0BSD", r"(?:zero|0)[\s-]clause\s+bsd|bsd[\s-](?:zero|0)[\s-]clause"),
    ("BSD-2-Clause", r"(?:simplified|freebsd|(?:2|two)[\s-]clause)\s+bsd|bsd[\s-]+\(?(?:2|two)[\s-]clause|"
                     r"bsd\s+licen[sc]e\s+2\.0"),
    ("BSD-3-Clause", r"(?:new|modified|revised|(?:3|three)[\s-]clause)\s+bsd|bsd[\s-]+\(?(?:3|three)[\s-]clause|"
                     r"bsd\s+3"),
    ("BSD-3-Clause", r"bsd\s+licen[sc]ed?(?!\s*2)"),
    ("MPL-2.0", rf"(?:mozilla\s+public\s+licen[sc]e|mpl){_V}2(?:\.0)?)"),
    ("MPL-1.1", rf"(?:mozilla\s+public\s+licen[sc]e|mpl){_V}1\.1)"),
    ("EPL-2.0", rf"(?:eclipse\s+public\s+licen[sc]e|epl)(?:\s*-)?{_V}2(?:\.0)?)"),
    ("EPL-1.0", rf"(?:eclipse\s+public\s+licen[sc]e|epl)(?:\s*-)?{_V}1(?:\.0)?)"),
    ("BSL-1.0", rf"boost(?:\s+software)?\s+licen[sc]e(?:(?:\s*-)?{_V}1\.0))?"),
    ("BUSL-1.1", r"business\s+source\s+licen[sc]e"),
    ("ISC", r"isc\s+licen[sc]ed?"),
    ("Zlib", r"zlib(?:/libpng)?\s+licen[sc]e"),
    ("Unlicense", r"(?:the\s+)?unlicense\b|free\s+and\s+unencumbered\s+software"),
    ("CC0-1.0", r"cc0(?:[\s-]1\.0)?|creative\s+commons\s+zero"),
    ("WTFPL", r"wtfpl|do\s+what\s+the\s+fuck\s+you\s+want"),
    ("CNRI-Python", r"cnri(?:['’\s]?s)?\s+(?:python\s+1\.6\s+)?(?:open\s+source\s+)?licen[sc]e"),
    ("PSF-2.0", r"python\s+software\s+foundation(?:\s+licen[sc]e)?|psf\s+licen[sc]e|python\s+licen[sc]e"),
    ("Artistic-2.0", r"artistic\s+licen[sc]e,?\s+(?:version\s+|v)?2(?:\.0)?"),
    ("Artistic-1.0-Perl", r"same\s+terms\s+as\s+perl(?:\s+5)?(?:\s+itself)?"),
    ("OFL-1.1", r"sil\s+open\s+font\s+licen[sc]e"),
    ("PostgreSQL", r"postgresql\s+licen[sc]e"),
    ("Vim", r"vim\s+licen[sc]e"),
    ("Ruby", r"ruby(?:['’\s]s)?\s+licen[sc]e"),
    ("NCSA", r"university\s+of\s+illinois(?:/ncsa)?\s+open\s+source\s+licen[sc]e"),
    ("EUPL-1.2", r"european\s+union\s+public\s+licen[sc]e,?(?:\s+(?:version|v)\.?\s*)?1\.2"),
    ("CDDL-1.0", r"common\s+development\s+and\s+distribution\s+licen[sc]e"),
    ("SSPL-1.0", r"server\s+side\s+public\s+licen[sc]e"),
    ("Elastic-2.0", r"elastic\s+licen[sc]e(?:\s+v?2(?:\.0)?)?"),
    (PUBLIC_DOMAIN, r"(?:placed|released|dedicated|put|is|are|been)\s+(?:in|into|to)\s+the\s+public\s+domain"),
    ("HPND", r"historical\s+permission\s+notice"),
]  # fmt: skip
_GNU = (
    r"(?:gnu\s+)?(?P<kind>affero|lesser|library)?(?:\s+|\b)general\s+public\s+licen[sc]e"
    r"(?:\s+\(?a?l?gpl\)?)?(?:\s+as\s+published\s+by\s+the\s+free\s+software\s+foundation)?"
    r"[\s,;:(-]*(?:either\s+)?(?:version|v)?\.?\s*(?P<version>[123](?:\.[01])?)?"
    r"|(?P<short>a|l)?gpl(?:\s+licen[sc]e)?[\s,-]*(?:version|v)?\.?\s*(?P<number>[123](?:\.[01])?)?"
)
_LATER = re.compile(
    r"[\s.0)]*(?:\+|(?:of\s+the\s+licen[sc]e)?[\s,;(]*(?:or|and)\s*\(?(?:at\s+your\s+option\)?\s*)?"
    r"(?:any\s+)?(?:later|newer|greater))", re.IGNORECASE,
)  # fmt: skip
_ADDRESSES = (
    r"(?P<cc>creativecommons\.org/(?:licenses/(?P<by>by(?:-nc|-nd|-sa){0,2})/(?P<ccv>\d\.\d)|publicdomain/zero/1\.0))"
    r"|(?P<fsf>gnu\.org/(?:licenses|copyleft)/(?:old-licenses/)?(?P<fsfid>[al]?gpl)-(?P<fsfv>\d\.\d))"
    r"|(?P<osi>(?:opensource|spdx)\.org/licen[sc]es?/(?P<osid>[\w.+-]{2,40}))"
    r"|(?P<apache>apache\.org/licenses/license-2\.0)|(?P<moz>mozilla\.org/(?:en-us/)?mpl/2\.0)"
    r"|(?P<boost>boost\.org/license_1_0)"
)
_ALL = re.compile(
    rf"(?P<address>{_ADDRESSES})|(?<![\w-])(?:(?P<gnu>{_GNU})"
    + "".join(f"|(?P<n{number}>{pattern})" for number, (_, pattern) in enumerate(_NAMES))
    + r")(?![\w])(?![\s-](?:style|like|compatible|incompatible))",
    re.IGNORECASE,
)
ANY_VERSION = {"GPL": "GPL-1.0-or-later", "LGPL": "LGPL-2.0-or-later", "AGPL": "AGPL-1.0-or-later"}
_FAMILY = {"affero": "AGPL", "lesser": "LGPL", "library": "LGPL", "a": "AGPL", "l": "LGPL"}


def mentions(text: str) -> list[tuple[str, int, int]]:
    """(SPDX id, start, end) of the licences named in the first 8,000 characters, in order.

    Places count in the text with each stretch of white space replaced by one space.
    """
    found = []
    text = " ".join(text[: 4 * _MAX].split())[:_MAX]
    for match in _ALL.finditer(text):
        name = _name(match, text)
        if name:
            found.append((name, match.start(), match.end()))
    return found


def _name(match: re.Match[str], text: str) -> str | None:
    if match["address"]:
        return _of_address(match)
    if match["gnu"]:
        version = match["version"] or match["number"]
        family = _FAMILY.get((match["kind"] or match["short"] or "").lower(), "GPL")
        if not version:
            return ANY_VERSION[family]
        later = _LATER.match(text, match.end(), match.end() + 120)
        name = f"{family}-{version if '.' in version else version + '.0'}"
        return canonical_id(f"{name}-or-later" if later else name)
    return next(name for number, (name, _) in enumerate(_NAMES) if match[f"n{number}"])


def _of_address(match: re.Match[str]) -> str | None:
    if match["cc"]:
        return canonical_id(f"CC-{match['by']}-{match['ccv']}") if match["by"] else "CC0-1.0"
    if match["fsf"]:
        return canonical_id(f"{match['fsfid']}-{match['fsfv']}")
    if match["osi"]:
        return canonical_id(re.sub(r"(?:\.html|\.php|-license|\.)$", "", match["osid"], flags=re.I))
    return "Apache-2.0" if match["apache"] else "MPL-2.0" if match["moz"] else "BSL-1.0"
