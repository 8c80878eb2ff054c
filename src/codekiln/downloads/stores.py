"""Systems that fsspec has drivers for (s3://, gs://, az://, file:// …): how one is opened, and what went wrong there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from codekiln.errors import CodekilnError, RunError, UserError, one_line

_NOTHING = "no such file is there; check the address"


def system_of(url: str, said: str) -> tuple[Any, str]:
    """The driver's file system for an address, and the address's path in it.

    Args:
        said: what is at the address, and the address, for a message: `source s3://…`.

    Raises:
        UserError: fsspec or the driver is not installed, or the address is none.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise UserError(
            f"{said}: addresses other than http need fsspec: pip install 'codekiln[remote]'"
        ) from None
    try:
        system, path = url_to_fs(url)
    except ImportError as error:
        raise UserError(f"{said}: {_missing(_scheme(url), error)}") from None
    except ValueError as error:
        raise UserError(f"{said}: {one_line(error)[:120]}") from None
    return system, str(path)


@contextmanager
def faults(url: str, said: str, *, nothing: str = _NOTHING, verb: str = "read") -> Iterator[None]:
    """Whatever a driver raises as one line with the address.

    Args:
        said: as for `system_of`.
        nothing: what it means that nothing is there, and what to do.
        verb: what cannot be done where the reason is another.
    """
    try:
        yield
    except CodekilnError:
        raise
    except FileNotFoundError:
        raise UserError(f"{said}: {nothing}") from None
    except PermissionError as error:
        raise UserError(f"{said}: access is denied ({one_line(error)[:120]})") from None
    except ImportError as error:
        raise UserError(f"{said}: {_missing(_scheme(url), error)}") from None
    except Exception as error:  # each driver has its own errors, and those of its HTTP library
        if "credential" in type(error).__name__.lower():
            raise UserError(
                f"{said}: no login for {_scheme(url)}:// was found ({one_line(error)[:120]}); "
                "set it where its driver looks for it (environment variables, a profile)"
            ) from None
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403, 404):
            raise UserError(
                f"{said}: nothing is there, or it wants a login ({status}); check the address"
            ) from None
        reason = one_line(error)[:160] or type(error).__name__
        raise RunError(f"{said} cannot be {verb} ({reason})") from None


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _missing(scheme: str, error: ImportError) -> str:
    """What to install for a scheme."""
    from fsspec.registry import known_implementations

    package = str(known_implementations.get(scheme, {}).get("class", "")).partition(".")[0]
    if package and package != "fsspec":
        package = package.replace("_", "-")
        return f"{scheme}:// needs the package {package}, which is not here: pip install {package}"
    return f"{scheme}:// cannot be read here ({one_line(error)[:120]})"
