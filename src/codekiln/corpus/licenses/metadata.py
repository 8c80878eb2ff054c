"""The licence that package metadata declares. Files of strangers: nothing is executed, nothing is expanded."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from typing import Any

from codekiln.corpus.licenses.expressions import canonical_id, parse
from codekiln.corpus.licenses.identify import identify
from codekiln.corpus.licenses.mentions import mentions
from codekiln.corpus.licenses.verdict import License

_FILES = "pyproject.toml package.json composer.json Cargo.toml PKG-INFO METADATA setup.cfg setup.py pom.xml"
_NAMES = frozenset(_FILES.split())
_MAX_TOML = 256 * 1024
_LONG = 300  # characters above which a licence field holds the text itself

# Names that stand alone in metadata, lower case.
_ALONE = {
    "apache": "Apache-2.0", "apache 2": "Apache-2.0", "apache2": "Apache-2.0", "apache-2": "Apache-2.0",
    "apache software license": "Apache-2.0", "apache license": "Apache-2.0", "bsd": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause", "bsd-like": "BSD-3-Clause", "bsd license": "BSD-3-Clause", "gpl": "GPL-1.0-or-later",
    "gplv2": "GPL-2.0", "gplv3": "GPL-3.0", "lgpl": "LGPL-2.0-or-later", "agpl": "AGPL-3.0", "mpl": "MPL-2.0",
    "mit/x11": "MIT", "expat": "MIT", "x11": "X11", "psf": "PSF-2.0", "psfl": "PSF-2.0", "python": "PSF-2.0",
    "boost": "BSL-1.0", "zlib/libpng": "Zlib", "public domain": "LicenseRef-public-domain", "cc0": "CC0-1.0",
    "perl": "Artistic-1.0-Perl OR GPL-1.0-or-later", "perl_5": "Artistic-1.0-Perl OR GPL-1.0-or-later",
    "ruby": "Ruby", "isc": "ISC", "artistic_2": "Artistic-2.0", "unlicensed": "LicenseRef-proprietary",
    "proprietary": "LicenseRef-proprietary", "commercial": "LicenseRef-proprietary",
}  # fmt: skip
# Endings of "License :: OSI Approved :: …" classifiers, lower case.
_CLASSIFIERS = {
    "gnu general public license (gpl)": "GPL-1.0-or-later",
    "gnu general public license v2 (gplv2)": "GPL-2.0-only",
    "gnu general public license v2 or later (gplv2+)": "GPL-2.0-or-later",
    "gnu general public license v3 (gplv3)": "GPL-3.0-only",
    "gnu general public license v3 or later (gplv3+)": "GPL-3.0-or-later",
    "gnu lesser general public license v2 (lgplv2)": "LGPL-2.0-only",
    "gnu lesser general public license v2 or later (lgplv2+)": "LGPL-2.0-or-later",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "gnu lesser general public license v3 or later (lgplv3+)": "LGPL-3.0-or-later",
    "gnu library or lesser general public license (lgpl)": "LGPL-2.0-or-later",
    "gnu affero general public license v3": "AGPL-3.0-only",
    "gnu affero general public license v3 or later (agplv3+)": "AGPL-3.0-or-later",
    "mit no attribution license (mit-0)": "MIT-0",
    "isc license (iscl)": "ISC",
    "zope public license": "ZPL-2.1",
    "the unlicense (unlicense)": "Unlicense",
    "public domain": "LicenseRef-public-domain",
    "other/proprietary license": "LicenseRef-proprietary",
    "cc0 1.0 universal (cc0 1.0) public domain dedication": "CC0-1.0",
}

_GEM = re.compile(r"\.licen[sc]es?[ \t]*=[ \t]*([^\n]{1,300})")
_QUOTED = re.compile(r"[\"']([^\"'\n]{1,200})[\"']")
_SETUP_PY = re.compile(r"\blicen[sc]e[ \t]*=[ \t]*[\"']([^\"'\n]{1,200})[\"']")
_SETUP_CFG = re.compile(r"^licen[sc]e(?:_expression)?[ \t]*=[ \t]*([^\n]{1,300})$", re.M)
_CLASSIFIER = re.compile(r"License ?:: [^\n\"',]{1,120}")
_POM_NAME = re.compile(r"<(name|url)>([^<>&]{1,300})</\1>")


def is_metadata_file(path: str) -> bool:
    """Whether a file is package metadata that may declare a licence."""
    name = path.rsplit("/", 1)[-1]
    return name in _NAMES or name.endswith((".gemspec", ".egg-info"))


def from_metadata(path: str, text: str) -> License | None:
    """The licence that a package's metadata file declares; None where it declares none or is malformed."""
    try:
        declared = _declared(path.rsplit("/", 1)[-1], text)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    expression = normalised(declared) if isinstance(declared, str) else None
    found = parse(expression) if expression else None
    if found is None:
        return None
    kind = "permissive" if found.permissive else "non_permissive"
    return License(found.ids, kind, f"{path}: {found.text} (metadata)")


def normalised(declared: str) -> str | None:
    """An SPDX expression for what people write in a licence field; None when it cannot be told."""
    declared = declared.strip()
    if len(declared) > _LONG or "\n" in declared:
        known = identify(declared.encode("utf-8", "replace"))
        return None if known.limit else (" OR " if known.either else " AND ").join(known.ids) or None
    text = (
        " ".join(declared.replace("/", " OR ").split())
        if " / " in declared or _slashed(declared)
        else declared
    )
    found = parse(text)
    if found and all(canonical_id(name) for name in found.ids):
        return found.text
    lower = " ".join(declared.lower().split()).removeprefix("the ")
    alone = _ALONE.get(lower) or _ALONE.get(lower.removesuffix(" license").removesuffix(" licence"))
    if alone:
        return alone
    named = dict.fromkeys(name for name, _, _ in mentions(declared))
    if named:
        return (" OR " if re.search(r"\bor\b|/|\|", lower) else " AND ").join(named)
    # A single unknown name is some licence, though nobody can say which: it is not permissive.
    return found.text if found and len(found.ids) == 1 and len(declared) < 60 else None


def _slashed(declared: str) -> bool:
    parts = declared.split("/")
    return len(parts) > 1 and all(canonical_id(part.strip()) for part in parts)


def _declared(name: str, text: str) -> object:
    if name == "package.json":
        return _package_json(json.loads(text.removeprefix("\ufeff")))
    if name == "composer.json":
        return _alternatives(json.loads(text.removeprefix("\ufeff"))["license"])
    if name in ("pyproject.toml", "Cargo.toml"):
        return _toml(name, tomllib.loads(text)) if len(text) <= _MAX_TOML and _is_tame(text) else None
    if name in ("PKG-INFO", "METADATA") or name.endswith(".egg-info"):
        return _core_metadata(text)
    if name == "pom.xml":
        start = text.find("<licenses>")
        part = text[start : start + 4096].partition("</licenses>")[0] if start >= 0 else ""
        kinds = [(kind, value) for kind, value in _POM_NAME.findall(part)]
        named = [value for kind, value in kinds if kind == "name" and normalised(value)]
        return _alternatives(named or [value for _, value in kinds]) if kinds else None
    if name == "setup.cfg":
        match = _SETUP_CFG.search(text)
        value = match[1].strip() if match else ""
        return value if value and not value.startswith("file:") else _classified(_CLASSIFIER.findall(text))
    if name == "setup.py":
        match = _SETUP_PY.search(text)
        return match[1] if match else _classified(_CLASSIFIER.findall(text))
    match = _GEM.search(text)
    return _alternatives(_QUOTED.findall(match[1])) if match else None


def _is_tame(text: str) -> bool:
    """Whether no line has so many dots or brackets that a TOML parser takes long or nests deeply over it."""
    return all(line.count(".") + line.count("[") < 2_000 for line in text.split("\n"))


def _package_json(document: Any) -> object:
    value = document.get("license") or document.get("licenses")
    if isinstance(value, str) and value.upper().startswith("SEE LICEN"):
        return None
    if isinstance(value, dict):
        return value.get("type")
    if isinstance(value, list):
        return _alternatives([item.get("type") if isinstance(item, dict) else item for item in value])
    return value


def _toml(name: str, document: dict[str, Any]) -> object:
    if name == "Cargo.toml":
        package = document.get("package") or document.get("workspace", {}).get("package", {})
        return package.get("license")
    project = document.get("project", {})
    value = project.get("license")
    if isinstance(value, dict):
        value = value.get("text")
    value = value or _classified(project.get("classifiers", []))
    return value or document.get("tool", {}).get("poetry", {}).get("license")


def _core_metadata(text: str) -> object:
    header = text.replace("\r\n", "\n").split("\n\n", 1)[0]
    fields: dict[str, list[str]] = {}
    key = ""
    for line in header.split("\n")[:5_000]:
        if line[:1] in (" ", "\t") and key:
            fields[key].append(line.strip().removeprefix("|"))
        elif ":" in line:
            key, _, value = line.partition(":")
            fields.setdefault(key, []).append(value.strip())
    if "License-Expression" in fields:
        return fields["License-Expression"][0]
    value = "\n".join(fields.get("License", [])).strip()
    classified = _classified(fields.get("Classifier", []))
    plain = normalised(value) if value and value != "UNKNOWN" else None
    # "BSD" or "GPL" says less than a classifier with a version.
    return value if plain and (not classified or value.lower() not in _ALONE) else classified or value


def _classified(classifiers: Iterable[object]) -> str | None:
    found = []
    for item in list(dict.fromkeys(item for item in classifiers if isinstance(item, str)))[:100]:
        if item.strip().lower().startswith("license ::"):
            last = item.rsplit("::", 1)[1].strip()
            named = _CLASSIFIERS.get(last.lower()) or normalised(last)
            if named and last.lower() != "osi approved":
                found.append(f"({named})" if " " in named else named)
    return " AND ".join(dict.fromkeys(found)) or None


def _alternatives(values: object) -> object:
    """Several licences of a package of this kind are alternatives."""
    if isinstance(values, str):
        return values
    if not isinstance(values, list):
        return None
    named = [normalised(value) for value in values[:20] if isinstance(value, str)]
    return " OR ".join(f"({name})" if " " in name else name for name in named if name) or None
