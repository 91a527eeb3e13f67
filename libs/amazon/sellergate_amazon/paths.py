"""What a path or a query of SP-API may look like on the wire, so that it is sent and signed exactly as it was given."""

import re
from urllib.parse import unquote

# RFC 3986 §3.3: unreserved, sub-delims, ":", "@", "/" and whole percent escapes. Amazon's paths hold nothing else.
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*)+")
# RFC 3986 §3.4.
_QUERY = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")
_DOTS = frozenset({".", ".."})
_SLASHES = re.compile(r"[/\\]")
_PLUS = re.compile("%2B", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_path(path: str) -> None:
    """Raise ValueError, with what is wrong, unless a percent-encoded path means one thing to everybody on its way."""
    if not _PATH.fullmatch(path) or path.startswith("//"):
        raise ValueError("must be a percent-encoded path that begins with one slash, without host, query or fragment")
    if "%" not in path and "/." not in path:
        return  # nothing is hidden, and most paths are like that
    for segment in path.split("/"):
        decoded = unquote(segment)
        # A slash may hide in a segment ("..%2Fx"), and some servers take a backslash for one.
        if not _DOTS.isdisjoint(_SLASHES.split(decoded)):
            raise ValueError("must not hold dot segments, encoded ones included")
        if _CONTROL.search(decoded):
            raise ValueError("must not hold control characters, encoded ones included")


def check_query(query: str) -> None:
    """Raise ValueError, with what is wrong, unless a query is percent-encoded."""
    if not _QUERY.fullmatch(query):
        raise ValueError("must hold a percent-encoded query, without spaces or fragment")


def with_plain_plus(path: str) -> str:
    """Return a percent-encoded path as SP-API reads it before it encodes it again for a signature's canonical string.

    It takes %2B for a plus sign: of "a%2Bb%20c" its own canonical string has "a%2Bb%2520c" (jrl84/amazon-sp-api#103).
    """
    return _PLUS.sub("+", path) if "%2" in path else path
