"""How much the before/after proof measures, and with what context."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ProofConfig(BaseModel):
    """Sizes of the proof. The defaults fit a 0.5B model on two cores into about 100 seconds per model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    line_probes: int = Field(40, ge=0, description="single-line infilling probes, spread over the files")
    block_probes: int = Field(16, ge=0, description="block infilling probes, spread over the files")
    text_tokens: int = Field(8000, ge=0, description="at most this many held-out tokens for bits per byte")
    text_window: int = Field(1024, ge=2, description="longest window of text scored at once, in tokens")
    prefix_tokens: int = Field(128, ge=1, description="longest prefix shown to a probe, in tokens")
    suffix_tokens: int = Field(48, ge=0, description="longest suffix shown to a probe, in tokens")
    line_new_tokens: int = Field(32, ge=1, description="most tokens generated for a single-line probe")
    block_new_tokens: int = Field(80, ge=1, description="most tokens generated for a block probe")
    batch_size: int = Field(20, ge=1, description="probes or windows per forward pass")
    resamples: int = Field(10000, ge=1, description="bootstrap resamples of the held-out files")
    samples: int = Field(10, ge=0, description="side-by-side samples kept for the report")
