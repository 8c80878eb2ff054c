"""Secrets that only their name gives away: `password = "…"`, `client_secret: …`, `"token", "…"`, `?api_key=…`."""

from __future__ import annotations

import re
from functools import lru_cache

from codekiln.corpus.secrets.names import family
from codekiln.corpus.secrets.redact import MARK
from codekiln.corpus.secrets.values import entropy, is_test_word, looks_random, stands_in, wordiness, words

#: Languages in which a bare word is a value; so it is in files of no known language (.env, .ini, .properties).
BARE = words(
    "augeas batchfile dockerfile makefile markdown powershell restructuredtext rmarkdown shell tcsh tex yaml"
) | {""}
KINDS = {
    "password": "password",
    "secret": "secret",
    "token": "token",
    "api key": "key",
    "key": "key",
    "auth": "token",
    "credential": "secret",
    "nonce": "secret",
}

_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
_REST_OF_NAME = re.compile(r"(?:-?[A-Za-z0-9_]){0,48}+")
#: From the end of a name to its value: closing quote or bracket, type, operator, wrapping call, opening quote.
_BRIDGE = re.compile(
    r"(?P<close>\\{0,3}[\"'`]{1,2})?[\])]{0,2}[?!]?[ \t]{0,32}+"
    r"(?P<sign>:[ \t]{0,4}&?(?:'static )?[A-Za-z_][A-Za-z0-9_.\[\]<>?|]{0,32}[ \t]{0,4}=(?![=>])|[:!=]={0,2}>?|->|,|\(|>|(?<=[ \t]))"
    r"(?P<gap>[ \t]{0,32}+)"
    r"(?P<wrap>\[\]byte\(|(?:\[\][a-z]{1,8})?[\[{(]|[A-Za-z_][A-Za-z0-9_.:]{0,40}!?\([ \t]?)?"
    r"(?P<prefix>[rbuRBULf@&]{0,2})(?P<quote>\\{0,3}(?:[\"'`]))"
)
_BARE_BRIDGE = re.compile(
    r"(?P<close>\\{0,3}[\"'])?(?P<sign>[ \t]{0,32}+[:=]|(?<=[a-zA-Z0-9]) )(?P<gap>[ \t]{0,32}+)"
)
#: Where bare words are values all but quotes and brackets belongs to one; in code, what a URL could carry.
_BARE_VALUE = re.compile(r"[^\s\"'`,;&<>(){}\[\]|\\]{4,512}+")
_CODE_VALUE = re.compile(r"[^\s\"'`,;&<>(){}\[\]|\\:=]{12,512}+={0,2}(?![:=])")
_BARE_END = re.compile(r"[\"',}\]]{0,3}[ \t]{0,16}(?:\r?\n|\\|#|//|;|,|\}|\||&|<|\Z|[\"'])")
_VALUES = {
    '"': re.compile(r'(?:[^"\\\n]|\\.){1,1024}+(?=")'),
    "'": re.compile(r"(?:[^'\\\n]|\\.){1,1024}+(?=')"),
    "`": re.compile(r"(?:[^`\\\n]|\\.){1,1024}+(?=`)"),
}
_ESCAPED = re.compile(r"[^\"'`\\\n]{1,1024}+(?=\\)")
_NEXT_ITEM = re.compile(r"\\{0,3}[\"'`],[ \t\r\n]{0,40}(?P<quote>\\{0,3}[\"'`])")
_MAX_ITEMS = 256

_CONSTANT = re.compile(r"[A-Z][A-Z_]{3,}\Z|[A-Z]+(?:_[A-Z0-9]+)+\Z")
_PATH = re.compile(r"(?:[.~]{0,2}/|[a-z]{2,10}://|[A-Za-z]:\\|\\\\)")
_FILE = re.compile(
    r"[^\s]*\.(?:pem|key|crt|cer|json|txt|ya?ml|xml|html?|js|ts|py|rb|php|java|go|cfg|conf|ini|env|p12|jks|pub|md|erb)\Z"
)
_DOTTED = re.compile(r"[@:]?[A-Za-z_]\w*(?:(?:\??\.|::|->|#)[A-Za-z_]\w*)+[?!]?\Z|:[a-z_]\w*\Z")
#: Letters and digits both; a number or a word is no key.
_SHORT_HEX = re.compile(r"(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,15}\Z")
#: Signs of base64, of dictionaries of Django and of what is encoded for a URL; brackets mean a pattern.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=:%@!#$^&()_,;|-][A-Za-z0-9._~+/=:%@!#$^&()*_,;|-]*\Z")
_TITLE = re.compile(r"[A-Z][a-z]+\Z")
_HASH = re.compile(r"(?:sha(?:1|256|384|512)|md5)[-:=]|\$2[aby]\$|\$argon2|pbkdf2|\{SSHA")
_LOCALE_PATH = re.compile(
    r"(?:^|[/_.-])(?:locales?|i18n|l10n|translations?|langs?|languages?|messages|nls|intl)(?:[/_.-]|$)", re.I
)
#: Calls that fetch, translate, print or hash: their text names a secret or asks for it.
_LOOKUPS = re.compile(
    r"(?i)(?:.*(?:getenv|environ|config|get|fetch|param|prompt|input|gettext|translate|trans|read|require|find|field|"
    r"query|query_?selector|label|match|include|contain|log|print|error|exception|column|hash|encrypt|sprintf|format)\w{0,12}|_|t|\$t|i18n\.t)!?\([ \t]?\Z"
)


@lru_cache(maxsize=1024)
def is_locale(path: str) -> bool:
    """Whether a path is that of translations, where `password` is followed by the word for it."""
    return _LOCALE_PATH.search(path) is not None


def fields(
    text: str, start: int, end: int, path: str, language: str
) -> tuple[int, str, list[tuple[int, int]]]:
    """What stands behind the name around text[start:end]: end of the name, its family, (start, end) of secrets."""
    seg = text[max(0, start - 48) : start]
    left = start - (len(seg) - len(seg.rstrip(_WORD)))
    rest = _REST_OF_NAME.match(text, end)
    right = rest.end() if rest else end
    name = text[left:right]
    kind = family(name)
    if not kind or MARK in name:
        return right, "", []
    found = _BRIDGE.match(text, right)
    if found is not None:
        return right, kind, _quoted(text, name, left, kind, found, path)
    found = _BARE_BRIDGE.match(text, right)
    if found is not None:
        return _bare(text, name, left, kind, found, path, language)
    return right, kind, []


def _quoted(
    text: str, name: str, left: int, kind: str, bridge: re.Match[str], path: str
) -> list[tuple[int, int]]:
    sign, wrap = bridge["sign"], bridge["wrap"] or ""
    symbol = text[max(0, left - 1) : left] == ":"
    if (
        (sign == "," and bridge["close"] is None and not symbol)
        or sign == ">"
        or (wrap.endswith("(") and _LOOKUPS.match(wrap))
    ):
        return []
    if not sign and not name.startswith("-") and kind != "password":
        return []
    strict = (bool(wrap) and not wrap.endswith(("[", "{")) and wrap not in ("(", "[]byte(")) or sign in (
        ",",
        "(",
        "",
        "==",
        "!=",
        "===",
        "!==",
    )
    spans: list[tuple[int, int]] = []
    quote, at = bridge["quote"], bridge.end()
    for _ in range(_MAX_ITEMS):
        found = (_ESCAPED if len(quote) > 1 else _VALUES[quote]).match(text, at)
        if found is None:
            break
        if accepts(kind, found[0], path, strict):
            spans.append(found.span())
        following = _NEXT_ITEM.match(text, found.end()) if wrap.endswith(("[", "{")) else None
        if following is None:
            break
        quote, at = following["quote"], following.end()
    return spans


def _bare(
    text: str, name: str, left: int, kind: str, bridge: re.Match[str], path: str, language: str
) -> tuple[int, str, list[tuple[int, int]]]:
    """As `fields`; a bare value that was judged is not looked at again, so that no text is judged twice."""
    sign, gap = bridge["sign"].strip(), bridge["gap"]
    nothing: tuple[int, str, list[tuple[int, int]]] = (bridge.start(), kind, [])
    if not sign and not name.startswith("-") and text[max(0, left - 2) : left] != "--":
        return nothing
    plain = language in BARE and text[max(0, left - 2) : left] != "${"  # not a default: ${NAME:value}
    found = (_BARE_VALUE if plain else _CODE_VALUE).match(text, bridge.end())
    if found is None or text[found.end() : found.end() + 1] in ("(", "[", "{"):
        return nothing
    value = found[0]
    if plain and ((not gap and sign == "=") or _BARE_END.match(text, found.end()) is not None):
        ok = accepts(kind, value, path, False, bare=True)
    elif not gap and sign == "=" and not bridge["sign"].startswith(" "):
        ok = looks_random(value, 12) and accepts(kind, value, path, True, bare=True)
    else:  # in code a bare word is a name, unless nobody would choose such a name
        ok = (
            looks_random(value, 20) and wordiness(value) < 0.5 and accepts(kind, value, path, True, bare=True)
        )
    return (found.end() if plain else bridge.start()), kind, [found.span()] if ok else []


def accepts(kind: str, value: str, path: str, strict: bool, bare: bool = False) -> bool:
    """Whether a value behind a name of this family is a secret written out.

    strict: the value must look random, since its place alone says little.
    """
    size = len(value)
    if size < 4 or size > 1024 or not value.isascii() or " " in value or "\t" in value or MARK in value:
        return False
    if (
        is_test_word(value)
        or _PATH.match(value)
        or _FILE.match(value)
        or _CONSTANT.match(value)
        or stands_in(value)
    ):
        return False
    if kind == "key":
        return (
            not bare
            and size >= 16
            and looks_random(value, 16)
            and entropy(value) >= 3.3
            and not _DOTTED.match(value)
            and not _HASH.match(value)
        )
    if _HASH.match(value) or (kind != "password" and not _TOKEN.match(value)):
        return False
    dotted = _DOTTED.match(value) is not None
    if kind == "password" and not strict and not dotted and not is_locale(path):
        if _TITLE.match(value) or value[0] in "(),+;=":
            return False
        return not (bare and value.isdigit() and size < 6)
    if dotted and bare:
        return False
    if looks_random(value) or _SHORT_HEX.match(value):
        return True
    return (
        not strict
        and not dotted
        and not is_locale(path)
        and kind in ("secret", "token")
        and _mixed(kind, value, bare)
    )


def _mixed(kind: str, value: str, bare: bool) -> bool:
    """Whether a value that does not look random is still one that a person would choose as a secret or a token."""
    digits = any(map(str.isdigit, value)) and not value.isdigit()
    if kind == "token":
        return len(value) >= 10 and digits and wordiness(value) < 0.7
    if len(value) < 8:
        return False
    return (value.isalpha() and value.islower() and not bare) or (digits and wordiness(value) < 0.75)
