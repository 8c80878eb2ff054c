"""Safetensors files read and written a tensor at a time with numpy alone, bf16 included.

The layout: 8 bytes (little-endian length of the header), a JSON header (name -> dtype, shape, byte offsets),
then the raw tensors. The header is checked against the file before a single value is used, so that a truncated
or damaged file is named in one line.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codekiln.errors import UserError

#: The numpy type that holds each stored dtype; bf16 has none and is carried as its 16 bits.
STORAGE = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}

#: A header beyond this is no header of a model (the format's own limit).
_MAX_HEADER = 100_000_000


@dataclass(frozen=True)
class TensorEntry:
    """Where a tensor lies: stored dtype (`BF16`, `F16`, …), shape, first byte in the file, bytes."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


def read_header(path: Path) -> dict[str, TensorEntry]:
    """The tensors of a file by name. Raises UserError when the file is truncated or no safetensors file."""
    try:
        total = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if total < 8 or not 2 <= length <= min(_MAX_HEADER, total - 8):
                raise UserError(f"{path}: not a safetensors file, or cut off in its header; fetch it again")
            raw = json.loads(stream.read(length))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: the safetensors header is damaged; fetch the file again") from error
    entries = {}
    try:
        for name, value in raw.items():
            if name == "__metadata__":
                continue
            begin, end = value["data_offsets"]
            shape = tuple(int(n) for n in value["shape"])
            entries[name] = TensorEntry(value["dtype"], shape, 8 + length + begin, end - begin)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: the safetensors header is damaged; fetch the file again") from error
    _check_layout(path, entries, 8 + length, total)
    return entries


def _check_layout(path: Path, entries: dict[str, TensorEntry], begin: int, total: int) -> None:
    at = begin
    for name, entry in sorted(entries.items(), key=lambda item: item[1].start):
        width = np.dtype(STORAGE[entry.dtype]).itemsize if entry.dtype in STORAGE else None
        if width is not None and entry.size != math.prod(entry.shape) * width:
            raise UserError(f"{path}: tensor {name} has a wrong size; fetch the file again")
        if entry.start != at or entry.size < 0:
            raise UserError(f"{path}: tensor {name} lies at a wrong place; fetch the file again")
        at += entry.size
    if at != total:
        what = "truncated" if total < at else "longer than its header says"
        raise UserError(f"{path}: {what} ({total} bytes, {at} expected); fetch the file again")


def read_rows(path: Path, entry: TensorEntry, rows: int) -> Iterator[np.ndarray]:
    """The tensor as float32, `rows` of its first dimension at a time."""
    if entry.dtype not in STORAGE:
        raise UserError(f"{path}: tensors of type {entry.dtype} are not model weights that codekiln reads")
    shape = entry.shape or (1,)
    stored = np.memmap(path, dtype=STORAGE[entry.dtype], mode="r", offset=entry.start, shape=shape)
    for start in range(0, shape[0], rows):
        part = stored[start : start + rows]
        yield from_bf16(part) if entry.dtype == "BF16" else np.asarray(part, dtype=np.float32)


def from_bf16(bits: np.ndarray) -> np.ndarray:
    """bf16 bits (uint16) to float32, exact."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def to_bf16(values: np.ndarray) -> np.ndarray:
    """float32 to bf16 bits (uint16), rounded to nearest even as torch does; NaN stays NaN."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) >> 16
    return np.where(np.isnan(values), np.uint32(0x7FC0), rounded).astype(np.uint16)


def write_bf16(
    path: Path, shapes: dict[str, tuple[int, ...]], tensors: Iterable[Iterable[np.ndarray]]
) -> None:
    """Write a bf16 file: `tensors` yields, in the order of `shapes`, each tensor as float32 pieces in row order.

    Raises RuntimeError when the pieces do not fill the announced shapes (a mistake of the caller).
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for (name, shape), pieces in zip(shapes.items(), tensors, strict=True):
            written = sum(stream.write(to_bf16(piece).tobytes()) for piece in pieces)
            if written != 2 * math.prod(shape):
                raise RuntimeError(f"{name}: {written} bytes for shape {shape}")
        stream.flush()
        os.fsync(stream.fileno())
