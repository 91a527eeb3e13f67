"""The rules of an application's redirect URIs."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from sellergate_common.errors import InvalidRequest

# RFC 3986 without the fragment: programs interpret other texts differently.
_URI = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")
_HOST = re.compile(r"[A-Za-z0-9.-]+|[0-9a-f:.]+")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def check_redirect_uris(uris: Sequence[str]) -> None:
    """Raise InvalidRequest for the first redirect URI that Amazon would refuse, or that is repeated."""
    for index, uri in enumerate(uris):
        field = f"application.redirect_uris[{index}]"
        if not _is_redirect_uri(uri):
            raise InvalidRequest.of_field(
                field, "must be an https URL with a host, without user, password and fragment"
            )
        if uri in uris[:index]:
            raise InvalidRequest.of_field(field, "is repeated; name each URI once")


def _is_redirect_uri(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # an incomplete IPv6 address, or a port that is not a number
        return False
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    is_clean = bool(_URI.fullmatch(uri) and _HOST.fullmatch(host)) and "@" not in parts.netloc
    return is_safe and is_clean and port != 0
