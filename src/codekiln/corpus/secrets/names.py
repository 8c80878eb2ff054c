"""What a name promises about its value: `db_password`, `clientSecret`, `API-KEY` and what merely sounds like them."""

from __future__ import annotations

import re
from functools import lru_cache

from codekiln.corpus.secrets.values import words as _table

#: Lower-case pieces of names, for the keyword pass.
KEYWORDS = tuple(
    sorted(
        _table(
            "password passwd passphrase passcode pword pswd pwd passwort kennwort pass secret token key credential auth"
            " nonce salt verifier signature"
        )
    )
)

_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PASSWORDS = _table(
    "password passwd passphrase passcode pword pswd pwd pass passwort kennwort pw passphase psw"
)
#: Words behind the telling one that leave it what it is: `password_confirmation`, `token2`, `secret_base`.
_LOOSE = _table(
    "confirmation confirm value values string str base b64 base64 encoded test default prod production dev old new"
    " again repeat plain plaintext text raw live staging sandbox master main primary secondary hex"
)
#: What makes a key of a service or a cipher out of the plain word `key`.
_KEY_OWNERS = _table(
    "api access secret private encryption encrypt encrypted decryption cipher consumer client app application auth"
    " authentication authorization signing sign master account service storage shared deploy license server admin"
    " aes des hmac jwt rsa session crypto vault stripe aws azure google gcp openai project webhook cookie integration"
    " publishable subscription n nkey write read ingestion user dev hash"
)
_KEY_GLUED = re.compile(
    r"(?:api|access|secret|private|consumer|client|app|auth|encryption|master|signing|account|n)key\Z"
)
_SECRET_GLUED = re.compile(r"(?:app|client|consumer|api|shared|jwt|my|session)secret\Z")
_TOKEN_GLUED = re.compile(r"(?:access|auth|api|refresh|bearer|session|id|oauth|user|csrf|xsrf|bot)token\Z")
_PASSWORD_GLUED = re.compile(
    r"[a-z]{0,20}(?:password|passwd|passphrase|pwd)\Z|(?:db|user|my|root|admin|smtp|ftp)pass\Z"
)
_PLURAL = {
    "passwords": "password",
    "secrets": "secret",
    "tokens": "token",
    "keys": "key",
    "credentials": "credential",
}
#: Words in front that turn a name into a question or a deed.
_DEEDS = _table(
    "is has no should use uses show hide forgot forgotten reset needs need requires require check missing"
)


@lru_cache(maxsize=16384)
def family(name: str) -> str:
    """`password`, `secret`, `token`, `api key`, `key`, `auth`, `credential`, `nonce`, or "" for a harmless name.

    name: an identifier, an option or a header, as `AWS_SECRET_ACCESS_KEY`, `--db-password` or `clientSecret`.
    """
    words = [word.lower() for word in _SPLIT.findall(name)]
    while words and (words[-1] in _LOOSE or words[-1].isdigit()) and len(words) > 1:
        words.pop()
    if not words:
        return ""
    last = _PLURAL.get(words[-1], words[-1])
    before = words[-2] if len(words) > 1 else ""
    if len(words) > 1 and words[0] in _DEEDS and words[0] != "reset":
        return ""
    if last in _PASSWORDS or _PASSWORD_GLUED.match(last):
        return "" if last == "pass" and before in ("by", "render", "first", "second", "no") else "password"
    if last == "word" and before == "pass":
        return "password"
    if "public" in words or (words[0] == "hash" and len(words) > 1):
        return ""
    if last == "secret" or _SECRET_GLUED.match(last):
        return "secret"
    if last == "token" or _TOKEN_GLUED.match(last):
        return "token"
    if last == "key" or _KEY_GLUED.match(last):
        if last != "key" or before in _KEY_OWNERS:
            return "secret" if "secret" in words else "" if before in ("primary", "foreign") else "api key"
        return (
            ""
            if before in ("public", "primary", "foreign", "sort", "partition", "cache", "lookup")
            else "key"
        )
    if "secret" in words and last in ("key", "id", "bytes", "data"):
        return "secret"
    if last == "credential":
        return "credential"
    if last in ("nonce", "cnonce", "salt"):
        return "nonce"
    if last in ("auth", "authorization") or (words[0] == "oauth" and last in ("verifier", "signature")):
        return "auth"
    if before == "key" and last == "auth":
        return "auth"
    return ""
