"""The checks behind `codekiln doctor`; each returns what it found and what to do about it."""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codekiln import machine
from codekiln.errors import CodekilnError, one_line

if TYPE_CHECKING:
    from codekiln.modeling.catalogue import Entry

GIB = 2**30
# What quickstart with the 0.5B model uses at its peak, and what it leaves on disk with the weights.
NEEDED_MEMORY, NEEDED_DISK = 6 * GIB, 6 * GIB
LEAST_MEMORY, LEAST_DISK = 3 * GIB, 2 * GIB
#: Distribution -> (module, extra that brings it; "" for the core).
PACKAGES = {
    "torch": ("torch", "train"),
    "transformers": ("transformers", "train"),
    "tokenizers": ("tokenizers", ""),
    "safetensors": ("safetensors", ""),
    "pyarrow": ("pyarrow", ""),
    "gguf": ("gguf", "train"),
    "xllamacpp": ("xllamacpp", "llama"),
}
NETWORK_VARIABLES = (
    "CODEKILN_OFFLINE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_HOME", "CODEKILN_CACHE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
    "NO_PROXY", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS",
)  # fmt: skip


@dataclass(frozen=True)
class Check:
    """One line of the report. `needed`: quickstart cannot run while the status is "missing"."""

    name: str
    status: Literal["ok", "warn", "missing"]
    value: str
    advice: str = ""
    needed: bool = False

    def document(self) -> dict[str, Any]:
        return asdict(self)


def all_checks() -> tuple[list[Check], dict[str, Any]]:
    """Every check in the order of the report, and the measured figures by name."""
    total, available = machine.memory()
    packages = [package(name) for name in PACKAGES]
    usable = {one.name for one in packages if one.status == "ok" or (one.status == "warn" and one.needed)}
    precision, rates, dtype = arithmetic("torch" in usable)
    checks = [
        python(),
        Check("system", "ok", platform.platform()),
        processor(),
        precision,
        gpu("torch" in usable),
        memory(total, available),
        disk("disk here", Path.cwd(), NEEDED_DISK, LEAST_DISK),
        cache_folder(),
        weights(),
        *packages,
        git(),
        network(),
    ]
    measured = {
        "cores": machine.available_cores(),
        "memory_bytes": total,
        "memory_available_bytes": available,
        "gflops_per_core": rates,
        "dtype": dtype,
    }
    return checks, measured


def python() -> Check:
    return Check("Python", "ok", f"{platform.python_version()} ({sys.executable})", needed=True)


def processor() -> Check:
    cores, all_cores, quota = machine.available_cores(), os.cpu_count() or 1, machine.cpu_quota()
    text = f"{machine.cpu_model()}, {cores} of {all_cores} cores for this process"
    if quota is not None:
        text += f" (quota {quota:g})"
    return Check("processor", "ok", text)


def arithmetic(with_torch: bool) -> tuple[Check, dict[str, float], str | None]:
    """Measured rate of one core in both formats and the one that training would choose."""
    flags = machine.cpu_flags()
    found = sorted(flag for flag in flags if flag in ("avx512_bf16", "amx_bf16", "amx_tile", "bf16", "sve2"))
    shown = ", ".join(found) or "no bfloat16 instructions"
    if not with_torch:
        return Check("arithmetic", "warn", f"{shown}; not measured without torch"), {}, None
    from codekiln.modeling.precision import choose_dtype

    dtype, measured = choose_dtype(1.0)
    rates = {name: round(rate, 1) for name, rate in measured.items()}
    text = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
    text = f"{shown}; GFLOP/s of one core: {text}; training takes {dtype}"
    if max(rates.values()) < 20:
        return Check("arithmetic", "warn", text, "slow: other work may hold the cores"), rates, dtype
    return Check("arithmetic", "ok", text), rates, dtype


def gpu(with_torch: bool) -> Check:
    if not with_torch:
        return Check("GPU", "warn", "unknown without torch")
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count())]
        return Check("GPU", "ok", ", ".join(names))
    if shutil.which("nvidia-smi"):
        return Check(
            "GPU",
            "warn",
            "torch sees none",
            "this torch was built for the CPU: install a CUDA build of torch",
        )
    return Check("GPU", "ok", "none; everything runs on the processor")


def memory(total: int, available: int) -> Check:
    text = f"{available / GIB:.1f} GiB free of {total / GIB:.1f} GiB"
    if available >= NEEDED_MEMORY:
        return Check("memory", "ok", text, needed=True)
    advice = f"quickstart wants {NEEDED_MEMORY // GIB} GiB: close other programs, or lower dataset.length"
    return Check("memory", "missing" if total < LEAST_MEMORY else "warn", text, advice, needed=True)


def disk(name: str, folder: Path, wanted: int, least: int) -> Check:
    """Room for the run's files, and permission to write them."""
    free = machine.free_disk(folder)
    if not machine.writable(folder):
        return Check(
            name, "missing", f"{folder} is not writable", "work in a folder that is yours", needed=True
        )
    if free is None:
        return Check(name, "warn", f"{folder}: the file system does not tell", needed=True)
    text = f"{free / GIB:.1f} GiB free in {folder}"
    if free >= wanted:
        return Check(name, "ok", text, needed=True)
    advice = f"{wanted / GIB:.0f} GiB are wanted: free some space or choose another folder"
    return Check(name, "missing" if free < least else "warn", text, advice, needed=True)


def package(name: str) -> Check:
    """Installed, recent enough for codekiln's own requirement, and importable."""
    module, extra = PACKAGES[name]
    target = f"codekiln[{extra}]" if extra else "codekiln"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(name, "missing", "not installed", f"pip install '{target}'", needed=True)
    fault = _import_fault(module)
    if fault:
        advice = f"reinstall it: pip install --force-reinstall '{name}=={version}'"
        return Check(name, "missing", f"{version}, but it does not load: {fault}", advice, needed=True)
    wanted = _requirement(name)
    if wanted is not None and not wanted.contains(version, prereleases=True):
        return Check(name, "warn", f"{version}; wanted {wanted}", f"pip install -U '{target}'", needed=True)
    return Check(name, "ok", version, needed=True)


def _requirement(name: str) -> Any:
    from packaging.requirements import Requirement

    for line in metadata.requires("codekiln") or []:
        requirement = Requirement(line)
        if requirement.name == name:
            return requirement.specifier
    return None


def _import_fault(module: str) -> str:
    """Why a module does not load, or nothing. A native library may end the process, so llama.cpp gets its own."""
    if module == "xllamacpp":
        done = _command([sys.executable, "-c", f"import {module}"], seconds=60)
        if done is None or done.returncode:
            lines = (done.stderr if done else "no answer within a minute").strip().splitlines()
            return one_line(lines[-1] if lines else f"it died with signal {-done.returncode}" if done else "")
        return ""
    try:
        importlib.import_module(module)
    except Exception as error:
        return one_line(f"{type(error).__name__}: {error}")[:160]
    return ""


def weights() -> Check:
    """Whether the quickstart's model is on this machine, and which others are."""
    from codekiln.downloads import cachefolder
    from codekiln.modeling import cache
    from codekiln.modeling.catalogue import CATALOGUE
    from codekiln.recipe import load_recipe

    wanted = load_recipe("quickstart").model.name
    found, damaged = [], []
    for name, entry in CATALOGUE.items():
        try:
            if cache.read_record(cache.model_folder(name)) is not None or _in_hub_cache(entry):
                found.append(name)
        except CodekilnError as error:
            damaged.append(str(error))
    if damaged:
        return Check("weights", "missing", damaged[0], f"codekiln models fetch {wanted} --force", needed=True)
    if wanted in found:
        return Check("weights", "ok", ", ".join(found), needed=True)
    shown = f"{wanted} is not on this machine" + (f" (here: {', '.join(found)})" if found else "")
    variable = cachefolder.offline()
    if variable:
        advice = f"{variable} forbids fetching it: unset it, or put a checkpoint's path into model.name"
        return Check("weights", "missing", shown, advice, needed=True)
    return Check(
        "weights", "warn", shown, f"the first run fetches it; now: codekiln models fetch {wanted}", True
    )


def _in_hub_cache(entry: Entry) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return all(
        isinstance(try_to_load_from_cache(entry.hub_id, name, revision=entry.revision), str)
        for name in ("config.json", "model.safetensors")
    ) or isinstance(
        try_to_load_from_cache(entry.hub_id, "model.safetensors.index.json", revision=entry.revision), str
    )


def cache_folder() -> Check:
    from codekiln.downloads.cachefolder import cache_root

    return disk("cache", cache_root(), NEEDED_DISK // 3, LEAST_DISK // 2)


def git() -> Check:
    done = _command(["git", "--version"])
    if done is None or done.returncode:
        return Check("git", "missing", "not found", "needed to read git repositories as sources: install git")
    return Check("git", "ok", done.stdout.strip().removeprefix("git version "))


def network() -> Check:
    """Variables that decide whether and from where weights and packages are fetched."""
    found = []
    for name in NETWORK_VARIABLES:
        value = os.environ.get(name) or os.environ.get(name.lower())
        if value:
            found.append(f"{name}={_masked(value)}")
    return Check("network", "ok", ", ".join(found) or "no proxy, index or offline variable is set")


def _masked(value: str) -> str:
    """An address without the password that it may carry."""
    return re.sub(r"//[^/@\s]*@", "//***@", value)


def _command(words: list[str], seconds: float = 10) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=seconds, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
