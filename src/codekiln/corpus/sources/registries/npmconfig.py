"""Which npm registry the user has, as npm is told: environment variables first, then ~/.npmrc."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from codekiln.downloads.addresses import login_of, split, without_login
from codekiln.downloads.web import Access
from codekiln.errors import UserError, one_line

DEFAULT_REGISTRY = "https://registry.npmjs.org"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,99})\}")


@dataclass(frozen=True)
class NpmConfig:
    """The registry's address, and those of scopes (`@scope`), without login or slash at the end."""

    registry: str
    scopes: dict[str, str]
    access: Access

    def of(self, name: str) -> str:
        """The registry of a package."""
        scope = name.partition("/")[0] if name.startswith("@") else ""
        return self.scopes.get(scope, self.registry)


def read_npm_config() -> NpmConfig:
    """What npm would use of the environment, ~/.npmrc and the global npmrc that is named in NPM_CONFIG_GLOBALCONFIG.

    A .npmrc in the working folder does not count: it may be a stranger's.

    Raises:
        UserError: a file cannot be read, or a registry is no address.
    """
    values = _values()
    registry = _address(values.get("registry") or DEFAULT_REGISTRY)
    found = {
        key[: -len(":registry")]: _address(value)
        for key, value in values.items()
        if key.startswith("@") and key.endswith(":registry") and value
    }
    logins = [_login(address) for address in (registry, *found.values())]
    for key, value in values.items():
        place, _, what = key.rpartition("/:")
        if place.startswith("//") and what in ("_authToken", "_auth") and value:
            header = ("Bearer " if what == "_authToken" else "Basic ") + value
            logins += [(f"https:{place}/", header), (f"http:{place}/", header)]
    certificates = values.get("cafile") or os.environ.get("NODE_EXTRA_CA_CERTS")
    access = Access(
        timeout=_milliseconds(values.get("fetch-timeout")),
        tries=_tries(values.get("fetch-retries")),
        certificates=os.path.expanduser(certificates) if certificates else None,
        proxy=values.get("https-proxy") or values.get("proxy") or None,
        logins=tuple(login for login in logins if login),
    )
    scopes = {scope: without_login(address).rstrip("/") for scope, address in found.items()}
    return NpmConfig(without_login(registry).rstrip("/"), scopes, access)


def _address(text: str) -> str:
    if split(text).scheme not in ("http", "https"):
        raise UserError(f"npm's configuration: {text[:100]!r} is no http or https address of a registry")
    return text


def _login(address: str) -> tuple[str, str] | None:
    header = login_of(address)
    parts = split(without_login(address))
    return (f"{parts.scheme}://{parts.netloc}/", header) if header else None


def _milliseconds(value: str | None) -> float:
    return min(max(int(value) / 1000, 0.1), 3600) if value and value.isdigit() and len(value) < 9 else 15.0


def _tries(value: str | None) -> int:
    return min(int(value), 20) + 1 if value and value.isdigit() and len(value) < 9 else 4


def _values() -> dict[str, str]:
    """Key -> value: variables win over the user's file, that over the global one."""
    values: dict[str, str] = {}
    given = {key.lower(): value for key, value in os.environ.items() if key.lower().startswith("npm_config_")}
    user = given.get("npm_config_userconfig") or str(Path.home() / ".npmrc")
    for path in (given.get("npm_config_globalconfig"), user):
        if path and Path(path).is_file():
            values |= _read(Path(path))
    for key, value in given.items():
        name = key[len("npm_config_") :]
        if value and not name.startswith("_"):
            values[name if name.startswith(("@", "//")) else name.replace("_", "-")] = value
    return values


def _read(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({one_line(error)[:120]})") from None
    values = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            value = value.strip().strip("\"'")
            values[key.strip()] = _VARIABLE.sub(lambda found: os.environ.get(found[1], ""), value)
    return values
