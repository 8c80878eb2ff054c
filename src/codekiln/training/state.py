"""Training checkpoints: everything a run needs to go on exactly where it was.

A checkpoint is a folder `state-NNNNNN` (steps done) with the fp32 parameters and AdamW's moments in one safetensors
file and the rest in state.json. It is written aside and renamed; older ones go once the new one stands.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from codekiln.errors import RunError, one_line
from codekiln.shards.disk import disk_errors, read_json
from codekiln.training.trainable import Trainable

_MOMENTS = ("exp_avg", "exp_avg_sq")


def save_state(
    folder: Path, trainable: Trainable, optimizer: torch.optim.AdamW, state: dict[str, Any]
) -> None:
    """Write the checkpoint of `state["step"]` finished steps and drop older ones."""
    final = folder / f"state-{state['step']:06d}"
    work = folder / "state.tmp"
    tensors: dict[str, Tensor] = {}
    for name, parameter in trainable.parameters.items():
        tensors[f"parameter.{name}"] = parameter.detach().contiguous()
        for moment in _MOMENTS:
            if parameter in optimizer.state:
                tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment]
    shutil.rmtree(work, ignore_errors=True)
    with disk_errors(final):
        work.mkdir(parents=True)
        try:
            save_file(tensors, work / "tensors.safetensors")
        except SafetensorError as error:
            raise RunError(
                f"cannot write checkpoint {final}: {one_line(error)}; free space and run again"
            ) from None
        (work / "state.json").write_text(json.dumps(state, indent=2, sort_keys=True) + "\n")
        for path in work.iterdir():
            with open(path, "rb+") as stream:
                os.fsync(stream.fileno())
        if final.exists():
            shutil.rmtree(final)
        os.replace(work, final)
    for path in folder.glob("state-*"):
        if path != final:
            shutil.rmtree(path)


def load_state(folder: Path, trainable: Trainable, optimizer: torch.optim.AdamW) -> dict[str, Any] | None:
    """Load the newest checkpoint into model and optimizer; None when there is none.

    Raises:
        RunError: the checkpoint is broken or belongs to other parameters.
    """
    states = _states(folder)
    if not states:
        return None
    path = states[-1]
    state: dict[str, Any] = read_json(path / "state.json")
    try:
        tensors = load_file(path / "tensors.safetensors")
        with torch.no_grad():
            for name, parameter in trainable.parameters.items():
                parameter.copy_(tensors[f"parameter.{name}"])
                if f"exp_avg.{name}" in tensors:
                    optimizer.state[parameter] = {
                        "step": torch.tensor(float(state["step"])),
                        **{moment: tensors[f"{moment}.{name}"].clone() for moment in _MOMENTS},
                    }
    except (SafetensorError, KeyError, RuntimeError, OSError) as error:
        raise RunError(
            f"{path} cannot be resumed ({one_line(error)[:160]}); delete {folder} and run again"
        ) from None
    trainable.publish()
    return state


def drop_states(folder: Path) -> None:
    """Remove all checkpoints of a finished run, also what a kill left of one."""
    for path in [*folder.glob("state-*"), *folder.glob("state.tmp")]:
        shutil.rmtree(path)


def _states(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("state-[0-9]*") if (path / "state.json").is_file())
