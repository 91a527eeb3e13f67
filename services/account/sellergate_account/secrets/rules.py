"""The rules of LWA credentials: a value that Amazon cannot have issued is refused on arrival, with its field named.

A wrong value that is stored and fails at Amazon days later is hard to trace. Most wrong values were copied with quotes or blanks
around them, or are another one of Amazon's values (public threads of integrators). The rules change no value.
"""

import re
from collections.abc import Mapping
from typing import Protocol

from pydantic import SecretStr
from sellergate_common.errors import FieldViolation, InvalidRequest

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_QUOTES = "\"'`"
CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "lwa_client_id", "lwa_client_secret", "refresh_token"
# The prefixes of other values, each with the description of the fault.
_ELSE = {
    CLIENT_ID: {
        "amzn1.sp.solution": "is the application's id; the LWA client id begins with amzn1.application-oa2-client",
        "amzn1.sellerapps.app": "is the application's id; the LWA client id begins with amzn1.application-oa2-client",
        "amzn1.oa2-cs": "is a client secret; the LWA client id begins with amzn1.application-oa2-client",
        "Atz": "is a token; the LWA client id begins with amzn1.application-oa2-client",
    },
    CLIENT_SECRET: {
        "amzn1.application-oa2-client": "is the LWA client id; the developer console shows the secret beside it",
        "amzn1.sp.solution": "is the application's id; the developer console shows the secret beside the LWA client id",
        "Atz": "is a token; the developer console shows the secret beside the LWA client id",
    },
    REFRESH_TOKEN: {
        "Atza|": "is an access token, which lives for an hour; the refresh token begins with Atzr|",
        "Atz.sprdt|": "is a Restricted Data Token, which lives for an hour; the refresh token begins with Atzr|",
        "amzn1.": "is an id or a client secret; the refresh token begins with Atzr|",
    },
}


class Client(Protocol):
    """An LWA client."""

    @property
    def client_id(self) -> SecretStr:
        """Its id."""

    @property
    def client_secret(self) -> SecretStr | None:
        """Its secret, where it is given."""


class ConnectionFields(Protocol):
    """The fields that connect a seller."""

    @property
    def client(self) -> Client | None:
        """The LWA client, where it is given."""

    @property
    def refresh_token(self) -> SecretStr | None:
        """The refresh token, where it is given."""


def check_connection(given: ConnectionFields) -> None:
    """Check the fields that connect a seller. Raises InvalidRequest, which names every bad field."""
    client = {CLIENT_ID: given.client.client_id, CLIENT_SECRET: given.client.client_secret} if given.client else {}
    check_credentials({**client, REFRESH_TOKEN: given.refresh_token})


def check_credentials(given: Mapping[str, SecretStr | None]) -> None:
    """Check values by the names of their fields. Raises InvalidRequest, which names every bad field."""
    violations = [
        FieldViolation(field, why)
        for field, value in given.items()
        if value is not None and (why := _problem(field, value.get_secret_value()))
    ]
    if violations:
        problems = "; ".join(f"{one.field} {one.description}" for one in violations)
        raise InvalidRequest(problems, violations=violations)


def _problem(kind: str, value: str) -> str:
    """Return the fault of a value, without any part of the value; empty where there is none."""
    if value != value.strip():
        return "has blanks or line breaks around it; leave them out"
    if value and (value[0] in _QUOTES or value[-1] in _QUOTES):
        return "has quotes around it; leave them out"
    if not _VISIBLE.fullmatch(value):
        return "must be visible ASCII characters without blanks, as Amazon shows it"
    known = _ELSE[CLIENT_SECRET if kind == "client_secret" else kind]
    return next((why for beginning, why in known.items() if value.startswith(beginning)), "")
