"""The conversion of the arguments of Redis' commands, prepared once for each command and number of arguments.

fakeredis does the same work for each command that it executes, of which a run has some five hundred.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from fakeredis import _msgs
from fakeredis._commands import Key
from fakeredis._core import CommandItem
from fakeredis._helpers import SimpleError

Found = tuple[Any] | tuple[list[Any], list[CommandItem]]


def apply(signature: Any, given: Sequence[Any], database: Any, version: Any) -> Found:
    """Return what `Signature.apply` returns: converted arguments and the keys among them, or the response for a missing key."""
    conversions, keys = _plan(signature, len(given), version)
    arguments = list(given)
    for index, kind in conversions:
        if type(kind) is Key:
            if arguments[index] not in database:
                return (kind.missing_return,)
        else:
            arguments[index] = kind.decode(arguments[index])
    items = []
    for index, kind, default in keys:
        name = arguments[index]
        item = database.get(name)
        if kind is not None and item is not None and type(item.value) is not kind:
            raise SimpleError(_msgs.WRONGTYPE_MSG)
        arguments[index] = CommandItem(name, database, item, default() if item is None and default else None)
        items.append(arguments[index])
    return arguments, items


@lru_cache(1024)
def _plan(signature: Any, count: int, version: Any) -> tuple[list[Any], list[Any]]:
    """Return what is to convert, and the keys with their type and what makes their default. Raises SimpleError."""
    signature.check_arity([b""] * count, version)
    more = range(count - len(signature.fixed))
    kinds = [*signature.fixed, *(signature.repeat[index % len(signature.repeat)] for index in more)]
    conversions, keys = [], []
    for index, kind in enumerate(kinds):
        if isinstance(kind, Key):
            creates = _msgs.FLAG_DO_NOT_CREATE not in signature.flags and kind.type_ not in (None, bytes)
            keys.append((index, kind.type_, kind.type_ if creates else None))
        if kind is not bytes and not (isinstance(kind, Key) and kind.missing_return is Key.UNSPECIFIED):
            conversions.append((index, kind))
    return conversions, keys
