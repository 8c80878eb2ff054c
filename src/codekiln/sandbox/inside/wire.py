"""Messages over a socket: four bytes of length, then JSON."""

import json
import struct

import plain

_LARGEST = plain.LONGEST + 1024 * 1024


class Ended(Exception):
    """The other side is gone, or says what no message is."""


class Wire:
    """One end of a connection. It keeps the functions that it needs: a program may change those of modules."""

    def __init__(self, connection):
        self._connection, self._held = connection, b""
        self._dumps, self._loads, self._struct = json.dumps, json.loads, struct.Struct("<I")

    def packed(self, *parts):
        """The bytes of a message: a list of these."""
        told = self._dumps(parts, separators=(",", ":")).encode()
        return self._struct.pack(len(told)) + told

    def send(self, *parts):
        """Send a message.

        Raises Ended.
        """
        self.push(self.packed(*parts))

    def push(self, told):
        """Send a message's bytes.

        Raises Ended.
        """
        try:
            self._connection.sendall(told)
        except OSError:
            raise Ended("it ended") from None

    def receive(self):
        """The next message, a list with something in it.

        Raises Ended.
        """
        size = self._struct.unpack(self._take(4))[0]
        if size > _LARGEST:
            raise Ended("it wrote what is no message")
        try:
            said = self._loads(self._take(size))
        except (ValueError, RecursionError):
            said = None
        if type(said) is not list or not said:
            raise Ended("it wrote what is no message")
        return said

    def _take(self, size):
        if len(self._held) < size:
            parts, length = [self._held], len(self._held)
            while length < size:
                try:
                    part = self._connection.recv(max(65536, min(size - length, 1 << 20)))
                except OSError:
                    part = b""
                if not part:
                    raise Ended("it ended")
                parts.append(part)
                length += len(part)
            self._held = b"".join(parts)
        taken, self._held = self._held[:size], self._held[size:]
        return taken
