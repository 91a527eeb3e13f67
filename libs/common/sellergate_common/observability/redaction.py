"""Redaction of logs: known shapes of secrets, and fields whose names suggest one.

The text may be a caller's, so each expression takes time in proportion to its length: after the start of a shape, it
either fails within a few characters or consumes all that it can. tests/unit/project/test_patterns.py measures that.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

HIDDEN = "[hidden]"
_SHORT = 64

# Access, refresh and restricted data tokens of LWA; LWA client secrets; AWS access keys; secrets and refresh tokens of
# drop-in clients.
_SHAPES = re.compile(
    r"Atz[ar]\|[^\s\"'&]++"
    r"|Atz\.sprdt\|[^\s\"'&]++"
    r"|amzn1\.oa2-cs\.[\w.-]++"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}+\b"
    r"|\bsg[sr]_[\w-]{16,}+"
)
# JWTs and JWEs: a part with this start, and at least two more parts. A single expression would search for dots from each start.
_DOTTED, _JWT, _JWT_BEGINNING = re.compile(r"[\w.-]++"), "eyJ", re.compile(r"\beyJ[\w-]")
_NAMES = re.compile(
    r"secret|token|password|authorization|credential|signature|cookie|private|jwt|api_?key", re.IGNORECASE
)
# Names of fields that hold no secret, although they match.
_HARMLESS = frozenset({"authorization_expire_time", "refresh_token_set", "token_type", "page_token", "token_source"})


def redact_text(text: str) -> str:
    """Replace everything in `text` that looks like a secret."""
    return _redact_short(text) if len(text) <= _SHORT else _redact_match(text)


@lru_cache(1024)
def _redact_short(text: str) -> str:
    """Redact a short text, with a cache: methods, reasons and callers repeat in every line."""
    return _redact_match(text)


def _redact_match(text: str) -> str:
    text = _SHAPES.sub(HIDDEN, text)
    return _DOTTED.sub(_without_jwt, text) if _JWT in text else text


def _without_jwt(dotted: re.Match[str]) -> str:
    """Return a run of dot-separated parts up to the start of a JWT in it."""
    text = dotted[0]
    last = text.rfind(".", 0, text.rfind("."))
    begun = _JWT_BEGINNING.search(text, 0, max(last, 0))
    return text[: begun.start()] + HIDDEN if begun else text


def _is_secret(name: str) -> bool:
    return _is_short_secret(name) if len(name) <= _SHORT else _names_secret(name)


@lru_cache(1024)
def _is_short_secret(name: str) -> bool:
    return _names_secret(name)


def _names_secret(name: str) -> bool:
    return name not in _HARMLESS and _NAMES.search(name) is not None


def redact(value: Any, name: str = "") -> Any:
    """Return `value` as it may be logged under `name`; mappings and lists are walked."""
    if value is None or isinstance(value, int | float):  # first, because the check for a mapping is slow
        return value
    if isinstance(value, str):
        return HIDDEN if name and value and _is_secret(name) else redact_text(value)
    if isinstance(value, bytes):
        return HIDDEN if name and value and _is_secret(name) else f"[{len(value)} bytes]"
    if isinstance(value, Mapping):
        return {_redact_key(key): redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item, name) for item in value]
    return value


def _redact_key(key: Any) -> Any:
    return redact_text(key) if isinstance(key, str) else key
