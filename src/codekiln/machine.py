"""This machine as this process sees it: processor, memory, and what the C library does with freed memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import platform
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
#: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD of mallopt(3), in bytes; the first is at its maximum.
_MALLOPT = ((-3, 32 * 1024**2), (-1, 2**31 - 1), (-2, 64 * 1024**2))


def available_cores() -> int:
    """Cores that this process may use: its affinity, cut by the control group's quota. At least one."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = cpu_quota()
    return max(1, min(cores, round(quota))) if quota is not None else max(1, cores)


def cpu_quota() -> float | None:
    """Cores' worth of time that the control groups around this process grant; None where nothing limits it."""
    quotas = []
    for folder in _cgroup_folders("cpu"):
        words = _read(folder / "cpu.max").split()
        if not words:
            words = [_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")]
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
            quotas.append(int(words[0]) / int(words[1]))
    return min(quotas, default=None)


def memory() -> tuple[int, int]:
    """Memory in bytes (in all, available now) of the machine or, where smaller, of the control group."""
    import psutil

    machine = psutil.virtual_memory()
    total, available = int(machine.total), int(machine.available)
    for folder in _cgroup_folders("memory"):
        limit = _read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes")
        used = _read(folder / "memory.current") or _read(folder / "memory.usage_in_bytes")
        if limit.isdigit() and int(limit) < total:
            total = int(limit)
            available = min(available, max(0, total - int(used or 0)))
    return total, available


def keep_freed_memory() -> None:
    """Have glibc keep freed blocks of up to 32 MB for the next request, instead of giving them to the system.

    A training step frees and asks for gigabytes; first touches of fresh pages were 3 to 10 % of its time on a
    virtual machine. `release_memory` gives back what was kept. Does nothing with another C library.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        for parameter, value in _MALLOPT:
            mallopt(parameter, value)


def release_memory() -> None:
    """Collect garbage and give freed memory back to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def cpu_model() -> str:
    """The processor's name."""
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model", "cpu model") and value.strip():
            return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def cpu_flags() -> set[str]:
    """The processor's instruction sets as Linux names them; empty where the system does not tell."""
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return set(value.split())
    return set()


def free_disk(folder: Path) -> int | None:
    """Free bytes where `folder` is or would be created; None where that cannot be told."""
    for existing in (folder, *folder.absolute().parents):
        try:
            status = os.statvfs(existing)
        except OSError:
            continue
        return status.f_bavail * status.f_frsize
    return None


def writable(folder: Path) -> bool:
    """Whether this process could create files in `folder`, which need not exist yet."""
    existing = next((one for one in (folder, *folder.absolute().parents) if one.exists()), None)
    return existing is not None and existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _cgroup_folders(controller: str) -> list[Path]:
    """The control group of this process and the groups around it, version 2 and version 1."""
    folders = [_CGROUP, _CGROUP / controller]
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            root = _CGROUP
        elif controller in controllers.split(","):
            root = _CGROUP / controllers
        else:
            continue
        inner = root / path.strip("/")
        folders += [one for one in (inner, *inner.parents) if one.is_relative_to(root) and one not in folders]
    return folders


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
