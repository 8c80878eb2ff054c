"""Choices that depend on a seed and on names alone, never on the order of calls."""

from __future__ import annotations

import hashlib

import numpy as np


def rank(seed: int, *parts: object) -> int:
    """A 64-bit number for these parts: sort by it to choose "at random", the same way every time."""
    text = "\x1f".join(str(part) for part in (seed, *parts))
    return int.from_bytes(
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
    )


def generator(seed: int, *parts: object) -> np.random.Generator:
    """A numpy generator (Philox) keyed by these parts."""
    return np.random.Generator(np.random.Philox(key=rank(seed, *parts)))
