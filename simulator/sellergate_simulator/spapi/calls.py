"""One SP-API call for the operations: caller, operation and arguments."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sellergate_amazon.marketplaces import Region
from sellergate_amazon.operations import Operation

from sellergate_simulator.clock import parse_iso
from sellergate_simulator.http.responses import Response, invalid_input
from sellergate_simulator.identity.tokens import AccessToken, RestrictedResource
from sellergate_simulator.state import AwsKey, Seller

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy


class Query:
    """The query of a call. Lists are comma-separated, as in 110 of the 112 array parameters of Amazon's models."""

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self._values: dict[str, list[str]] = {}
        for name, value in parse_qsl(raw, keep_blank_values=True):
            self._values.setdefault(name, []).append(value)

    def names(self) -> set[str]:
        """Return the names of all parameters."""
        return set(self._values)

    def many(self, name: str) -> list[str]:
        """Return the values of a list, empty when it is absent."""
        return [item for value in self._values.get(name, []) for item in value.split(",") if item]

    def one(self, name: str) -> str | None:
        """Return the single value of a parameter; None when it is absent or empty."""
        values = self._values.get(name, [])
        if len(values) > 1:
            raise invalid_input(f"The parameter {name} was given more than once.")
        return values[0] if values and values[0] else None

    def time(self, name: str) -> float | None:
        """Return a time in seconds since 1970; None when it is absent."""
        text = self.one(name)
        if text is None:
            return None
        try:
            return parse_iso(text)
        except ValueError:
            raise invalid_input(f"{name} is not a valid ISO 8601 date.") from None

    def integer(self, name: str, *, low: int, high: int, default: int) -> int:
        """Return a whole number within its bounds."""
        text = self.one(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
            raise invalid_input(f"{name} must be a whole number from {low} to {high}.")
        return int(text)


@dataclass(frozen=True, slots=True)
class Call:
    """An admitted call."""

    operation: Operation
    path_params: Mapping[str, str]
    region: Region | None
    """The region of the host; None for the sandbox."""
    token: AccessToken
    resource: RestrictedResource | None
    """The resource of the Restricted Data Token that covers the call; None for an ordinary token."""
    seller: Seller | None
    """None for grantless operations."""
    signer: AwsKey | None
    """The signing key; None for an unsigned call."""
    raw_path: str
    query: Query
    headers: "CIMultiDictProxy[str]"
    body: bytes
    hostname: str
    """The host name that the client used, which presigned URLs use too."""
    now: float
    """Seconds since 1970."""

    @property
    def owner(self) -> Seller:
        """The seller of the call. Raises the 400 for a grantless call."""
        if self.seller is None:
            raise invalid_input("This operation needs a selling partner.")
        return self.seller

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object. Raises Amazon's 400 for any other body."""
        try:
            document = json.loads(self.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise invalid_input("The request body is not a valid JSON object.")
        return document


Handler = Callable[[Call], Response]


def text_field(document: Mapping[str, Any], name: str) -> str:
    """Return a required text field of a body. Raises the 400 that names it."""
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise invalid_input(f"The field {name} is required and must be a string.")
    return value


def marketplace_field(document: Mapping[str, Any], owner: Seller, region: Region | None, most: int) -> tuple[str, ...]:
    """Return the `marketplaceIds` of a body: 1 to `most` IDs, all of this seller in this region."""
    value = document.get("marketplaceIds")
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise invalid_input(f"The field marketplaceIds is required and holds 1 to {most} marketplace ids.")
    for marketplace_id in value:
        if marketplace_id not in owner.marketplaces_in(region):
            raise invalid_input(f"Invalid marketplaceIds: {marketplace_id!s:.40}")
    return tuple(value)
