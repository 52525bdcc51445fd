"""`hookimpl`, all that a plugin needs of handlerkit; pluggy is not imported for it.

A plugin is imported by every CGI process, pluggy would double the price of that.
So the marker writes the attribute that pluggy reads: ``handlerkit_impl``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if not TYPE_CHECKING:

    def overload(function: object) -> object:
        """Stand for typing.overload, which only type checkers need."""
        return function


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, overload  # noqa: TC004 - see above

    Function = TypeVar("Function", bound=Callable[..., Any])


PROJECT = "handlerkit"


@overload
def hookimpl(function: Function, /) -> Function: ...
@overload
def hookimpl(
    *,
    wrapper: bool = ...,
    tryfirst: bool = ...,
    trylast: bool = ...,
    optionalhook: bool = ...,
    specname: str | None = ...,
) -> Callable[[Function], Function]: ...
def hookimpl(
    function: Callable[..., Any] | None = None,
    /,
    *,
    wrapper: bool = False,
    tryfirst: bool = False,
    trylast: bool = False,
    optionalhook: bool = False,
    specname: str | None = None,
) -> Callable[..., Any]:
    """Mark a function or method as the implementation of the hook of its name.

    Use it bare, ``@hookimpl``, or with options, which mean what they do in pluggy:

    Args:
        function: what is marked; takes any of the hook's arguments, by name.
        wrapper: a generator that yields once, around the other implementations;
            not on hooks that observe.
        tryfirst: run before those that do not ask for it.
        trylast: run after those that do not ask for it.
        optionalhook: no error where this version has no hook of that name.
        specname: the hook's name, where the function's is another.
    """
    options = {
        "wrapper": wrapper,
        "hookwrapper": False,
        "optionalhook": optionalhook,
        "tryfirst": tryfirst,
        "trylast": trylast,
        "specname": specname,
    }

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        setattr(function, f"{PROJECT}_impl", options)
        return function

    return mark if function is None else mark(function)
