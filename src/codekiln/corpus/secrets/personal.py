"""Personal data in source text: e-mail addresses and public IP addresses."""

from __future__ import annotations

import ipaddress
import re

from codekiln.corpus.secrets.redact import MARK
from codekiln.corpus.secrets.values import words

#: Lower-case text at which an address may stand: a dot, a decimal octet and a dot; the first group of the
#: IPv6 blocks that registries have given out (RFC 3513, IANA's table of unicast assignments).
IPV4_KEYWORDS = tuple(f".{octet}." for octet in range(256))
IPV6_KEYWORDS = tuple(
    f"{group:04x}:"
    for start, end in (
        (0x2001, 0x2003),
        (0x2400, 0x241F),
        (0x2600, 0x263F),
        (0x2800, 0x280F),
        (0x2A00, 0x2A1F),
        (0x2C00, 0x2C0F),
    )
    for group in range(start, end + 1)
)

_LOCAL = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-"
_DOMAIN = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9_-])")
#: RFC 2606 and RFC 6761 names, and the stand-ins of documentation.
_FREE_DOMAIN = re.compile(
    r"(?:.*\.(?:example|test|invalid|localhost|local|lan|internal)|(?:.*\.)?(?:"
    r"(?:example|sample|domain|mydomain|yourdomain|mycompany|yourcompany|company|foo|bar|foobar|test|acme)\.[a-z]{2,6}|"
    r"[a-z0-9-]*example[a-z0-9-]*\.[a-z]{2,6}|"
    r"users\.noreply\.github\.com|noreply\.[a-z.]+|email\.com|mail\.com|somewhere\.com|host\.com))\Z"
)
_FREE_LOCAL = re.compile(
    r"(?:no-?_?reply|do-?not-?reply|git|hg|svn|user(?:name)?|your[._-]?(?:name|email|mail)?|you|name|e?mail|someone|somebody|"
    r"foo|bar|foobar|test|xxx+|x|[a-z]|%s|example|john\.?doe|jane\.?doe)\Z"
)
#: Top-level domains that people's mail ends in; others (`.weight`, `.png`, `.html`) are attributes and files.
_TLDS = words(
    "com org net edu gov mil int info biz name pro io dev ai app me co tv cc xyz online site tech cloud club top shop"
    " email blog agency design digital studio systems solutions software network world life live group team works"
    " codes build page wiki science berlin london nyc paris tokyo"
    " ac ad ae af ag al am ao ar at au az ba bd be bg bh bn bo br bs bw by bz ca cd ch ci cl cm cn cr cu cv cy cz de dk"
    " dm do dz ec ee eg es et eu fi fj fm fo fr ga ge gg gh gi gl gr gt hk hn hr ht hu id ie il im in iq ir is it je jm"
    " jo jp ke kg kh kr kw kz la lb li lk lt lu lv ly ma mc md mg mk ml mn mo mt mu mv mw mx my mz na ng ni nl no np nz"
    " om pa pe pf pg ph pk pl ps pt pw qa re ro rs ru rw sa se sg si sk sl sm sn so sr st su sv sy sz tg th tj tm tn to"
    " tr tt tw tz ua ug uk us uy uz va ve vn vu ws ye za zm zw"
)


def email(text: str, at: int) -> tuple[int, int] | None:
    """(start, end) of the e-mail address whose `@` is at `at`, or None.

    Left out: reserved and documentation domains, no-reply addresses, remotes (`git@host:path`), user parts of
    URLs, decorators, scopes of packages and attributes (`a@self.weight`).
    """
    left = text[max(0, at - 64) : at]
    local = left[len(left.rstrip(_LOCAL)) :].lstrip(".%+-")
    if not local or MARK in local or local.endswith(".") or not any(map(str.isalpha, local)):
        return None
    found = _DOMAIN.match(text, at + 1)
    start = at - len(local)
    before = text[start - 1] if start else " "
    if found is None or (before in "/@$#=&" and before != "=") or before.isalnum():
        return None
    domain = found[0].lower()
    end = found.end()
    after = text[end : end + 2]
    if domain.rpartition(".")[2] not in _TLDS or domain.split(".", 1)[0] in (
        "self",
        "this",
        "cls",
        "np",
        "torch",
    ):
        return None
    if after[:1] in ("(", "[", "@", "/") or (
        after[:1] == ":" and (after[1:].isalpha() or after[1:] in ("/", "~"))
    ):
        return None
    if before == ":" and "://" in text[max(0, start - 80) : start]:
        return None
    if _FREE_DOMAIN.match(domain) or _FREE_LOCAL.match(local.lower()):
        return None
    return start, end


_IPV4 = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9A-Za-z_]|\.[0-9]|-[0-9a-zA-Z])")
_VERSION_BEFORE = re.compile(
    r"(?i)(?:version|ver|\brev|release|build|sdk|v|update|upgrade|assembly|oid|section|chapter|§)[\s_\"'=:>(,\[]{0,12}\Z"
)
_PRODUCT_BEFORE = re.compile(r"(?:[A-Za-z][A-Za-z0-9_.]*[/@-]|[=~^<>!]=\s*|[~^]\s*|[<>]\s+)\Z")
#: Public resolvers, everybody's addresses, and the stand-ins of documentation.
_RESOLVERS = words(
    "12.34.56.78 123.45.67.89 123.123.123.123 11.22.33.44 111.111.111.111 8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9"
    " 4.2.2.2 4.2.2.1 114.114.114.114 208.67.222.222 208.67.220.220"
)
_IPV6_RESOLVERS = words(
    "2001:4860:4860::8888 2001:4860:4860::8844 2606:4700:4700::1111 2606:4700:4700::1001 2620:fe::fe"
)


def ipv4(text: str, at: int) -> tuple[int, int] | None:
    """(start, end) of the public IPv4 address whose first dot is at `at`, or None.

    Left out: private, loopback, documentation, multicast and reserved ranges, public resolvers, versions
    (behind such a word, a product's name or a comparison), object identifiers, addresses of whole networks.
    """
    start = at
    while start > 0 and at - start < 4 and "0" <= text[start - 1] <= "9":
        start -= 1
    found = _IPV4.match(text, start)
    if found is None or not 1 <= at - start <= 3:
        return None
    value = found[0]
    octets = value.split(".")
    numbers = [int(octet) for octet in octets]
    if (
        max(numbers) > 255
        or any(len(octet) > 1 and octet[0] == "0" for octet in octets)
        or value in _RESOLVERS
    ):
        return None
    if max(numbers[:3]) < 10 or numbers[:2] == [2, 5] or numbers[3] == 0 or numbers[1:3] == [0, 0]:
        return None
    before = text[max(0, start - 32) : start]
    if before and (before[-1].isalnum() or before[-1] in "._-+"):
        return None
    address = ipaddress.IPv4Address(".".join(map(str, numbers)))
    if not address.is_global or address.is_multicast or _VERSION_BEFORE.search(before[-16:]):
        return None
    if _PRODUCT_BEFORE.search(before) and not before.endswith("//") and "://" not in before:
        return None
    return start, found.end()


_IPV6 = re.compile(r"[0-9a-fA-F]{4}(?::[0-9a-fA-F]{0,4}){2,7}(?![0-9A-Za-z_:])")


def ipv6(text: str, at: int) -> tuple[int, int] | None:
    """(start, end) of the public IPv6 address that begins at `at`, or None; documentation ranges are left out."""
    if at and (text[at - 1].isalnum() or text[at - 1] in "_:.-"):
        return None
    found = _IPV6.match(text, at)
    if found is None:
        return None
    try:
        address = ipaddress.IPv6Address(found[0])
    except ValueError:
        return None
    if not address.is_global or str(address) in _IPV6_RESOLVERS or str(address).endswith("::"):
        return None
    return found.start(), found.end()
