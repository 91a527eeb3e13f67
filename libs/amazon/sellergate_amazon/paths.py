"""The valid form of SP-API's paths and queries, which are sent and signed exactly as the caller gave them."""

import re
from urllib.parse import unquote

# RFC 3986 §3.3: unreserved, sub-delims, ":", "@", "/" and complete percent escapes. Amazon's paths hold only these.
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*)+")
# RFC 3986 §3.4.
_QUERY = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")
_DOTS = frozenset({".", ".."})
_SLASHES = re.compile(r"[/\\]")
_PLUS = re.compile("%2B", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_path(path: str) -> None:
    """Raise ValueError that states the fault unless every server would read a percent-encoded path in the same way."""
    if not _PATH.fullmatch(path) or path.startswith("//"):
        raise ValueError("must be a percent-encoded path that begins with one slash, without host, query or fragment")
    if "%" not in path and "/." not in path:
        return  # most paths have no escapes
    for segment in path.split("/"):
        decoded = unquote(segment)
        # A segment may hold an encoded slash ("..%2Fx"), and some servers read a backslash as a slash.
        if not _DOTS.isdisjoint(_SLASHES.split(decoded)):
            raise ValueError("must not hold dot segments, encoded ones included")
        if _CONTROL.search(decoded):
            raise ValueError("must not hold control characters, encoded ones included")


def check_query(query: str) -> None:
    """Raise ValueError that states the fault unless a query is percent-encoded."""
    if not _QUERY.fullmatch(query):
        raise ValueError("must hold a percent-encoded query, without spaces or fragment")


def with_plain_plus(path: str) -> str:
    """Return a percent-encoded path in the form that SP-API encodes again for a signature's canonical string.

    SP-API decodes %2B to a plus sign: for "a%2Bb%20c" its canonical string has "a%2Bb%2520c" (jrl84/amazon-sp-api#103).
    """
    return _PLUS.sub("+", path) if "%2" in path else path
