"""AWS KMS, which opens wrapped keys, through boto3.

boto3 finds this process's own AWS credentials and the endpoint (AWS_ENDPOINT_URL_KMS) in boto3's usual order.
"""

import re
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from pydantic import SecretStr
from sellergate_common.blocking.aws import bound_session
from sellergate_common.crypto.sealing import encode_key, parse_key, ring_entries, ring_text
from sellergate_common.crypto.wrapping import SingleUse, ciphertext_of, is_wrapped, ring_context, single_context
from sellergate_common.outbound.route import DIRECT, Route
from sellergate_common.settings import SettingsError, variable_of

from sellergate_account.settings import SINGLE_KEYS, AccountSettings

_CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 3, "mode": "standard"})
_NOT_OF_A_CODE = re.compile(r"[^A-Za-z0-9.]")
_BOUND = "check that it was wrapped for this setting and id, and that this service may use the KMS key"
_REACH = "check AWS_REGION, AWS_ENDPOINT_URL_KMS and this service's AWS credentials"


class CannotUnwrap(ValueError):
    """A key that KMS does not open; the message names the key and the cause."""


class Kms:
    """KMS of a region. The client is created with the first key, so that a failure names that key."""

    def __init__(self, region: str | None, route: Route = DIRECT) -> None:
        self._region = region
        self._route = route

    def decrypt(self, encoded: str, context: dict[str, str], name: str) -> str:
        """Return a wrapped key in base64url. Raises CannotUnwrap, without boto3's message, which may quote the request."""
        ciphertext = ciphertext_of(encoded, name)
        try:
            response = self._client.decrypt(CiphertextBlob=ciphertext, EncryptionContext=context)
        except ClientError as error:
            code = _NOT_OF_A_CODE.sub("", str(error.response.get("Error", {}).get("Code", "")))[:64]
            raise CannotUnwrap(f"KMS does not open {name} ({code}); {_BOUND}") from None
        except Exception as error:  # noqa: BLE001  (boto3 documents no error for an endpoint that is not KMS)
            raise CannotUnwrap(f"a KMS request failed for {name} ({type(error).__name__}); {_REACH}") from None
        if not response.get("Plaintext"):
            raise CannotUnwrap(f"a KMS request failed for {name} (the response holds no key); {_REACH}")
        return encode_key(response["Plaintext"])

    @cached_property
    def _client(self) -> Any:
        return bound_session(boto3.session.Session(), self._route).client(
            "kms", region_name=self._region, config=_CONFIG
        )


def unwrap_ring(text: SecretStr, kms: Kms) -> SecretStr:
    """Return a key ring with every line in the clear. Raises ValueError, which names the key id and the cause."""
    lines = []
    for kid, encoded in ring_entries(text.get_secret_value()).items():
        if is_wrapped(encoded):
            encoded = kms.decrypt(encoded, ring_context(kid), f"key {kid}")  # noqa: PLW2901  (the same key, in the clear)
        lines.append(f"{kid} {encoded}")
    return ring_text(SecretStr("\n".join(lines)))


def unwrap_key(text: SecretStr, kms: Kms, use: SingleUse) -> SecretStr:
    """Return a single key in the clear. Raises ValueError, which names the key and the cause."""
    encoded = text.get_secret_value().strip()
    if is_wrapped(encoded):
        encoded = kms.decrypt(encoded, single_context(use), use.in_words)
    parse_key(encoded, use.in_words)
    return SecretStr(encoded)


def open_keys(settings: AccountSettings) -> dict[str, SecretStr]:
    """Return all keys of the settings in the clear by field. Blocks. Raises SettingsError for the first that does not open."""
    kms = Kms(settings.aws_region, settings.outbound)
    ways: dict[str, Callable[[SecretStr, Kms], SecretStr]] = {
        "sealing_keys": unwrap_ring,
        **{name: partial(unwrap_key, use=use) for name, use in SINGLE_KEYS.items()},
    }
    opened: dict[str, SecretStr] = {}
    for name, unwrap in ways.items():
        try:
            opened[name] = unwrap(getattr(settings, name), kms)
        except ValueError as error:
            variable = variable_of(type(settings).model_fields[name], name)
            raise SettingsError([f"{variable}: {error}"]) from None
    return opened
