"""What no log may show: known shapes of secrets, and every field named like one."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

HIDDEN = "[hidden]"
_SHORT = 64

# Access, refresh and restricted data tokens of LWA; LWA client secrets; AWS access keys; JWTs and JWEs; our own
# drop-in secrets and handles.
_SHAPES = re.compile(
    r"Atz[ar]\|[^\s\"'&]+"
    r"|Atz\.sprdt\|[^\s\"'&]+"
    r"|amzn1\.oa2-cs\.[\w.-]+"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"
    r"|\beyJ[\w-]+(?:\.[\w-]*){2,4}"
    r"|\bsg[sr]_[\w-]{16,}"
)
_NAMES = re.compile(
    r"secret|token|password|authorization|credential|signature|cookie|private|jwt|api_?key", re.IGNORECASE
)
# Names that only sound like secrets.
_HARMLESS = frozenset({"authorization_expire_time", "refresh_token_set", "token_type", "page_token", "token_source"})


def redact_text(text: str) -> str:
    """Replace everything in `text` that looks like a secret."""
    return _redact_short(text) if len(text) <= _SHORT else _SHAPES.sub(HIDDEN, text)


@lru_cache(1024)
def _redact_short(text: str) -> str:
    """Words that come again in every line: methods, reasons, callers."""
    return _SHAPES.sub(HIDDEN, text)


@lru_cache(1024)
def _is_secret(name: str) -> bool:
    return name not in _HARMLESS and _NAMES.search(name) is not None


def redact(value: Any, name: str = "") -> Any:
    """Return `value` as it may be logged under `name`; mappings and lists are walked."""
    if value is None or isinstance(value, int | float):  # first, for a mapping is not known at once by Python
        return value
    if isinstance(value, str):
        return HIDDEN if name and value and _is_secret(name) else redact_text(value)
    if isinstance(value, bytes):
        return HIDDEN if name and value and _is_secret(name) else f"[{len(value)} bytes]"
    if isinstance(value, Mapping):
        return {key: redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item, name) for item in value]
    return value
