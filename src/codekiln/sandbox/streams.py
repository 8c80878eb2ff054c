"""What a program writes, read as it comes: of too much the beginning and the end are kept."""

from __future__ import annotations

import os


class Sink:
    """A pipe that is read here.

    Attributes:
        inlet, outlet: descriptors of its ends; whoever passes the inlet on closes it.
        size: bytes that came; `open` until the end came.
    """

    def __init__(self, limit: int) -> None:
        self.outlet, self.inlet = os.pipe()
        self.size, self.open = 0, True
        self._half = max(1, limit // 2)
        self._limit = limit
        self._begin, self._end = bytearray(), bytearray()

    @property
    def full(self) -> bool:
        """Whether more came than the limit."""
        return self.size > self._limit

    def read(self) -> bool:
        """Take what is there; False at the end."""
        data = os.read(self.outlet, 1 << 16)
        self.size += len(data)
        room = self._half - len(self._begin)
        self._begin += data[:room]
        self._end += data[room:] if room > 0 else data
        if len(self._end) > 2 * self._limit:
            del self._end[: -self._half]
        return bool(data)

    def close(self) -> None:
        os.close(self.outlet)

    def kept(self) -> bytes:
        """All that came or, of more than the limit, its first and its last half."""
        if not self.full:
            return bytes(self._begin + self._end)
        return bytes(self._begin + self._end[-self._half :])
