"""The licences that a licence file declares: those of its own project, and those of parts it bundles."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

from codekiln.corpus.licenses.mentions import ANY_VERSION, mentions
from codekiln.corpus.licenses.texts import Match, find_texts
from codekiln.corpus.licenses.words import MAX_BYTES

# What announces that the texts that follow are those of parts by others.
_PARTS = re.compile(
    rb"\b(?:portions? of|parts? of|some (?:parts|files|code)|third[ -]part(?:y|ies)|3rd[ -]party|bundle[ds]?|vendored|"
    rb"externally maintained|includes? (?:code|software|files|the following|modified|portions)|"
    rb"incorporates?|(?:code|software|files|libraries|library|module|functions?) (?:is |are |was )?"
    rb"(?:based on|taken from|borrowed from|copied from|adapted from|derived from)|"
    rb"contains? (?:code|software|files|the following|portions)|dependenc(?:y|ies)|licensed as follows|"
    rb"following (?:files|components|libraries|packages|software|licen[sc]es? appl)|subcomponents|for code in|documentation (?:is|are) (?:dual )?licensed)\b"
)
# Words that may stand between two licences of one project: titles, holders, "or".
_BETWEEN = re.compile(
    rb"copyright|\(c\)|\xc2\xa9|all rights reserved|licen[cs]e|\bmit\b|apache|\bbsd\b|mozilla|gnu\b|\bisc\b|zlib|"
    rb"terms|spdx|appendix|\bor\b|\band\b|https?:|www\."
)
_EITHER = re.compile(rb"\b(?:dual|either|at your (?:option|choice|discretion)|your choice|or)\b")
_SEVERAL = re.compile(rb"licen[cs]ed under|\b(?:dual|either|both|terms)\b")
# Conditions beyond the known texts that take the freedom to use, change or pass on away.
_LIMITS = re.compile(
    rb"commons clause|non[ -]?commercial|(?:not|prohibit\w*|forbid\w*|except|without)\b[^.]{0,60}\bcommercial|"
    rb"commercial (?:use|license|licence)[^.]{0,40}\b(?:require|contact|purchase|obtain|prohibit|forbid)|"
    rb"(?:personal|academic|educational|research|internal|evaluation) (?:use|purposes?) only|"
    rb"only for (?:personal|academic|educational|research|non)|proprietary|confidential|unauthori[sz]ed copying|"
    rb"may not (?:be )?(?:use[d]?|cop(?:y|ied)|distribute[d]?|modif(?:y|ied)|sold|sell)\b|"
    rb"(?:additional|further) (?:restrictions?|conditions?) appl|all rights (?:are )?reserved\W{0,3}\s*do not"
)
_TAG = re.compile(rb"<[^<>]{1,300}>|&(?:[a-z]{1,8}|#\d{1,5});", re.IGNORECASE)
_SPACES = re.compile(rb"(?:[\s>|*#;\"'`~=%!]|/{2,8}(?=\s)|-{2,}|_{2,})+")
_LETTERS = re.compile(rb"[a-z]{2}")
_TITLE = (
    400  # letters, without the recognised texts, in which a file that has no known text may name its licence
)


@dataclass(frozen=True)
class Identified:
    """`ids` of the project, `bundled` ids, whether the ids are alternatives, how it was seen, what restricts it."""

    ids: tuple[str, ...] = ()
    bundled: tuple[str, ...] = ()
    either: bool = False
    how: str = ""
    limit: str = ""


def plain(data: bytes) -> bytes:
    """A licence file's bytes as UTF-8 without mark-up: UTF-16 with a mark is decoded, HTML loses its tags."""
    data = data[:MAX_BYTES]
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            return data[2:].decode(name, "replace").encode()
    head = data[:2000].lower()
    if b"<html" in head or b"<!doctype" in head or b"<p>" in head or b"<br" in head:
        return _TAG.sub(b" ", data)
    return data


def identify(data: bytes) -> Identified:
    """Judge the content of a licence file.

    The texts in it count as the project's own until something announces parts by others; what is named before the
    first text counts as well. Without any known text, a short file counts for what it names.
    """
    data = plain(data)
    found = known_texts(data)
    if not found:
        return _named(data)
    own, bundled, either = _parted(data, found)
    before = flat(data[: found[0].start])
    ids = [match.name for match in own]
    for name, start, _ in mentions(before.decode("utf-8", "replace")):
        announced = _PARTS.search(before[:start]) or name in ANY_VERSION.values()
        if not announced and not any(_related(name, other) for other in ids) and _applies(before, start):
            ids.append(name)
    either = either or (len(set(ids)) > 1 and bool(_EITHER.search(before)))
    least = min(match.closeness for match in own)
    kind = "notice" if all(match.notice for match in own) else "text"
    rest = _between(data, found, own[-1])
    limit = _LIMITS.search(flat(rest)[:20_000])
    return Identified(
        _distinct(ids),
        tuple(name for name in _distinct([match.name for match in bundled]) if name not in ids),
        either,
        f"{kind}, {least:.2f}",
        limit[0].decode("ascii", "replace") if limit else "",
    )


def known_texts(data: bytes) -> list[Match]:
    """The known texts in order; a notice of a GNU or Mozilla licence has the version that its words say."""
    return [_versioned(data, match) if match.notice else match for match in find_texts(data)]


def _versioned(data: bytes, match: Match) -> Match:
    family = match.name.split("-")[0]
    if family not in (*ANY_VERSION, "MPL"):
        return match
    text = flat(data[max(0, match.start - 120) : match.end + 120]).decode("utf-8", "replace")
    alike = ("MPL",) if family == "MPL" else tuple(ANY_VERSION)
    named = [name for name, _, _ in mentions(text) if name.split("-")[0] in alike]
    # A notice goes on to speak of "the GNU General Public License" without a version.
    exact = [name for name in named if name not in ANY_VERSION.values()]
    return replace(match, name=(exact or named)[0]) if named else match


def recognise(text: str | bytes) -> tuple[str, ...]:
    """SPDX ids of the licences that a licence file's text declares, sorted; empty when none is recognised."""
    return tuple(sorted(identify(text if isinstance(text, bytes) else text.encode("utf-8", "replace")).ids))


def _named(data: bytes) -> Identified:
    words = flat(data[: 8 * 1024])
    limit = _LIMITS.search(words)
    reason = limit[0].decode("ascii", "replace") if limit else ""
    seen = mentions(words.decode("utf-8", "replace"))
    if not seen or seen[0][1] > _TITLE:
        return Identified(limit=reason)
    # A title says what the text is; only a short statement may name several licences that hold.
    several = len(words) < 2 * _TITLE and _SEVERAL.search(words)
    chosen = [name for name, start, _ in seen if several and not _PARTS.search(words[:start])] or [seen[0][0]]
    return Identified(
        _distinct(chosen), (), len(set(chosen)) > 1 and bool(_EITHER.search(words)), "named", reason
    )


def _parted(data: bytes, found: list[Match]) -> tuple[list[Match], list[Match], bool]:
    """The project's own matches, those of bundled parts, and whether the own ones are alternatives."""
    own, either = [found[0]], False
    for number, match in enumerate(found[1:], 1):
        between = flat(data[found[number - 1].end : match.start])
        lines = [
            line for line in data[found[number - 1].end : match.start].lower().splitlines() if line.strip()
        ]
        foreign = sum(bool(_LETTERS.search(line)) and not _BETWEEN.search(line) for line in lines[-12:])
        if match.name != found[0].name and (_PARTS.search(between) or foreign):
            return own, found[number:], either
        if match.name == found[0].name and not match.notice and (foreign or _PARTS.search(between)):
            return own, found[number:], either
        either = either or bool(re.search(rb"\bor\b|dual", between))
        own.append(match)
    return own, [], either and len({match.name for match in own}) > 1


def _between(data: bytes, found: list[Match], last: Match) -> bytes:
    """What stands before, between and after the known texts, up to where bundled parts are announced."""
    parts, place = [], 0
    for match in found:
        parts.append(data[place : match.start])
        place = max(place, match.end)
        if match is last:
            break
    rest = data[place : min([place + 4096, *(match.start for match in found if match.start >= place)])]
    announced = _PARTS.search(rest.lower())
    return b"\n".join([*parts, rest[: announced.start()] if announced else rest[:1500]])


def flat(data: bytes) -> bytes:
    """Lower case, white space and signs of decoration as single spaces."""
    return _SPACES.sub(b" ", data[:65_536].lower()).strip()


def _applies(before: bytes, start: int) -> bool:
    """Whether a name stands in a sentence about licensing, and not in a comparison or an address."""
    return bool(
        re.search(rb"licen[sc]|under|terms|releas|distribut", before[max(0, start - 200) : start + 80])
    )


def _related(name: str, other: str) -> bool:
    """Whether a name says nothing new beside a recognised text: the family is the same."""
    return name.split("-")[0] == other.split("-")[0] or {name, other} == {"MIT", "X11"}


def _distinct(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
