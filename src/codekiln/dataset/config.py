"""Settings of the dataset stage."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from codekiln.fim import SPAN_KINDS

#: Most of what an editor asks for is the rest of a line, a line or a syntax node; some character spans keep the
#: model able to start and end inside a token (arXiv 2207.14255; syntax nodes: arXiv 2506.00204).
DEFAULT_SPANS = {"characters": 0.10, "line": 0.25, "lines": 0.15, "line_end": 0.25, "node": 0.25}


def repository_tokens(tokens: int, share: float) -> int:
    """The part of a token budget that goes to repository-level rows; builder and trainer have to agree on it."""
    return math.ceil(tokens * share)


class DatasetConfig(BaseModel):
    """How clean files become training rows.

    Lengths are in tokens a row. Rates and shares are fractions between 0 and 1. `repository_share` is the part
    of the token budget that goes to repository-level rows, which come last (report section 3.1). `spans` gives
    the relative weight of each kind of FIM middle; `empty_middle` is the share of FIM samples in which nothing
    is missing. `order` arranges the other files of a repository: "dependency" puts what a file imports before it, "path"
    goes by nearness to the target alone. With `loss="middle"` the prefix and suffix of FIM samples and the other files of a repository
    are read but not learnt.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    length: int = Field(1024, ge=64, le=1_048_576)
    repository_length: int = Field(2048, ge=128, le=1_048_576)
    repository_share: float = Field(0.25, ge=0, le=1)
    fim_rate: float = Field(0.5, ge=0, le=1)
    repository_fim_rate: float = Field(0.5, ge=0, le=1)
    empty_middle: float = Field(0.03, ge=0, le=1)
    order: Literal["dependency", "path"] = "dependency"
    loss: Literal["all", "middle"] = "all"
    spans: dict[str, float] = Field(default_factory=lambda: dict(DEFAULT_SPANS))

    @field_validator("spans")
    @classmethod
    def _check_spans(cls, spans: dict[str, float]) -> dict[str, float]:
        for kind, weight in spans.items():
            if kind not in SPAN_KINDS:
                raise ValueError(f"unknown span kind {kind!r}; choose from {', '.join(SPAN_KINDS)}")
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f"the weight of {kind!r} is {weight}; give a number of 0 or more")
        if not any(spans.values()):
            raise ValueError("every span weight is 0; give at least one kind a positive weight")
        return spans
