"""The harness's side of attacks: sockets, files, processes and secrets that a program must not reach."""

from __future__ import annotations

import ctypes
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

#: Waits until it is ended, with a secret in its environment, its command line, its memory and a file that it holds open.
_VICTIM = "import sys, time; held = open(sys.argv[2]); time.sleep(3600)"
_PRIVATE_ERRNO = ctypes.CDLL(None, use_errno=True)
#: shmget(2): create, readable and writable by all.
_SHARED = 0o1000 | 0o666


class Outside:
    """What lies outside the box; a context.

    Attributes:
        secrets: none of these may ever come out of a box.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="codekiln-check-", dir="/tmp")
        place = Path(self._folder.name)
        place.chmod(0o755)
        self.secrets = {name: f"secret-{secrets.token_hex(16)}" for name in _SECRETS}
        self._home = tempfile.TemporaryDirectory(prefix=".codekiln-check-", dir=_home())
        self._files = {
            "home": _file(Path(self._home.name) / "secret", self.secrets["home"], 0o644),
            "private": _file(place / "private", self.secrets["private"], 0o600),
            "public": _file(place / "public", self.secrets["public"], 0o644),
        }
        self._writable = place / "writable"
        self._writable.mkdir()
        self._writable.chmod(0o777)
        self._prey = Path(_file(self._writable / "prey", self.secrets["prey"], 0o666))
        self._listeners = _listeners(place)
        self._segment = _PRIVATE_ERRNO.shmget(secrets.randbits(30) | 1, 4096, _SHARED)
        self._victim = subprocess.Popen(
            [sys.executable, "-S", "-c", _VICTIM, self.secrets["command"], self._files["private"]],
            env={"CODEKILN_CHECK": self.secrets["environment"]},
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.environ["CODEKILN_CHECK"] = self.secrets["environment"]
        self._nice = os.getpriority(os.PRIO_PROCESS, self._victim.pid)

    def __enter__(self) -> Outside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.environ.pop("CODEKILN_CHECK", None)
        self._victim.kill()
        self._victim.wait()
        for one in self._listeners.values():
            one.close()
        if self._segment >= 0:
            _PRIVATE_ERRNO.shmctl(self._segment, 0, None)
        self._home.cleanup()
        self._folder.cleanup()

    def told(self) -> dict[str, Any]:
        """What programs are told, so that they need not guess."""
        ports = {name: one.getsockname()[1] for name, one in self._listeners.items() if _is_internet(one)}
        names = {
            name: os.fsdecode(one.getsockname()).replace("\0", "@", 1)
            for name, one in self._listeners.items()
            if not _is_internet(one)
        }
        return {
            "ports": ports,
            "sockets": names,
            "files": self._files,
            "writable": str(self._writable),
            "segment": self._segment,
            "victim": self._victim.pid,
            "harness": os.getpid(),
            "home": str(Path.home()),
        }

    def damage(self) -> list[str]:
        """What a program did to it since the last time this was asked."""
        found = [
            f"reached the harness's {name} socket" for name, one in self._listeners.items() if _reached(one)
        ]
        state = _state(self._victim.pid)
        if self._victim.poll() is not None or state in "ZXT":
            found.append("ended or stopped a process of the harness")
        elif os.getpriority(os.PRIO_PROCESS, self._victim.pid) != self._nice:
            found.append("changed the priority of a process of the harness")
        if not self._prey.is_file() or self._prey.read_text() != self.secrets["prey"]:
            found.append("changed a file outside the box")
        elif self._prey.stat().st_mode & 0o777 != 0o666:
            found.append("changed the mode of a file outside the box")
        if len(list(self._writable.iterdir())) > 1:
            found.append("made a file outside the box")
        return found

    def leaked(self, *texts: bytes) -> list[str]:
        """Which secrets are in what came out of a box."""
        return [
            f"read the harness's secret ({name})"
            for name, value in self.secrets.items()
            if any(value.encode() in text for text in texts)
        ]


_SECRETS = ("home", "private", "public", "prey", "environment", "command")


def _home() -> Path:
    """The home folder, or where it cannot be written to that for temporary files."""
    home = Path.home()
    return home if os.access(home, os.W_OK) else Path(tempfile.gettempdir())


def _file(path: Path, content: str, mode: int) -> str:
    path.write_text(content)
    path.chmod(mode)
    return str(path)


def _listeners(place: Path) -> dict[str, socket.socket]:
    """Sockets of every kind that a program of this machine could reach, by kind; those that can be had."""
    unique = f"codekiln-check-{os.getpid()}-{secrets.token_hex(4)}"
    wanted: list[tuple[str, int, int, Any]] = [
        ("tcp4", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
        ("tcp6", socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)),
        ("udp4", socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
        ("udp6", socket.AF_INET6, socket.SOCK_DGRAM, ("::1", 0)),
        ("abstract", socket.AF_UNIX, socket.SOCK_STREAM, f"\0{unique}"),
        ("abstract-datagram", socket.AF_UNIX, socket.SOCK_DGRAM, f"\0{unique}-d"),
        ("path", socket.AF_UNIX, socket.SOCK_STREAM, str(place / "stream")),
        ("path-datagram", socket.AF_UNIX, socket.SOCK_DGRAM, str(place / "datagram")),
    ]
    made = {}
    for name, family, kind, address in wanted:
        one = socket.socket(family, kind)
        try:
            one.bind(address)
        except OSError:  # a machine without IPv6
            one.close()
            continue
        one.setblocking(False)
        if kind == socket.SOCK_STREAM:
            one.listen()
        if isinstance(address, str) and address.startswith("/"):
            os.chmod(address, 0o777)
        made[name] = one
    return made


def _is_internet(one: socket.socket) -> bool:
    return one.family in (socket.AF_INET, socket.AF_INET6)


def _reached(one: socket.socket) -> bool:
    """Whether anybody connected, or sent anything."""
    found = False
    while True:
        try:
            if one.type == socket.SOCK_STREAM:
                one.accept()[0].close()
            else:
                one.recv(100)
        except OSError:
            return found
        found = True


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
