"""The verdict in one word and one sentence; the same words serve either direction."""

from __future__ import annotations

from typing import Any

#: Below this many files a bootstrap over files is too narrow to be taken literally.
_FEW_FILES = 10

_JUDGED = (
    ("bits_per_byte", "held-out text", "text_files"),
    ("fim_bits_per_byte", "missing middles", "probe_files"),
)


def verdict(compared: dict[str, Any]) -> dict[str, str]:
    """Judge a result of `compare` on bits per byte of held-out text and of FIM middles.

    A figure speaks when its interval of the difference excludes zero and at least two files stand behind it.
    "better": at least one speaks for the new model and none against; "worse": the reverse; otherwise, also when
    they contradict each other, "no clear change". The sentence adds what single-line exact match does.
    """
    words: list[str] = []
    phrases: list[str] = []
    for name, label, files in _JUDGED:
        change = compared["difference"][name]
        if change["value"] is None:
            continue
        words.append(
            _word(change, lower_is_better=True) if compared["counts"][files] > 1 else "no clear change"
        )
        phrases.append(f"{label} {words[-1]}, {_bits(compared, name)}")
    if not words:
        return {
            "word": "no clear change",
            "sentence": "No held-out text was measured, so nothing can be said.",
        }
    better, worse = "better" in words, "worse" in words
    word = "no clear change" if better == worse else "better" if better else "worse"
    opening = {
        "better": "The adapted model is better on the held-out files",
        "worse": "The adapted model is worse on the held-out files",
        "no clear change": "The adapted model shows no clear change on the held-out files",
    }[word]
    if better and worse:
        opening += ", for its figures contradict each other"
    sentence = f"{opening}: {'; '.join(phrases)}.{_exact_match(compared)}"
    smallest = min(
        compared["counts"][files]
        for name, _, files in _JUDGED
        if compared["difference"][name]["value"] is not None
    )
    if smallest < _FEW_FILES:
        sentence += f" {_rough(smallest)}"
    return {"word": word, "sentence": sentence}


def _rough(files: int) -> str:
    """What an interval over so few files is worth: a bootstrap excludes zero as soon as all files agree."""
    if files == 1:
        return "With only 1 held-out file these intervals say nothing about other files."
    text = f"With only {files} held-out files these intervals are rough"
    chances = 2 ** (files - 1)
    return f"{text}: by chance alone all of them would move the same way one time in {chances}."


def _word(change: dict[str, float], *, lower_is_better: bool) -> str:
    if change["low"] <= 0 <= change["high"]:
        return "no clear change"
    return "better" if (change["high"] < 0) == lower_is_better else "worse"


def _bits(compared: dict[str, Any], name: str) -> str:
    before, after = compared["before"][name]["value"], compared["after"][name]["value"]
    change = compared["difference"][name]
    return (
        f"{before:.3f} to {after:.3f} bits per byte "
        f"(difference {change['value']:+.3f}, 95 % interval {change['low']:+.3f} to {change['high']:+.3f})"
    )


def _exact_match(compared: dict[str, Any]) -> str:
    change = compared["difference"]["fim_line_exact_match_truncated"]
    if change["value"] is None:
        return ""
    probes = compared["counts"]["line_probes"]
    before, after = (
        round(compared[side]["fim_line_exact_match_truncated"]["value"] * probes)
        for side in ("before", "after")
    )
    word = (
        _word(change, lower_is_better=False) if compared["counts"]["probe_files"] > 1 else "no clear change"
    )
    low, high = 100 * change["low"], 100 * change["high"]
    return (
        f" Single-line exact match (truncated) is {before} before and {after} after, of {probes}: {word} "
        f"({100 * change['value']:+.0f} points, {low:+.0f} to {high:+.0f})."
    )
