"""What is said about the licence of a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class License:
    """Verdict on one file: SPDX ids, `permissive`, `non_permissive` or `no_license`, and where it says so.

    `annotated` holds (glob, verdict) pairs that a REUSE file has for paths below its folder; the last match wins.
    """

    licenses: tuple[str, ...]
    license_type: str
    evidence: str
    annotated: tuple[tuple[str, License], ...] = ()


NO_LICENSE = License((), "no_license", "no licence found")
