"""Numbers as people read them: three significant digits, units, true minus signs."""

from __future__ import annotations

MINUS = "\u2212"
NONE = "\u2013"
#: Between a number and its unit, so that no line breaks there.
SPACE = "\u00a0"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def fixed(value: float, decimals: int, *, signed: bool = False) -> str:
    """A number with so many decimals, thousands separated; never a minus before zero."""
    text = f"{abs(value):,.{decimals}f}"
    if not any(digit in text for digit in "123456789"):
        return text
    return (MINUS if value < 0 else "+" if signed else "") + text


def significant(value: float | None, *, trim: bool = False) -> str:
    """Three significant digits; whole numbers in full; powers of ten below a thousandth.

    `trim` leaves out zeros at the end, for numbers that are exact, such as limits.
    """
    if value is None:
        return NONE
    if value == 0:
        return "0"
    if float(value).is_integer() and abs(value) < 1e15:
        return fixed(value, 0)
    mantissa, exponent = f"{value:.2e}".split("e")
    magnitude = int(exponent)
    if -3 <= magnitude < 15:
        return _trimmed(fixed(float(f"{mantissa}e{exponent}"), max(0, 2 - magnitude)), trim)
    power = str(magnitude).translate(_SUPERSCRIPT)
    return f"{_trimmed(fixed(float(mantissa), 2), trim)}{SPACE}×{SPACE}10{power}"


def _trimmed(text: str, trim: bool) -> str:
    return text.rstrip("0").rstrip(".") if trim and "." in text else text


def count(value: float | None) -> str:
    """A count in full, thousands separated: `21,345`."""
    return NONE if value is None else significant(value) if value % 1 else fixed(value, 0)


def size(value: float | None) -> str:
    """Bytes in decimal units: `950 B`, `1.23 MB`."""
    if value is None:
        return NONE
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(amount) < 999.5:
            return f"{significant(amount)}{SPACE}{unit}"
        amount /= 1000
    return f"{significant(amount)}{SPACE}TB"


def percent(fraction: float | None, *, signed: bool = False) -> str:
    """A fraction as a percentage with one decimal: `4.2 %`."""
    return NONE if fraction is None else f"{fixed(100 * fraction, 1, signed=signed)}{SPACE}%"


def duration(seconds: float | None) -> str:
    """Seconds as `3.2 s`, `42 s`, `3 min 05 s` or `2 h 07 min`."""
    if seconds is None:
        return NONE
    if seconds < 9.95:
        return f"{fixed(seconds, 1)}{SPACE}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{SPACE}s"
    if whole < 3600:
        return f"{whole // 60}{SPACE}min {whole % 60:02d}{SPACE}s"
    return f"{whole // 3600}{SPACE}h {whole % 3600 // 60:02d}{SPACE}min"


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def words(key: str) -> str:
    """A key as words: `heldout_files` reads `held-out files`."""
    known = {"heldout": "held-out", "fim": "FIM"}
    return " ".join(known.get(part, part) for part in key.replace("_", " ").split(" "))


def title(key: str) -> str:
    """A key as words, the first letter large."""
    shown = words(key)
    return shown[:1].upper() + shown[1:]
