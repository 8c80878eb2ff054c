"""Recall and precision on a labelled set: keys made from grammars, look-alikes as real code has them."""

from __future__ import annotations

import pytest
from secret_kit import ALNUM, FIELDS, HEX, Maker, provider_keys

from codekiln.corpus.secrets import find, redact

SEEDS = range(12)
PROVIDERS = sorted(provider_keys(Maker(0)))
HOLDERS = [("python", 'value = "{}"  # kept'), ("yaml", "- {}\n- other"), ("javascript", "call(`{}`, 1);")]


@pytest.mark.parametrize("rule", PROVIDERS)
def test_every_form_of_key_is_found_by_its_rule_in_several_languages(rule: str) -> None:
    missed = []
    for seed in SEEDS:
        key = provider_keys(Maker(seed))[rule]
        for language, holder in HOLDERS:
            found = find("first = 1\n" + holder.replace("{}", key), "a", language)
            if [one.rule for one in found] != [rule] or found[0].line != (
                3 if rule == "pem-private-key" else 2
            ):
                missed.append((seed, language, [one.rule for one in found]))
    assert missed == []


def test_values_behind_telling_names_are_found_where_they_stand() -> None:
    found = total = 0
    for seed in SEEDS:
        make = Maker(seed)
        for rule, language, line in FIELDS:
            value = make.of(ALNUM, 14 if rule == "password-field" else 28)
            text = line.format(value)
            total += 1
            found += [(one.rule, text[one.start : one.end]) for one in find(text, "a", language)] == [
                (rule, value)
            ]
    assert found / total >= 0.99


def test_passwords_that_people_choose_are_found_behind_password_names() -> None:
    for word in (
        "hunter2",
        "sikrit",
        "correcthorse",
        "pa55w0rd!!",
        "porkchop",
        "T0pS3cr3t",
        "M3@n.jsI$Aw3$0m3",
    ):
        for language, line in [("python", 'password = "{}"'), ("json", '{"db_password": "{}"}')]:
            text = line.replace("{}", word)
            assert [text[one.start : one.end] for one in find(text, "a", language)] == [word]


def lookalikes(make: Maker) -> list[tuple[str, str, str]]:
    """(path, language, text) of lines that hold nothing to take out."""
    of = make.of
    uuid = "-".join(of(HEX, size) for size in (8, 4, 4, 4, 12))
    return [
        ("a.py", "python", f'COMMIT = "{of(HEX, 40)}"'),
        ("a.py", "python", f'assert digest == "{of(HEX, 64)}"  # sha256 of the file'),
        ("a.js", "javascript", f'const id = "{uuid}";'),
        ("package-lock.json", "json", f'  "integrity": "sha512-{make.b64(64)}",'),
        ("yarn.lock", "", f'  resolved "https://registry.yarnpkg.com/token/-/token-1.0.0.tgz#{of(HEX, 40)}"'),
        ("poetry.lock", "", f'    {{file = "secretstorage-3.3.3.whl", hash = "sha256:{of(HEX, 64)}"}},'),
        ("go.sum", "", f"github.com/shop/token v1.2.3 h1:{make.b64(32)}"),
        ("Cargo.lock", "", f'checksum = "{of(HEX, 64)}"'),
        ("a.css", "css", f'.logo {{ background: url("data:image/png;base64,{make.b64(300)}") }}'),
        (
            "a.html",
            "html",
            f'<input id="password" type="password" name="user[password]" data-v-{of(HEX, 8)}>',
        ),
        ("a.py", "python", 'password = os.environ["DB_PASSWORD"]'),
        ("a.py", "python", 'password = os.getenv("DB_PASSWORD", "")'),
        ("a.py", "python", 'password = getpass.getpass("Database password: ")'),
        ("a.py", "python", "token = self.tokenizer.next_token(stream, skip=True)"),
        ("a.py", "python", 'token = "<your-token-here>"'),
        ("a.py", "python", 'API_KEY = "YOUR_API_KEY"'),
        ("a.py", "python", 'secret = "changeme"'),
        ("a.py", "python", 'PASSWORD_FIELD = "password"'),
        ("a.py", "python", 'password = f"{prefix}{suffix}"'),
        ("a.py", "python", 'parser.add_argument("--password", help="password of the account")'),
        ("a.py", "python", 'tokens = ["if", "else", "while", "identifier"]'),
        ("a.py", "python", 'for key, value in {"first_name": "last_name"}.items():'),
        ("a.py", "python", 'data["key"] = "application/json"'),
        ("a.py", "python", "primary_key = models.AutoField(primary_key=True)"),
        ("a.py", "python", 'cache_key = "homepage-sidebar-2"'),
        ("a.rb", "ruby", "validates :password, presence: true, confirmation: true"),
        ("a.ts", "typescript", "constructor(private password: PasswordService, token: AccessToken) {}"),
        ("a.ts", "typescript", "  accessToken: this.session?.accessToken,"),
        ("a.go", "go", "cfg.Password = opts.Password"),
        ("a.go", "go", 'return errors.New("token: unexpected end of input")'),
        ("a.java", "java", 'private static final String PASSWORD = "spring.datasource.password";'),
        ("a.java", "java", "@Autowired private PasswordEncoder passwordEncoder;"),
        ("a.php", "php", "$password = $_POST['password'];"),
        ("a.sh", "shell", 'export PGPASSWORD="${DB_PASSWORD}"'),
        ("a.sh", "shell", "TOKEN=$(curl -s https://shop.test/token)"),
        ("a.yml", "yaml", "  password: ${{ secrets.NPM_PASSWORD }}"),
        ("a.yml", "yaml", "  password: '{{ vault_db_password }}'"),
        ("a.yml", "yaml", "  secretName: shop-tls"),
        ("a.tf", "", "  password = var.database_password"),
        ("a.env", "", "DB_PASSWORD="),
        ("a.env", "", "API_TOKEN=xxxxxxxxxxxxxxxxxxxxxxxx"),
        (
            "a.md",
            "markdown",
            "Set the password: it must have eight characters, or the token will be refused.",
        ),
        ("config/locales/de.yml", "yaml", "    password: Passwort"),
        ("config/locales/nl.yml", "yaml", "    password: wachtwoord"),
        ("src/i18n/es.json", "json", '  "password": "contraseña", "token": "ficha"'),
        ("a.py", "python", "-----BEGIN CERTIFICATE-----\n" + make.b64(200) + "\n-----END CERTIFICATE-----"),
        ("a.md", "markdown", "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----"),
        ("a.py", "python", 'url = "https://shop.test:8080/a@b"'),
        ("a.py", "python", 'url = "http://user:password@host:8080/"'),
        ("a.py", "python", 'url = f"postgres://{user}:{password}@{host}/shop"'),
        ("a.py", "python", '"Authorization: Basic login_and_password_removed"'),
        ("a.md", "markdown", "Use basic knowledge and a bearer certificate."),
        # E-mail addresses that are none, or nobody's.
        ("a.py", "python", "@app.route('/login')\nclass A: ..."),
        ("a.py", "python", "y = x@self.weight.T + b"),
        ("a.ts", "typescript", 'import { a } from "@shop/components.core";'),
        ("a.json", "json", '"@types/node": "npm:@types/node@20.1.0"'),
        ("a.md", "markdown", "git clone git@github.com:shop/shop.git"),
        ("a.md", "markdown", "scp deploy@shop.com:/srv/a ."),
        ("a.py", "python", 'AUTHOR = "jo@example.com, you@yourdomain.com, noreply@github.com"'),
        ("a.css", "css", 'background: url("logo@2x.png")'),
        ("a.md", "markdown", "https://medium.com/@jo.smith/article"),
        # Addresses that are versions, private or reserved.
        (
            "a.py",
            "python",
            'HOST = "127.0.0.1"; LAN = ["192.168.1.20", "10.1.2.3", "172.16.44.5", "0.0.0.0", "255.255.255.0"]',
        ),
        ("a.py", "python", 'DOCS = ["192.0.2.44", "198.51.100.7", "203.0.113.99"]'),
        ("a.xml", "", '<Reference Include="Shop, Version=14.21.33.40" />'),
        ("a.txt", "", "shop==12.34.51.6\nMozilla/5.0 Chrome/99.11.22.33 Safari"),
        ("a.py", "python", 'OID = "1.3.6.1.4.1.311.21.20"; NAME = "2.5.4.10"'),
        ("a.py", "python", '__version__ = "24.13.7.90"'),
        ("a.py", "python", 'A = ["2001:db8::8a2e:370:7334", "::1", "fe80::1"]'),
        ("a.cpp", "c++", "std::vector<int> a; ns2001::dead::beef();"),
        ("a.log", "", "took 2001:12:33 and 2600: nothing"),
        ("a.txt", "", "REDACTED_PASSWORD password: REDACTED_PASSWORD, token=REDACTED_TOKEN"),
    ]


def test_lookalikes_of_real_code_are_left_alone() -> None:
    wrong = []
    total = 0
    for seed in SEEDS:
        for path, language, text in lookalikes(Maker(seed)):
            total += 1
            wrong += [(text[:60], one.rule) for one in find(text, path, language)]
    assert len(wrong) / total <= 0.01, wrong[:10]


PEOPLE = ["jo.smith@gmail.com", "a.b-c+d@mail.shop-online.co.uk", "jo@uni-koeln.de", "k_l@company-x.io"]
PUBLIC = ["81.169.145.78", "151.101.65.69", "2a00:1450:4001:82a::200e", "2606:2800:220:1:248:1893:25c8:1946"]


@pytest.mark.parametrize("address", PEOPLE + PUBLIC)
@pytest.mark.parametrize(
    "line",
    ['author = "{}"', "# {} wrote this", "Jo Smith <{}>", "mail to {}.", "({}, x)", 'hosts = ["{}"]', "{}"],
)
def test_personal_addresses_are_found_whole(address: str, line: str) -> None:
    text = line.format(address)
    kind = "email" if "@" in address else "ip"
    assert [(one.kind, text[one.start : one.end]) for one in find(text)] == [(kind, address)]


def test_nothing_is_left_to_find_after_redaction() -> None:
    for seed in SEEDS:
        make = Maker(seed)
        keys = provider_keys(make)
        text = "\n".join(f'value = "{key}"' for key in keys.values())
        text += "\n" + "\n".join(line.format(make.of(ALNUM, 24)) for _, _, line in FIELDS)
        findings = find(text, "a", "")
        clean = redact(text, findings)
        assert find(clean, "a", "") == []
        assert all(text[one.start : one.end] not in clean for one in findings)
