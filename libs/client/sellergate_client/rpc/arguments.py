"""Arguments of public methods, checked before anything is sent."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import Any, TypeVar, cast, get_args, get_type_hints

from sellergate_common.errors import InvalidRequest

from sellergate_client.rpc.kinds import EmptyableText, check_kind
from sellergate_client.rpc.options import REFUSED_BY_FIELD, check_names

_Class = TypeVar("_Class")
_Function = TypeVar("_Function", bound=Callable[..., Any])


def checked(cls: type[_Class]) -> type[_Class]:
    """Check the arguments of every public method of a class; see `check_arguments`."""
    for name, found in list(vars(cls).items()):
        if name.startswith("_"):
            continue
        if isinstance(found, staticmethod | classmethod):
            setattr(cls, name, type(found)(check_arguments(found.__func__)))
        elif inspect.isfunction(found):
            setattr(cls, name, check_arguments(found))
    return cls


def check_arguments(function: _Function) -> _Function:
    """Check the arguments of every call of `function` by its annotations, before it begins.

    A call raises TypeError for a name that does not exist and for a wrong type, InvalidRequest for an empty text where one is
    required; both name the argument. What a function takes as `**options` is checked by the annotations of its TypedDict.
    """
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def call_async(*given: Any, **named: Any) -> Any:
            _check(function, given, named)
            begun = function(*given, **named)
            # This frame lasts as long as the call, and would keep a body that the call drops.
            named.clear()
            del given
            return await begun

        return cast("_Function", call_async)

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        _check(function, given, named)
        return function(*given, **named)

    return cast("_Function", call)


def _check(function: Callable[..., Any], given: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    positions, kinds, required, names = _parameters(function)
    check_names(function.__name__, named, names)
    for name, value in (*zip(positions, given, strict=False), *named.items()):
        if name in kinds:
            check_kind(name, kinds[name], value)
            if value == "" and name in required:
                raise InvalidRequest.of_field(name, "must not be empty")


@cache
def _parameters(
    function: Callable[..., Any],
) -> tuple[tuple[str, ...], Mapping[str, Any], frozenset[str], frozenset[str]]:
    """Return the names of a function's positional parameters, the types of all, which are required, and the names it takes."""
    hints = get_type_hints(function, include_extras=True)
    positions, kinds, required, names = list[str](), dict[str, Any](), set[str](), set[str]()
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            options = get_type_hints(get_args(hints[name])[0], include_extras=True)
            names |= options.keys()
            kinds |= {option: kind for option, kind in options.items() if option not in REFUSED_BY_FIELD}
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            positions.append(name)
        if name not in ("self", "cls"):
            names.add(name)
            kinds[name] = hints[name]
            if parameter.default is parameter.empty and hints[name] is not EmptyableText:
                required.add(name)
    return tuple(positions), kinds, frozenset(required), frozenset(names)
