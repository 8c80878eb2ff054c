"""The declarative table of secrets with a form of their own: keys of providers, tokens, keys in PEM, URLs.

Every pattern is tried where its keyword stands, so it begins there; all its repeats are bounded. Forms are those
that the providers document, or that their keys have had in public for years.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

from codekiln.corpus.secrets.values import entropy, looks_random, stands_in, words


@dataclass(frozen=True)
class Rule:
    """One form of a secret.

    keywords: lower-case text with which the pattern begins, found in the lower-cased file.
    pattern: where it matches, group `value` (or else the whole match) is the secret.
    entropy: bits a character that the value must have at least.
    accepts: a last check of the value.
    """

    name: str
    kind: str
    keywords: tuple[str, ...]
    pattern: re.Pattern[str]
    entropy: float = 0.0
    accepts: Callable[[str], bool] = lambda value: True

    def passes(self, value: str) -> bool:
        return entropy(value) >= self.entropy and self.accepts(value)


def _rule(
    name: str,
    kind: str,
    keywords: str,
    pattern: str,
    least: float = 0.0,
    accepts: Callable[[str], bool] = lambda value: True,
) -> Rule:
    # The keyword begins a word: a run of letters and digits in front belongs to something else.
    begin = r"(?<![A-Za-z0-9_])" if keywords[0].isalnum() else ""
    return Rule(name, kind, tuple(keywords.split()), re.compile(begin + pattern), least, accepts)


def _real(value: str) -> bool:
    return not stands_in(value)


def _basic(value: str) -> bool:
    """Whether a value is the base64 of `user:password`."""
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return False
    return ":" in plain[1:] and plain.isprintable()


def _bearer(value: str) -> bool:
    return looks_random(value, 16) and not stands_in(value)


def _webhook(value: str) -> bool:
    return any(map(str.isdigit, value)) and not stands_in(value)


def _hexed(prefix: str) -> str:
    return " ".join(prefix + digit for digit in "0123456789abcdef")


_END = r"(?![A-Za-z0-9_-])"


_FORM_WORDS = words("pwd pw passwd foo bar baz xxx")


def _url_password(value: str) -> bool:
    return not stands_in(value) and value not in _FORM_WORDS and not value.startswith(("//", "port"))


RULES: tuple[Rule, ...] = (
    _rule(
        "aws-access-key-id",
        "key",
        "akia asia abia acca",
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
        2.0,
    ),
    _rule("aws-bedrock-key", "key", "absk", r"ABSK[A-Za-z0-9+/]{100,260}={0,2}", 3.0),
    _rule("google-api-key", "key", "aiza", r"AIza[A-Za-z0-9_-]{35}" + _END, 3.0, _real),
    _rule("google-oauth-secret", "secret", "gocspx-", r"GOCSPX-[A-Za-z0-9_-]{28}" + _END, 3.0, _real),
    _rule("google-oauth-token", "token", "ya29.", r"ya29\.[A-Za-z0-9_-]{20,1024}+", 3.0, _real),
    _rule("google-refresh-token", "token", "1//0", r"1//0[A-Za-z0-9_-]{40,400}+" + _END, 3.0, _real),
    _rule("azure-storage-key", "key", "accountkey=", r"(?i:AccountKey)=(?P<value>[A-Za-z0-9+/]{86}==)", 3.5),
    _rule(
        "azure-shared-key",
        "key",
        "sharedaccesskey=",
        r"(?i:SharedAccessKey)=(?P<value>[A-Za-z0-9+/]{43}=)",
        3.5,
    ),
    _rule("azure-signature", "token", "sig=", r"sig=(?P<value>[A-Za-z0-9%]{43,70}(?:%3D|=))", 3.5),
    _rule(
        "github-token",
        "token",
        "ghp_ gho_ ghu_ ghs_ ghr_",
        r"gh[pousr]_[A-Za-z0-9]{36,251}+" + _END,
        3.0,
        _real,
    ),
    _rule(
        "github-fine-grained-token",
        "token",
        "github_pat_",
        r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}" + _END,
        3.0,
    ),
    _rule(
        "gitlab-token",
        "token",
        "glpat- gldt- glrt- glptt- glcbt- gloas- glft- glsoat-",
        r"gl(?:pat|dt|rt|ptt|cbt|oas|ft|soat)-[A-Za-z0-9_-]{20,64}",
        3.0,
        _real,
    ),
    _rule(
        "slack-token",
        "token",
        "xoxb- xoxp- xoxa- xoxr- xoxs- xoxo- xoxe-",
        r"xox[bpaorse]-[A-Za-z0-9-]{10,250}+",
        2.5,
        _real,
    ),
    _rule("slack-app-token", "token", "xapp-", r"xapp-[0-9]-[A-Z0-9]{8,16}-[0-9]{8,16}-[a-f0-9]{64}" + _END),
    _rule(
        "slack-webhook",
        "token",
        "hooks.slack.com/",
        r"hooks\.slack\.com/(?:services|workflows)/(?P<value>T[A-Za-z0-9_]{6,14}/[A-Z][A-Za-z0-9_]{6,14}/[A-Za-z0-9_]{16,32})",
        3.0,
        _webhook,
    ),
    _rule(
        "discord-webhook",
        "token",
        "discord.com/api/webhooks/ discordapp.com/api/webhooks/",
        r"discord(?:app)?\.com/api/webhooks/(?P<value>[0-9]{17,20}/[A-Za-z0-9_-]{60,72})",
        3.0,
    ),
    _rule(
        "stripe-key",
        "key",
        "sk_live_ sk_test_ rk_live_ rk_test_ pk_live_ pk_test_ whsec_",
        r"(?:[srp]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,248}+" + _END,
        3.0,
        _real,
    ),
    _rule(
        "anthropic-key", "key", "sk-ant-", r"sk-ant-[a-z0-9]{3,8}-[A-Za-z0-9_-]{32,128}+" + _END, 3.5, _real
    ),
    _rule(
        "openai-key",
        "key",
        "sk-",
        r"sk-(?!ant-)(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,200}+" + _END,
        3.5,
        lambda value: _real(value) and looks_random(value[3:], 20),
    ),
    _rule("huggingface-token", "token", "hf_", r"hf_[A-Za-z]{34}" + _END, 3.5, _real),
    _rule("replicate-token", "token", "r8_", r"r8_[A-Za-z0-9]{37}" + _END, 3.5),
    _rule("groq-key", "key", "gsk_", r"gsk_[A-Za-z0-9]{52}" + _END, 3.5),
    _rule("perplexity-key", "key", "pplx-", r"pplx-[A-Za-z0-9]{40,64}" + _END, 3.5),
    _rule("npm-token", "token", "npm_", r"npm_[A-Za-z0-9]{36}" + _END, 3.0, _real),
    _rule(
        "npm-auth-token",
        "token",
        "_authtoken=",
        r"_authToken=(?P<value>[A-Za-z0-9_+/=-]{20,200})",
        3.0,
        _real,
    ),
    _rule("pypi-token", "token", "pypi-agei", r"pypi-AgEI[A-Za-z0-9_-]{50,1000}+", 3.0),
    _rule("rubygems-key", "key", "rubygems_", r"rubygems_[a-f0-9]{48}" + _END, 2.5),
    _rule(
        "crates-token",
        "token",
        "cio",
        r"cio[A-Za-z0-9]{32}(?![A-Za-z0-9])",
        3.8,
        lambda value: looks_random(value, 32),
    ),
    _rule("docker-token", "token", "dckr_pat_", r"dckr_pat_[A-Za-z0-9_-]{27}" + _END, 3.0),
    _rule("sendgrid-key", "key", "sg.", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}" + _END, 3.5),
    _rule("mailgun-key", "key", "key-", r"key-[0-9a-f]{32}" + _END, 2.8),
    _rule("twilio-key", "key", _hexed("sk"), r"SK[0-9a-f]{32}(?![A-Za-z0-9])", 2.8),
    _rule("twilio-account", "key", _hexed("ac"), r"AC[0-9a-f]{32}(?![A-Za-z0-9])", 2.8),
    _rule("telegram-token", "token", ":aa", r"(?<=[0-9]{8}):AA[A-Za-z0-9_-]{33}" + _END, 3.0),
    _rule(
        "shopify-token", "token", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}" + _END
    ),
    _rule(
        "square-token",
        "token",
        "sq0atp- sq0csp- eaaa",
        r"(?:sq0atp-[A-Za-z0-9_-]{22}|sq0csp-[A-Za-z0-9_-]{43}|EAAA[A-Za-z0-9_-]{60})" + _END,
        3.0,
    ),
    _rule("facebook-token", "token", "eaac", r"EAAC[A-Za-z0-9]{60,300}(?![A-Za-z0-9])", 3.0),
    _rule("digitalocean-token", "token", "dop_v1_ doo_v1_ dor_v1_", r"do[opr]_v1_[a-f0-9]{64}" + _END),
    _rule("databricks-token", "token", "dapi", r"dapi[a-f0-9]{32}(?:-[0-9])?(?![A-Za-z0-9])"),
    _rule(
        "grafana-token",
        "token",
        "glsa_ glc_",
        r"gl(?:sa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}|c_[A-Za-z0-9+/]{32,400}={0,2})",
        3.0,
    ),
    _rule("vault-token", "token", "hvs. hvb.", r"hv[sb]\.[A-Za-z0-9_-]{24,200}+", 3.5),
    _rule("newrelic-key", "key", "nrak-", r"NRAK-[A-Z0-9]{27}" + _END),
    _rule("linear-key", "key", "lin_api_", r"lin_api_[A-Za-z0-9]{40}" + _END),
    _rule(
        "notion-token",
        "token",
        "ntn_ secret_",
        r"(?:ntn_[0-9]{11}[A-Za-z0-9]{35}|secret_[A-Za-z0-9]{43})" + _END,
        3.5,
    ),
    _rule("postman-key", "key", "pmak-", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}" + _END),
    _rule(
        "age-key",
        "private key",
        "age-secret-key-1",
        r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    ),
    _rule("nats-seed", "private key", "sua saa soa", r"S[UAO]A[A-Z2-7]{55}(?![A-Za-z0-9])", 3.0),
    _rule(
        "laravel-app-key",
        "key",
        "app_key=base64: app_key:base64:",
        r"(?i:APP_KEY)[=:]base64:(?P<value>[A-Za-z0-9+/]{42,88}={0,2})",
        3.0,
    ),
    _rule(
        "otp-secret",
        "secret",
        "otpauth://",
        r"otpauth://[ht]otp/[^\s?\"'<>]{0,200}\?(?:[a-z]{1,12}=[^&\s\"']{0,60}&){0,4}secret=(?P<value>[A-Za-z2-7]{12,128})",
    ),
    _rule(
        "jwt",
        "token",
        "eyj",
        r"eyJ[A-Za-z0-9_-]{10,400}+\.(?:eyJ)?[A-Za-z0-9_-]{4,16000}+(?:\.[A-Za-z0-9_-]{4,2000}+)?",
        3.0,
    ),
    _rule(
        "basic-authorization",
        "password",
        "basic",
        r"[Bb]asic[ ]{1,4}(?P<value>[A-Za-z0-9+/]{8,1000}={0,2})(?![A-Za-z0-9+/=_-])",
        2.5,
        _basic,
    ),
    _rule(
        "bearer-authorization",
        "token",
        "bearer",
        r"[Bb]earer[ ]{1,4}(?P<value>[A-Za-z0-9._~+/-]{16,4000}={0,2})",
        3.0,
        _bearer,
    ),
    _rule("ntlm-authorization", "token", "ntlm", r"NTLM (?P<value>TlRMTVNT[A-Za-z0-9+/]{16,4000}={0,2})"),
    _rule(
        "url-password",
        "password",
        "://",
        r"://(?!user(?:name)?:pass(?:w(?:or)?d)?@)[^\s:/@\"'`<>(){}\[\]\\,;]{0,64}+:(?P<value>[^\s/@\"'`<>(){}\[\],;]{3,128}+)@"
        r"(?=[A-Za-z0-9\[%$\{<_.-])",
        0.0,
        _url_password,
    ),
)
