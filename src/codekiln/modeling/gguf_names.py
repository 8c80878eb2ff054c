"""How the tensors of a Qwen2 model are called in GGUF files and in Hugging Face checkpoints."""

from __future__ import annotations

_TOP = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}

_LAYER = {
    "input_layernorm.weight": "attn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.q_proj.bias": "attn_q.bias",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.k_proj.bias": "attn_k.bias",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.v_proj.bias": "attn_v.bias",
    "self_attn.o_proj.weight": "attn_output.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}

_LAYER_PREFIX = "model.layers."


def gguf_name(name: str) -> str:
    """The GGUF name of a Hugging Face parameter; raises KeyError for a name that Qwen2 does not have."""
    if name in _TOP:
        return _TOP[name]
    if not name.startswith(_LAYER_PREFIX):
        raise KeyError(name)
    number, rest = name.removeprefix(_LAYER_PREFIX).split(".", 1)
    return f"blk.{int(number)}.{_LAYER[rest]}"
