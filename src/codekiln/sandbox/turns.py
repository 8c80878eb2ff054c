"""Turns of threads: many beside each other, or one alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Who runs beside others waits while anybody runs alone or wants to."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._beside = 0
        self._wanting = 0
        self._alone = False

    @contextmanager
    def beside(self) -> Iterator[None]:
        """A turn that others may have, too."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and not self._wanting)
            self._beside += 1
        try:
            yield
        finally:
            with self._changed:
                self._beside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A turn that nobody else has."""
        with self._changed:
            self._wanting += 1
            self._changed.wait_for(lambda: not self._alone and not self._beside)
            self._wanting -= 1
            self._alone = True
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()
