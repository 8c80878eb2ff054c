"""Paths against patterns of strangers, without backtracking: time grows with pattern times path and no faster."""

from __future__ import annotations

from functools import lru_cache

#: A pattern longer than this, or with more stars, matches nothing.
MAX_PATTERN = 1_000
MAX_STARS = 20

_STAR, _DEEP, _ONE = object(), object(), object()


@lru_cache(maxsize=1024)
def _steps(pattern: str, flat: bool) -> tuple[object, ...]:
    steps: list[object] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            deep = flat or pattern.startswith("**", at)
            at += 2 if pattern.startswith("**", at) else 1
            if not (steps and steps[-1] is _DEEP):
                steps.append(_DEEP if deep else _STAR)
            continue
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            char = pattern[at]
            steps.append(char)
        else:
            steps.append(_ONE if char == "?" and flat else char)
        at += 1
    return tuple(steps)


def matches(pattern: str, path: str, *, flat: bool = False) -> bool:
    r"""Whether a whole path fits a pattern of `*` (within one folder), `**` (any depth) and `\` before a sign.

    With `flat` (as in `.reuse/dep5`) `*` crosses folders too and `?` is any one character.
    """
    if len(pattern) > MAX_PATTERN or pattern.count("*") > 2 * MAX_STARS:
        return False
    steps = _steps(pattern, flat)
    prefix = next((n for n, step in enumerate(steps) if not isinstance(step, str)), len(steps))
    if not path.startswith("".join(str(step) for step in steps[:prefix])):
        return False
    states = _closed({prefix}, steps)
    for char in path[prefix:]:
        states = _closed({new for state in states if (new := _step(steps, state, char)) >= 0}, steps)
        if not states:
            return False
    return len(steps) in states


def _step(steps: tuple[object, ...], state: int, char: str) -> int:
    if state == len(steps):
        return -1
    step = steps[state]
    if step is _DEEP or (step is _STAR and char != "/"):
        return state
    return state + 1 if step is _ONE or step == char else -1


def _closed(states: set[int], steps: tuple[object, ...]) -> set[int]:
    """With the states that a star can reach by matching nothing more."""
    for state in sorted(states):
        while state < len(steps) and steps[state] in (_STAR, _DEEP):
            state += 1
            states.add(state)
    return states
