"""From a plain Python function to its expression, once, with every mistake named by its line."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any, Literal

from spec.errors import SpecError
from spec.expr.nodes import Expr, as_expr

__all__ = ["trace"]

PACKAGE = str(Path(__file__).resolve().parents[1])


def trace(
    function: Callable[..., Any],
    variables: Mapping[str, Expr],
    *,
    returns: Literal["number", "truth"] | None = None,
) -> Expr:
    """The expression that `function` writes down when called with `variables`, in their order.

    Parameters
    ----------
    returns
        What it must return; by default a number where one of the variables is ``s`` (a score
        modifier), else a truth value (a mask).

    Raises
    ------
    SpecError
        Anything in `function` that cannot be an expression. The text begins with the file and line
        of `function` where it happened, and ends with what to write instead.
    """
    given = tuple(variables)
    kind = returns or ("number" if "s" in variables else "truth")
    _check_parameters(function, given)
    try:
        made = as_expr(_called(function, variables))
    except SpecError as error:
        raise SpecError(f"{_place(function, error.__traceback__)}: {error}") from error
    except Exception as error:
        if _ours(function, error.__traceback__):
            raise
        text = f"{type(error).__name__}: {error}"
        if isinstance(error, TypeError) and "ufunc" in str(error):
            text += "; use tabulate(function, x, out_frac=...) for a function of one number"
        raise SpecError(f"{_place(function, error.__traceback__)}: {text}") from error
    if made.is_bool and kind == "number":
        raise SpecError(
            f"{_place(function, None)}: a score modifier must return a number, got a truth value; "
            "use select(condition, a, b)"
        )
    if not made.is_bool and kind == "truth":
        raise SpecError(
            f"{_place(function, None)}: a mask must return a truth value, got a number; compare "
            "it, such as (x != 0)"
        )
    return made


def _called(function: Callable[..., Any], variables: Mapping[str, Expr]) -> Any:
    result = function(*variables.values())
    if result is None:
        raise SpecError("the function returns None; return an expression")
    return result


def _check_parameters(function: Callable[..., Any], given: tuple[str, ...]) -> None:
    if not callable(function):
        raise SpecError(
            f"a function of ({', '.join(given)}) is needed, got {function!r}; use "
            f"lambda {', '.join(given)}: ..."
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*given)
    except TypeError:
        raise SpecError(
            f"{_place(function, None)}: a function of {len(given)} parameters "
            f"({', '.join(given)}) is needed, got one of {signature}; use "
            f"lambda {', '.join(given)}: ..."
        ) from None


def _code(function: Any) -> CodeType | None:
    """The code of `function`, below any partial application, method or callable object."""
    while inner := getattr(function, "func", None) or getattr(function, "__func__", None):
        function = inner
    if not hasattr(function, "__code__"):
        function = vars(type(function)).get("__call__")
    return getattr(function, "__code__", None)


def _frames(traceback: TracebackType | None) -> list[tuple[str, int]]:
    """(file, line) of every frame of `traceback`, the outermost first."""
    found = []
    while traceback:
        found.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    return found


def _ours(function: Callable[..., Any], traceback: TracebackType | None) -> bool:
    """Whether the error came about in this package, after the last line of its user."""
    code = _code(function)
    user = code.co_filename if code else ""
    files = [file for file, _ in _frames(traceback)[2:]]
    known = [file for file in files if file == user or file.startswith(PACKAGE)]
    return bool(known) and known[-1].startswith(PACKAGE)


def _place(function: Callable[..., Any], traceback: TracebackType | None) -> str:
    """File and line in `function`'s file, the innermost; or where `function` begins."""
    code = _code(function)
    if code is None:
        return repr(function)
    lines = [line for file, line in _frames(traceback) if file == code.co_filename]
    return f"{code.co_filename}:{lines[-1] if lines else code.co_firstlineno}"
