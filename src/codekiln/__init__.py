"""codekiln: code in, a better code model out, and the proof."""

__version__ = "0.1.0"
