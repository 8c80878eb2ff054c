"""One engine of the training benchmark, in a process of its own: `training_engines.py JOB.json RESULT.json`.

Every engine trains the same rows with LoRA on the seven linear layers of a block, bf16, AdamW and a constant
learning rate; one row is one optimizer step and the first step is the warm-up. Each engine goes through the code
that its user goes through: codekiln's `train_step`, `transformers.Trainer.train`, TRL's `SFTTrainer.train`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from training_meter import Meter, compare_losses
from training_rows import TokenRow, starts_of

#: What each engine needs beside codekiln[train].
PACKAGES = {
    "codekiln": (),
    "hf_trainer": ("transformers", "accelerate", "peft"),
    "trl": ("transformers", "accelerate", "peft", "datasets", "trl"),
}

#: How each engine keeps the documents of a row apart.
ISOLATION = {
    "codekiln": "attention loops over the documents of a row; positions restart at each",
    "hf_trainer": (
        "DataCollatorWithFlattening gives restarting position_ids, from which transformers builds a 4-D block mask "
        "for SDPA"
    ),
    "trl": (
        "packing with TRL's padding-free collator gives restarting position_ids; TRL supports this with "
        "FlashAttention 2 or 3 only, and with SDPA on a CPU transformers builds a 4-D block mask from them"
    ),
}


class Job(TypedDict):
    """What a process is asked to do. The first row is the warm-up step; `check` compares losses afterwards."""

    engine: str
    checkpoint: str
    rows: list[TokenRow]
    rank: int
    alpha: float
    learning_rate: float
    threads: int
    check: bool


def _forget(model: Any) -> None:
    """Set LoRA's B back to zero, so that the model is again what the first step saw."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.zero_()


def run_codekiln(job: Job) -> dict[str, Any]:
    """codekiln's own step, as `codekiln train` runs it."""
    import torch

    from codekiln.formats import Kind
    from codekiln.machine import keep_freed_memory
    from codekiln.training.config import TrainingConfig
    from codekiln.training.engine import train_step
    from codekiln.training.loss import token_losses
    from codekiln.training.rows import Row, targets_of
    from codekiln.training.trainable import make_optimizer, make_trainable

    keep_freed_memory()
    config = TrainingConfig(rank=job["rank"], alpha=job["alpha"], learning_rate=job["learning_rate"])
    trainable = make_trainable(Path(job["checkpoint"]), config, dtype="bfloat16", seed=0)
    optimizer = make_optimizer(trainable, config)

    def row_of(ids: list[int], lengths: list[int], starts: list[int] | None = None) -> Row:
        mask = torch.ones(len(ids), dtype=torch.bool)
        for start in starts or []:
            mask[start] = False
        kinds = torch.full((len(ids),), int(Kind.PLAIN), dtype=torch.uint8)
        return Row(torch.tensor(ids), lengths, mask, kinds)

    meter = Meter()
    meter.start()
    for row in job["rows"]:
        rows = [row_of(row["input_ids"], row["lengths"])]
        metrics = train_step(trainable, optimizer, rows, job["learning_rate"], config)
        meter.losses.append(metrics["loss"])
        meter.step()
    result = meter.result()

    @torch.no_grad()
    def loss_of(ids: list[int], lengths: list[int], inner: list[int] | None) -> float:
        row = row_of(ids, lengths, starts_of(inner or lengths))
        before, targets = targets_of(row)
        hidden = trainable.model(row.input_ids, row.lengths)
        losses = token_losses(hidden[before], trainable.model.head_weight, row.input_ids[targets])
        return float(losses.double().mean())

    if job["check"]:
        _forget(trainable.model)
        result["isolation"] = compare_losses(job["rows"][0], result["losses"][0], loss_of)
    return result


def _labels(ids: list[int], lengths: list[int]) -> list[int]:
    """Labels whose first token of each document is no target."""
    labels = list(ids)
    for start in starts_of(lengths):
        labels[start] = -100
    return labels


def _arguments(job: Job, folder: str, batch: int) -> dict[str, Any]:
    """Training arguments of both peers: codekiln's optimizer settings, and nothing that costs time beside the step."""
    return {
        "output_dir": folder,
        "use_cpu": True,
        # The weights are bf16 already; autocast on top is a little faster for both peers and spares memory.
        "bf16": True,
        "gradient_checkpointing": False,
        "per_device_train_batch_size": batch,
        "max_steps": len(job["rows"]),
        "learning_rate": job["learning_rate"],
        "lr_scheduler_type": "constant",
        "adam_beta2": 0.95,
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
        "logging_strategy": "no",
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "seed": 0,
    }


def _peer_parts(job: Job) -> tuple[Any, Any]:
    """The bf16 model of transformers, with its default attention (SDPA), and PEFT's configuration."""
    import torch
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM

    from codekiln.modeling.lora import TARGETS

    model = AutoModelForCausalLM.from_pretrained(job["checkpoint"], dtype=torch.bfloat16)
    lora = LoraConfig(
        r=job["rank"],
        lora_alpha=int(job["alpha"]),
        lora_dropout=0.0,
        target_modules=list(TARGETS),
        task_type="CAUSAL_LM",
    )
    return model, lora


def _measured(trainer_class: Any, meter: Meter) -> Any:
    """A trainer class that keeps the rows in order and notes the loss of each step."""
    from torch.utils.data import SequentialSampler

    class Measured(trainer_class):
        def training_step(self, *arguments: Any, **named: Any) -> Any:
            loss = super().training_step(*arguments, **named)
            meter.losses.append(loss)
            return loss

        def _get_train_sampler(self, *arguments: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    return Measured


def _train(trainer: Any, meter: Meter, job: Job, feature: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Train under the meter; then the losses of the check, through the peer's own collator and loss."""
    import torch
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def on_train_begin(self, *arguments: Any, **named: Any) -> None:
            meter.start()

        def on_step_end(self, *arguments: Any, **named: Any) -> None:
            meter.step()

    trainer.add_callback(Clock())
    trainer.train()
    result = meter.result()

    @torch.no_grad()
    def loss_of(ids: list[int], lengths: list[int], inner: list[int] | None) -> float:
        batch = trainer._prepare_inputs(trainer.data_collator([feature(ids, inner or lengths)]))
        with trainer.compute_loss_context_manager():
            return float(trainer.compute_loss(trainer.model, batch))

    if job["check"]:
        _forget(trainer.model)
        result["isolation"] = compare_losses(job["rows"][0], result["losses"][0], loss_of)
    return result


def run_hf_trainer(job: Job) -> dict[str, Any]:
    """transformers.Trainer on a PEFT model; packed rows through its padding-free collator."""
    from peft import get_peft_model
    from transformers import DataCollatorWithFlattening, Trainer, TrainingArguments, default_data_collator

    model, lora = _peer_parts(job)
    meter, documents = Meter(), len(job["rows"][0]["lengths"])

    def feature(ids: list[int], lengths: list[int]) -> dict[str, Any]:
        return {"input_ids": ids, "labels": _labels(ids, lengths)}

    # The flattening collator makes one row of a batch of documents, so a batch is the documents of one row.
    dataset = [
        feature(row["input_ids"][start : start + size], [size])
        for row in job["rows"]
        for start, size in zip(starts_of(row["lengths"]), row["lengths"], strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        trainer = _measured(Trainer, meter)(
            model=get_peft_model(model, lora),
            args=TrainingArguments(**_arguments(job, folder, documents), remove_unused_columns=False),
            train_dataset=dataset,
            data_collator=DataCollatorWithFlattening() if documents > 1 else default_data_collator,
        )
        return _train(trainer, meter, job, feature)


def run_trl(job: Job) -> dict[str, Any]:
    """TRL's SFTTrainer with PEFT; packed rows in the form that its own packing gives them."""
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    model, lora = _peer_parts(job)
    meter, packed = Meter(), len(job["rows"][0]["lengths"]) > 1

    def feature(ids: list[int], lengths: list[int]) -> dict[str, Any]:
        made: dict[str, Any] = {"input_ids": ids, "labels": _labels(ids, lengths)}
        return {**made, "seq_lengths": [len(ids)]} if packed else made

    columns: dict[str, list[Any]] = {"input_ids": [row["input_ids"] for row in job["rows"]]}
    if packed:
        columns["seq_lengths"] = [row["lengths"] for row in job["rows"]]
    with tempfile.TemporaryDirectory() as folder:
        length = len(job["rows"][0]["input_ids"])
        trainer = _measured(SFTTrainer, meter)(
            model=model,
            args=SFTConfig(
                **_arguments(job, folder, 1),
                packing=packed,
                max_length=length,
                # The rows are packed already, so that all engines train the same ones.
                dataset_kwargs={"skip_prepare_dataset": True},
            ),
            train_dataset=Dataset.from_dict(columns),
            processing_class=AutoTokenizer.from_pretrained(job["checkpoint"]),
            peft_config=lora,
        )
        return _train(trainer, meter, job, feature)


def run_peak(job: Job) -> dict[str, Any]:
    """This machine's bf16 matrix-product rate of one thread, in GFLOP/s."""
    from codekiln.modeling.precision import measure_gemm

    return {"gflops": measure_gemm("bfloat16", seconds=3.0, threads=1)}


ENGINES: dict[str, Callable[[Job], dict[str, Any]]] = {
    "codekiln": run_codekiln,
    "hf_trainer": run_hf_trainer,
    "trl": run_trl,
    "peak": run_peak,
}


def main() -> None:
    job: Job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    import torch

    torch.set_num_threads(job["threads"])
    result = ENGINES[job["engine"]](job)
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
