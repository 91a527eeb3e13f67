"""The paths that are Sellergate's own. The drop-in endpoint does not serve them; every other path may be one of SP-API."""

from dataclasses import dataclass

# The pass-through route has Sellergate's prefix and returns Amazon's responses.
_PASSED_THROUGH = "/sp-api/"


@dataclass(frozen=True, slots=True)
class OwnPrefix:
    """A prefix of Sellergate's own paths.

    `is_public`: the responses are the same for every client, so that a browser may cache them. `is_compressed`: long responses
    are compressed where the client accepts that.
    """

    prefix: str
    is_public: bool = False
    is_compressed: bool = True


OWN_PREFIXES = (
    OwnPrefix("/api/"),
    OwnPrefix("/auth/", is_compressed=False),
    OwnPrefix("/console", is_public=True),
    OwnPrefix("/docs", is_public=True),
    OwnPrefix("/openapi.json", is_public=True),
)
_OWN = tuple(own.prefix for own in OWN_PREFIXES)
_PUBLIC = tuple(own.prefix for own in OWN_PREFIXES if own.is_public)
_COMPRESSED = tuple(own.prefix for own in OWN_PREFIXES if own.is_compressed)


def is_own(path: str) -> bool:
    """Return whether a path is Sellergate's own. The root is the console's page, unless an SDK asks for it."""
    return path == "/" or path.startswith(_OWN)


def is_public(path: str) -> bool:
    """Return whether the responses at a path are the same for every client."""
    return path == "/" or path.startswith(_PUBLIC)


def is_compressed(path: str) -> bool:
    """Return whether Sellergate compresses the responses at a path. Amazon's bytes stay as they are."""
    return path.startswith(_COMPRESSED) and _PASSED_THROUGH not in path
