"""The head of a GGUF file: metadata and where each tensor lies, checked against the size of the file.

Own reader because a vocabulary of 152k strings takes the library's general one many seconds. Layout: magic,
version, counts; key-value pairs; for each tensor name, dimensions (fastest first), type, offset; then, aligned,
the data. All numbers are little-endian.
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codekiln.errors import UserError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
#: struct codes of the scalar value types by number.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_MAX_DIMENSIONS = 4


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a file: shape (slowest dimension first), stored type (gguf's number), first byte, bytes."""

    shape: tuple[int, ...]
    type: int
    start: int
    size: int


@dataclass(frozen=True)
class GgufFile:
    """What the head of a file says. float32 metadata is kept as numpy.float32."""

    path: Path
    metadata: dict[str, Any]
    tensors: dict[str, StoredTensor]

    def rows(self, name: str, start: int, stop: int) -> np.ndarray:
        """Rows `start` to `stop` (slowest dimension) of a tensor, dequantized to float32."""
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize

        tensor = self.tensors[name]
        width = tensor.size // tensor.shape[0]
        stop = min(stop, tensor.shape[0])
        raw = np.memmap(
            self.path,
            dtype=np.uint8,
            mode="r",
            offset=tensor.start + start * width,
            shape=(stop - start, width),
        )
        kind = GGMLQuantizationType(tensor.type)
        plain = {GGMLQuantizationType.F32: np.float32, GGMLQuantizationType.F16: np.float16}.get(kind)
        try:
            values = raw.view(plain).astype(np.float32) if plain is not None else dequantize(raw, kind)
        except NotImplementedError as error:
            raise UserError(
                f"{self.path}: tensors of type {kind.name} cannot be read; take another file"
            ) from error
        return np.asarray(values, dtype=np.float32).reshape(stop - start, *tensor.shape[1:])


def read_gguf(path: Path) -> GgufFile:
    """Read the head of a file. Raises UserError in one line when it is no GGUF file, damaged or truncated."""
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            if stream.read(4) != _MAGIC:
                raise UserError(f"{path}: not a GGUF file; pass a .gguf model or a checkpoint folder")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                metadata, tensors = _Head(data, size).read()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (struct.error, ValueError, KeyError, OverflowError) as error:
        raise UserError(f"{path}: a damaged or truncated GGUF file; fetch it again") from error
    for name, tensor in tensors.items():
        if tensor.start + tensor.size > size:
            raise UserError(f"{path}: truncated: tensor {name} ends beyond the file; fetch it again")
    return GgufFile(path, metadata, tensors)


class _Head:
    """A cursor over the head; every read beyond the end raises struct.error or ValueError."""

    def __init__(self, data: mmap.mmap, size: int) -> None:
        self.data, self.size, self.at = data, size, 4

    def read(self) -> tuple[dict[str, Any], dict[str, StoredTensor]]:
        version = self.number("I")
        if version not in _VERSIONS:
            raise ValueError(version)
        tensor_count, pair_count = self.number("Q"), self.number("Q")
        metadata = {}
        for _ in range(pair_count):
            key = self.text()
            metadata[key] = self.value(self.number("I"))
        found = [self.tensor() for _ in range(tensor_count)]
        alignment = int(metadata.get("general.alignment", 32))
        if alignment <= 0:
            raise ValueError(alignment)
        begin = -(-self.at // alignment) * alignment
        return metadata, {
            name: StoredTensor(shape, kind, begin + offset, size) for name, shape, kind, offset, size in found
        }

    def number(self, code: str) -> Any:
        value = struct.unpack_from(f"<{code}", self.data, self.at)[0]
        self.at += struct.calcsize(f"<{code}")
        return value

    def text(self) -> str:
        (length,) = struct.unpack_from("<Q", self.data, self.at)
        begin = self.at + 8
        self.at = begin + length
        if self.at > self.size:
            raise ValueError(length)
        return self.data[begin : self.at].decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            value = self.number(_SCALARS[kind])
            return np.float32(value) if _SCALARS[kind] == "f" else value
        inner, count = self.number("I"), self.number("Q")
        if count > self.size - self.at:
            raise ValueError(count)
        if inner not in _SCALARS:
            return [self.value(inner) for _ in range(count)]
        code = f"<{count}{_SCALARS[inner]}"
        values = struct.unpack_from(code, self.data, self.at)
        self.at += struct.calcsize(code)
        return list(values)

    def tensor(self) -> tuple[str, tuple[int, ...], int, int, int]:
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

        name, dimensions = self.text(), self.number("I")
        if not 1 <= dimensions <= _MAX_DIMENSIONS:
            raise ValueError(dimensions)
        shape = tuple(self.number("Q") for _ in range(dimensions))[::-1]
        kind, offset = self.number("I"), self.number("Q")
        block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        if shape[-1] % block or 0 in shape:
            raise ValueError(shape)
        return name, shape, kind, offset, math.prod(shape) // block * block_bytes
