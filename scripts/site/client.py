"""The reference of the client library, from the signatures and docstrings of its public names."""

import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import sellergate_client

HEAD = """# Client library

Everything that `sellergate_client` exports, generated from its docstrings. `sellergate_client.sync` has the same classes without
`await`. [errors.md](../errors.md) says what to do about each error.
"""
_LONGEST = 100


def page(_: Path) -> str:
    """Return the page."""
    names = sorted(sellergate_client.__all__)
    return HEAD + "".join("".join(_section(name, getattr(sellergate_client, name))) for name in names)


def _section(name: str, value: Any) -> Iterator[str]:
    yield f"\n## {name}\n\n"
    if not inspect.isclass(value):
        yield f"{_doc(value)}\n"
    elif issubclass(value, Enum):
        yield f"{_doc(value)}\n\n" + ", ".join(f"`{one.name}`" for one in value) + "\n"
    else:
        if not issubclass(value, BaseException):
            yield _code(_signature(name, value))
        yield f"{_doc(value)}\n"
        for member, attribute in vars(value).items():
            if not member.startswith("_"):
                yield from _member(name, member, attribute)


def _member(owner: str, name: str, attribute: Any) -> Iterator[str]:
    function = inspect.unwrap(getattr(attribute, "__func__", attribute))
    if isinstance(attribute, property):
        yield f"\n### {owner}.{name}\n\n{_doc(attribute)}\n"
    elif inspect.isfunction(function):
        kind = "async " if inspect.iscoroutinefunction(function) else ""
        yield f"\n### {owner}.{name}\n\n{_code(kind + _signature(name, function))}{_doc(function)}\n"


def _signature(name: str, value: Any) -> str:
    """Return a signature, with a parameter on each line if it is long."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return f"{name}(…)"
    given = [one for one in signature.parameters.values() if one.name not in ("self", "cls")]
    shown = signature.replace(parameters=given)
    if len(text := f"{name}{shown}") <= _LONGEST:
        return text
    lines = ",\n    ".join(str(one) for one in given)
    returned = shown.return_annotation
    end = "" if returned is shown.empty else f" -> {inspect.formatannotation(returned)}"
    return f"{name}(\n    {lines},\n){end}"


def _code(text: str) -> str:
    return f"```python\n{text}\n```\n\n"


def _doc(value: Any) -> str:
    return inspect.getdoc(value) or ""
