"""Secrets made from the grammars of their kinds, so that no file of ours holds anything that looks like one."""

from __future__ import annotations

import base64
import json
import random
import string

LETTERS, DIGITS = string.ascii_letters, string.digits
ALNUM = LETTERS + DIGITS
UPPER = string.ascii_uppercase + DIGITS
BASE32 = string.ascii_uppercase + "234567"
HEX = "0123456789abcdef"
BASE64 = ALNUM + "+/"
URL64 = ALNUM + "-_"


class Maker:
    """Random values of a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def of(self, alphabet: str, size: int) -> str:
        """`size` characters with a letter and a digit among them, and no chain such as 12345678."""
        while True:
            value = "".join(self.random.choice(alphabet) for _ in range(size))
            if (
                any(map(str.isdigit, value))
                and any(map(str.isalpha, value))
                and value[0].isalnum()
                and value[-1].isalnum()
            ):
                return value

    def b64(self, size: int) -> str:
        return base64.b64encode(self.random.randbytes(size)).decode()

    def url64(self, document: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    def pem(self, label: str, newline: str = "\n") -> str:
        text = self.b64(610)
        lines = [text[at : at + 64] for at in range(0, len(text), 64)]
        return newline.join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])


def provider_keys(make: Maker) -> dict[str, str]:
    """Rule -> one key of its form, as it stands in a text."""
    of = make.of
    return {
        "aws-access-key-id": "AKIA" + of(UPPER, 16),
        "google-api-key": "AIza" + of(URL64, 35),
        "google-oauth-secret": "GOCSPX-" + of(URL64, 28),
        "google-oauth-token": "ya29." + of(URL64, 80),
        "google-refresh-token": "1//0" + of(URL64, 60),
        "azure-storage-key": "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=" + make.b64(64),
        "azure-shared-key": "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKey=" + make.b64(32),
        "github-token": "ghp_" + of(ALNUM, 36),
        "github-fine-grained-token": "github_pat_" + of(ALNUM, 22) + "_" + of(ALNUM, 59),
        "gitlab-token": "glpat-" + of(URL64, 20),
        "slack-token": "xoxb-" + of(DIGITS[1:] + "a", 12) + "-" + of(ALNUM, 24),
        "slack-webhook": f"https://hooks.slack.com/services/T{of(UPPER, 8)}/B{of(UPPER, 8)}/{of(ALNUM, 24)}",
        "discord-webhook": "https://discord.com/api/webhooks/"
        + str(make.random.randrange(10**17, 10**18))
        + "/"
        + of(URL64, 68),
        "stripe-key": "sk_live_" + of(ALNUM, 24),
        "openai-key": "sk-proj-" + of(ALNUM, 48),
        "anthropic-key": "sk-ant-api03-" + of(URL64, 93),
        "groq-key": "gsk_" + of(ALNUM, 52),
        "npm-token": "npm_" + of(ALNUM, 36),
        "npm-auth-token": "//registry.npmjs.org/:_authToken=" + of(HEX, 36),
        "pypi-token": "pypi-AgEI" + of(URL64, 150),
        "rubygems-key": "rubygems_" + of(HEX, 48),
        "docker-token": "dckr_pat_" + of(URL64, 27),
        "sendgrid-key": "SG." + of(URL64, 22) + "." + of(URL64, 43),
        "mailgun-key": "key-" + of(HEX, 32),
        "twilio-key": "SK" + of(HEX, 32),
        "twilio-account": "AC" + of(HEX, 32),
        "telegram-token": str(make.random.randrange(10**8, 10**10)) + ":AA" + of(URL64, 33),
        "shopify-token": "shpat_" + of(HEX, 32),
        "digitalocean-token": "dop_v1_" + of(HEX, 64),
        "databricks-token": "dapi" + of(HEX, 32),
        "grafana-token": "glsa_" + of(ALNUM, 32) + "_" + of(HEX, 8),
        "vault-token": "hvs." + of(URL64, 90),
        "newrelic-key": "NRAK-" + of(UPPER, 27),
        "linear-key": "lin_api_" + of(ALNUM, 40),
        "postman-key": "PMAK-" + of(HEX, 24) + "-" + of(HEX, 34),
        "nats-seed": "SUA" + of(BASE32, 55),
        "laravel-app-key": "APP_KEY=base64:" + make.b64(32),
        "otp-secret": f"otpauth://totp/Shop:jo?secret={of(BASE32, 32)}&issuer=Shop",
        "jwt": ".".join(
            [
                make.url64({"alg": "HS256", "typ": "JWT"}),
                make.url64({"sub": of(HEX, 12), "iat": 1}),
                of(URL64, 43),
            ]
        ),
        "basic-authorization": "Authorization: Basic "
        + base64.b64encode(f"{of(ALNUM, 6)}:{of(ALNUM, 9)}".encode()).decode(),
        "bearer-authorization": "Authorization: Bearer " + of(HEX, 64),
        "url-password": f"postgres://shop:{of(ALNUM, 12)}@db.shop-internal.net:5432/shop",
        "pem-private-key": make.pem("RSA PRIVATE KEY"),
    }


#: Language -> a line with a secret behind a name; `{}` is its place.
FIELDS = [
    ("password-field", "python", 'DB_PASSWORD = "{}"'),
    ("password-field", "python", "connect(host, user='shop', password='{}')"),
    ("password-field", "python", 'config["mail_password"] = "{}"'),
    ("password-field", "java", 'String dbPassword = "{}";'),
    ("password-field", "javascript", "  password: '{}',"),
    ("password-field", "json", '  "password": "{}",'),
    ("password-field", "php", "'password' => '{}',"),
    ("password-field", "go", 'Passwd: "{}",'),
    ("password-field", "yaml", "  POSTGRES_PASSWORD: {}"),
    ("password-field", "shell", "export PGPASSWORD={}"),
    ("password-field", "shell", "mysql --user=shop --password={} shop"),
    ("password-field", "", "spring.datasource.password={}"),
    ("password-field", "c#", 'var passphrase = @"{}";'),
    ("password-field", "go", '"{{\\"user\\":\\"shop\\",\\"pass\\":\\"{}\\"}}"'),
    ("secret-field", "ruby", "config.oauth_token_secret = '{}'"),
    ("secret-field", "typescript", "const clientSecret: string = '{}';"),
    ("secret-field", "dockerfile", "ENV AWS_SECRET_ACCESS_KEY={}"),
    ("token-field", "python", 'headers = {{"X-Auth-Token": "{}"}}'),
    ("token-field", "javascript", "fetch('/cb?state=1&access_token={}&scope=a')"),
    ("token-field", "rust", 'let api_token: &str = "{}";'),
    ("api-key-field", "kotlin", 'val apiKey = "{}"'),
    ("api-key-field", "yaml", 'api-key: "{}"'),
    ("api-key-field", "c++", 'constexpr auto kAccessKey = "{}";'),
]
