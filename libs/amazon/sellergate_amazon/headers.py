"""Allow-lists of headers that are sent to Amazon and of headers that are returned from it.

Headers that a proxy in front of Sellergate adds (a user's JWT and e-mail address, API keys, method overrides) must not
reach Amazon, and headers that Amazon's front ends add to a response (cookies, policies of content and transport,
Clear-Site-Data) would change how a browser treats Sellergate's own pages.
"""

import re

# RFC 9110 §8, §12, §13 and §14.2, and the headers that operations in Amazon's models accept (fba-inventory/v1, shipping/v2).
_REQUEST = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "content-encoding",
        "content-language",
        "content-md5",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-unmodified-since",
        "range",
        "x-amzn-idempotency-token",
        "x-amzn-idempotencykey",
        "x-amzn-shipping-business-id",
    }
)
# RFC 9110 §8, §10.2 and §15, RFC 8594; Amazon's own headers hold IDs, kinds of errors, rates and versions.
_RESPONSE = frozenset(
    {
        "accept-ranges",
        "age",
        "allow",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-range",
        "content-type",
        "date",
        "deprecation",
        "etag",
        "expires",
        "last-modified",
        "location",
        "retry-after",
        "sunset",
        "vary",
        "warning",
    }
)
_RESPONSE_PREFIXES = ("x-amz-", "x-amzn-")
# RFC 9110 §5.5: visible characters, blanks between them, and opaque bytes.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def goes_to_amazon(name: str) -> bool:
    """Return whether a caller's header of this name, in lower case, is sent to Amazon."""
    return name in _REQUEST


def comes_from_amazon(name: str) -> bool:
    """Return whether a header of Amazon's response with this name, in lower case, is returned to the caller."""
    return name in _RESPONSE or name.startswith(_RESPONSE_PREFIXES)


def is_plain_value(value: str) -> bool:
    """Return whether a header's value has the same bytes in every encoding: printable ASCII, blanks and tabs."""
    return value.isascii() and is_header_value(value)


def is_header_value(value: str) -> bool:
    """Return whether a text, decoded as Latin-1, can be sent as the value of a header."""
    return _VALUE.fullmatch(value) is not None
