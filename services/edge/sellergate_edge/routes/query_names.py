"""The names of query parameters: an unknown one is refused, because a misspelt filter that is ignored returns everything."""

from collections.abc import Iterable
from difflib import get_close_matches

from sellergate_common.errors import FieldViolation, InvalidRequest

MAX_SHOWN = 20
_MAX_NAME = 64
_CUTOFF = 0.5


def check_query_names(given: Iterable[str], known: frozenset[str]) -> None:
    """Raise InvalidRequest, which names each unknown parameter and the known one that is nearest to it."""
    unknown = list(dict.fromkeys(name for name in given if name not in known))
    if not unknown:
        return
    violations = [FieldViolation(name[:_MAX_NAME], _words(name, known)) for name in unknown[:MAX_SHOWN]]
    words = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
    raise InvalidRequest(words, violations=violations)


def _words(name: str, known: frozenset[str]) -> str:
    by_plain_name = {_plain(one): one for one in known}
    nearest = get_close_matches(_plain(name[:_MAX_NAME]), by_plain_name, 1, _CUTOFF)
    if nearest:
        return f"is not a known query parameter; use {by_plain_name[nearest[0]]}, or leave it out"
    if not known:
        return "is not a known query parameter; this route takes none, leave it out"
    return f"is not a known query parameter; leave it out, or use one of {', '.join(sorted(known))}"


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
