"""The before/after proof: `run_proof` measures one model, the other three set two measurements side by side."""

from codekiln.evaluation.comparison import compare, samples
from codekiln.evaluation.config import ProofConfig
from codekiln.evaluation.measurement import run_proof
from codekiln.evaluation.verdict import verdict

__all__ = ["ProofConfig", "compare", "run_proof", "samples", "verdict"]
