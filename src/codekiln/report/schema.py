"""The report of one run as data: what `report.json` holds and what the page and the summary are drawn from.

`load` turns a plain dictionary into a `Report`. Parts that a run does not have may be left out. Every number
that is not finite is replaced by null, and its place is listed in `not_finite`, so that nothing is hidden and
the file stays valid JSON.
"""

from __future__ import annotations

import math
import numbers
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from codekiln.errors import RunError, one_line

Number = int | float
Word = Literal["better", "worse", "no clear change"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Software(_Part):
    """The codekiln that made the run; `commit` is None outside a checkout."""

    version: str
    commit: str | None = None


class Verdict(_Part):
    """One word and one sentence on what the training did to the model."""

    word: Word
    sentence: str


class Estimate(_Part):
    """A value with its interval (95 %); None where it was not measured."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Metrics(_Part):
    """Metric name to estimate, before and after training; difference = after - before.

    `bits_per_byte` and `fim_bits_per_byte` are in bits (lower is better); the others are fractions from 0 to 1
    (higher is better). Names: see `codekiln.report.metrics.METRICS`.
    """

    before: dict[str, Estimate] = {}
    after: dict[str, Estimate] = {}
    difference: dict[str, Estimate] = {}


class Change(_Part):
    """One figure of a group of held-out places, before and after training; difference = after - before."""

    before: Estimate = Estimate()
    after: Estimate = Estimate()
    difference: Estimate = Estimate()


class ModelInfo(_Part):
    """The model that was adapted.

    `parameters` is a count, `sha256` that of the weights; `origin` is the GGUF file that they were dequantized from.
    """

    name: str
    hub_id: str | None = None
    revision: str | None = None
    source: str | None = None
    origin: str | None = None
    sha256: str | None = None
    license: str | None = None
    parameters: int | None = None


class FunnelStep(_Part):
    """What one step left standing. `stage` is sources, corpus, split, dataset or training; sizes in bytes."""

    stage: str
    label: str
    files: int | None = None
    bytes: int | None = None
    tokens: int | None = None
    detail: str = ""


class Drop(_Part):
    """Files dropped for one reason, with some of their paths."""

    reason: str
    files: int
    bytes: int | None = None
    examples: list[str] = []


class Language(_Part):
    """One language of the corpus; `train` and `heldout` count files."""

    language: str
    files: int
    bytes: int | None = None
    train: int | None = None
    heldout: int | None = None


class CurvePoint(_Part):
    """One optimizer step. `tokens` is the running total, `losses` the loss by kind of token (nats per token).

    `targets` and `counts` are the numbers of tokens behind `loss` and `losses`.
    """

    step: int
    tokens: int | None = None
    targets: int | None = None
    loss: float | None = None
    learning_rate: float | None = None
    gradient_norm: float | None = None
    losses: dict[str, float | None] = {}
    counts: dict[str, int] = {}


class Training(_Part):
    """How the model was trained. `share_of_peak` is a fraction of the measured matrix-product peak."""

    method: str
    tokens: int | None = None
    steps: int | None = None
    dtype: str | None = None
    threads: int | None = None
    tokens_per_second: float | None = None
    share_of_peak: float | None = None
    curve: list[CurvePoint] = []


class Completion(_Part):
    """What the model wrote: as generated, and cut by the truncation rule.

    `stopped` says whether it ended by itself; `exact` whether the truncated text is the reference.
    """

    completion: str
    truncated: str | None = None
    stopped: bool | None = None
    exact: bool | None = None


class Sample(_Part):
    """One held-out place, with the reference text and both answers. `kind` is line or block."""

    id: str
    kind: str
    repo: str | None = None
    path: str
    language: str | None = None
    prefix: str
    suffix: str
    reference: str
    before: Completion | None = None
    after: Completion | None = None


class ExportFile(_Part):
    """One exported file or folder; `path` is relative to the run folder."""

    path: str
    bytes: int | None = None
    sha256: str | None = None
    what: str = ""


class Check(_Part):
    """A comparison of the model on both sides of a conversion; `ok` when `value` keeps within `limit`."""

    arrow: str
    measure: str
    value: float | None = None
    limit: float | None = None
    ok: bool
    detail: str = ""


class Export(_Part):
    files: list[ExportFile] = []
    checks: list[Check] = []


class Source(_Part):
    repo: str
    revision: str | None = None
    files: int | None = None


class License(_Part):
    """Files under one licence, and how the licence was found."""

    license: str
    type: str | None = None
    files: int | None = None
    bytes: int | None = None
    evidence: str | None = None


class TrainingFile(_Part):
    repo: str
    path: str
    revision: str | None = None
    license: str | None = None


class Provenance(_Part):
    """Where the training files came from."""

    sources: list[Source] = []
    licenses: list[License] = []
    files: list[TrainingFile] = []


class Stage(_Part):
    """One stage of the pipeline; `cached` when its stored output was used again."""

    stage: str
    key: str | None = None
    seconds: float | None = None
    cached: bool = False
    output_hash: str | None = None


class Report(_Part):
    """Everything that the page shows.

    `counts` says what was measured; `text_files` and `probe_files` are the numbers of held-out files behind the
    bits of text and behind the other metrics. `by_kind` ("line", "block") and `by_language` hold counts and
    changes of metrics: {group: {name: number or {before, after, difference}}}. `dataset` is free-form: numbers, and dictionaries of numbers such as
    `documents_by_form` and `spans`. `config` is the recipe as run.
    """

    codekiln: Software
    name: str
    verdict: Verdict | None = None
    metrics: Metrics = Metrics()
    counts: dict[str, Number] = {}
    by_kind: dict[str, dict[str, Change | Number | None]] = {}
    by_language: dict[str, dict[str, Change | Number | None]] = {}
    model: ModelInfo | None = None
    funnel: list[FunnelStep] = []
    drops: list[Drop] = []
    languages: list[Language] = []
    dataset: dict[str, Any] = {}
    training: Training | None = None
    samples: list[Sample] = []
    export: Export = Export()
    provenance: Provenance = Provenance()
    stages: list[Stage] = []
    config: dict[str, Any] = {}
    environment: dict[str, str | bool | int | float | None] = {}
    not_finite: list[str] = []


def plain(value: Any, place: str = "", not_finite: list[str] | None = None) -> Any:
    """A value as plain JSON: paths and numpy numbers converted, lone surrogates spelled out as `\\udcXX`.

    A number that is not finite becomes None and its place is appended to `not_finite`.

    Raises:
        TypeError: a value has no place in JSON.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str | Path):
        return str(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {
            plain(str(key)): plain(item, f"{place}.{key}" if place else str(key), not_finite)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(item, f"{place}[{index}]", not_finite) for index, item in enumerate(value)]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
        if isinstance(value, bool):
            return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        if math.isfinite(value):
            return float(value)
        if not_finite is not None:
            not_finite.append(plain(place))
        return None
    raise TypeError(f"report: {place} is a {type(value).__name__}, which JSON cannot hold")


def load(report: dict[str, Any]) -> Report:
    """Check a report and make it plain.

    Raises:
        RunError: a key is missing, unknown or of the wrong type.
    """
    not_finite: list[str] = []
    data = plain(report, "", not_finite)
    if not_finite:
        data["not_finite"] = [*data.get("not_finite", []), *not_finite]
    try:
        return Report.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RunError(f"the report cannot be written: {place}: {one_line(first['msg'])}") from None
