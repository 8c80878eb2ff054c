"""What a value tells about itself: entropy, whether it looks random, whether it only stands in for a secret."""

from __future__ import annotations

import math
import re
from collections import Counter


def words(text: str) -> frozenset[str]:
    """The words of a table written as running text."""
    return frozenset(text.split())


#: Pairs of letters that make up most of running English and of identifiers; in random text a fifth to a third
#: of all pairs is among them, in words more than half.
_PAIRS = words(
    "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri"
    " ro ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut"
    " ss so rs un lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi"
    " ci vi pl ig tu ev ld ry mp fe bl ab gh ty op wo sa ay ex ke fr oo av ag if ap gr od bo sp rd do uc bu ei ov"
    " by rm ep tt oc fa ef cu rn sc gi da yo cr cl du ga qu ue ff ba ey ls va um pp ua up lu go ht ru ug ds lt pi"
    " rc rr eg au ck ew mu br bi pt ak pu ui rg ib tl ny ki rk ys ob mm fu ph og ms ye ud mb ip ub oi rl gu dr hr"
    " cc tw ft wn nu af hu nn eo vo rv nf xp gn sm fl iz ok nl my gl aw ju oa eq sy sl ps jo lf nv je nk kn gs dy"
    " hy ze ks xt bs ik dd pw wd db my lo ow wo rl us er ss"
)

_WORDS = (
    r"example|sample|dummy|placeholder|change[-_ ]?(?:me|this|it)|replace|insert|redacted|removed|hidden|masked|"
    r"y(?:our|OUR)[-_ .a-zA-Z]|\bmy[-_](?:secret|token|key|password|api)|todo|fixme|xxxx|\.\.\.|\*\*\*|…|•••|"
    r"not[-_ ]?(?:set|used|needed|real|required)|undefined|enter[-_ ]|_here\b|goes[-_ ]here|put[-_]your|"
    r"lorem|deadbeef|cafebabe|0{8}|(?:abcdef|012345)[a-z0-9]{0,40}(?:abcdef|012345)"
)
#: Holes to be filled and references: shell, templates, format strings, environment look-ups, tags.
_HOLES = (
    r"(?:\A|[^A-Za-z0-9$])\$[A-Za-z_]|\$[({]|%[-#0-9.]*[sdvqfxr@](?![a-zA-Z0-9])|%[({][a-zA-Z_]|%[A-Z_]+%|[{][{%#]|[}%]}|#{|@{|<%|"
    r"{[A-Za-z_0-9.]*}|<[-A-Za-z_ .:/0-9]+>|\[[A-Za-z_ ]+\]|\bENV\b|environ|getenv|process\.env|secrets\.|"
    r"__[a-zA-Z_]+__|@@|&lt;"
)
_WORD = re.compile(f"(?i:{_WORDS})")
_HOLE = re.compile(_HOLES)
_SAME = re.compile(r"(.)\1*\Z|[*xX.\-_#?•+~= ]+\Z")

#: Values that name a field or fill a form in a test; they say nothing even where they stand for a password.
_TEST_WORDS = words(
    "password passwd passphrase passcode pass pwd pw pword secret secrets token tokens key apikey api_key api-key"
    " auth credential credentials user username function object number boolean str int name admin root test tests testing tester value string text foo"
    " bar baz qux none null nil true false yes no on off empty default unknown invalid valid wrong hidden required"
    " optional off basic bearer oauth oauth2 jwt current-password new-password current_password new_password"
    " your_password my_password some_password the_password mypassword yourpassword 1234 12345 123456 1234567 12345678 123456789 1234567890 654321 abc abcd"
    " abc123 hash md5 sha1 sha256 sha512 bcrypt plain plaintext file env vault prompt ask random generate anonymous"
)


def entropy(value: str) -> float:
    """Shannon entropy of the characters, in bits a character (0 for the empty string)."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values()) if size else 0.0


def stands_in(value: str) -> bool:
    """Whether a value is a placeholder, a reference, a template's hole or one character again and again.

    A long random value may hold such a word or sign by chance.
    """
    if _SAME.match(value):
        return True
    found = _WORD.search(value) or _HOLE.search(value)
    return found is not None and not (len(value) >= 32 and wordiness(value) < 0.5 and looks_random(value, 32))


def is_test_word(value: str) -> bool:
    """Whether a value is only a word such as `password`, `foo` or `1234`."""
    return value.lower().strip(" .:!?*") in _TEST_WORDS


def wordiness(value: str) -> float:
    """Share of the neighbouring letters that form a common pair: about 0.3 in random text, 0.8 in words."""
    low = value.lower()
    pairs = [low[at : at + 2] for at in range(len(low) - 1) if low[at : at + 2].isalpha()]
    return sum(pair in _PAIRS for pair in pairs) / len(pairs) if pairs else 0.0


_TURN = re.compile(r"[a-zA-Z](?=[0-9])|[0-9](?=[a-zA-Z])|[a-z](?=[A-Z])")
_BASE32 = re.compile(r"[A-Z2-7]+=*\Z")
_RUNNING = re.compile(r"(?i)abcdefgh|01234567|12345678")
_HEX = re.compile(r"(?:[0-9a-f]+|[0-9A-F]+)\Z")


def looks_random(value: str, least: int = 8) -> bool:
    """Whether a value of at least `least` characters looks drawn at random rather than written by a person.

    Hex counts from 16 characters on; other text by how often it turns between letters, digits and cases and by
    how few of its letter pairs are those of words.
    """
    size = len(value)
    if size < least or not value.isascii() or _RUNNING.search(value):
        return False
    digits = sum(map(str.isdigit, value))
    letters = sum(map(str.isalpha, value))
    if not letters or letters + digits < (0.7 if size < 32 else 0.5) * size:
        return False
    if _HEX.match(value):
        return size >= 16 and digits > 1 and entropy(value) > 2.8
    turns = len(_TURN.findall(value))
    words = wordiness(value)
    if digits == 0:
        if _BASE32.match(value):
            return size >= 16 and words < 0.5 and entropy(value) > 3.0
        mixed = value != value.lower() and value != value.upper()
        return size >= 16 and words < (0.55 if mixed and turns >= size / 8 else 0.35)
    if entropy(value) < min(3.0, 0.75 * math.log2(size)):
        return False
    return words < 0.5 or turns >= max(3, size / 7)
