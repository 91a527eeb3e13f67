"""KMS for `sellergate keys --kms`: it generates a key and returns it wrapped, so that no operator's machine sees it."""

from typing import Any

import typer
from sellergate_common.blocking.aws import bound_session
from sellergate_common.crypto.wrapping import wrapped
from sellergate_common.outbound.settings import OutboundSettings
from sellergate_common.scripts.extras import advice
from sellergate_common.settings import read_settings

from sellergate_cli.operator import fail
from sellergate_cli.terminal import say


def new_wrapped_key(key: str, region: str, size: int, context: dict[str, str]) -> str:
    """Return `size` random bytes that `key` (an ID, alias or ARN) wraps for `context`. Exits with code 1 if KMS fails."""
    try:
        import boto3  # noqa: PLC0415  (only --kms needs it, which is an extra)
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    except ImportError:
        fail(advice("sellergate keys --kms", "cli,kms", ["boto3"]), 2)
    try:
        made: dict[str, Any] = _client(boto3, region).generate_data_key_without_plaintext(
            KeyId=key, NumberOfBytes=size, EncryptionContext=context
        )
        return wrapped(made["CiphertextBlob"])
    except ClientError as error:
        cause = str(error.response.get("Error", {}).get("Code", ""))[:64]
    except (BotoCoreError, ValueError, KeyError) as error:
        cause = type(error).__name__
    say(
        f"KMS did not generate a key under {key} ({cause}). Nothing was changed. Check the key, region and permissions.",
        err=True,
    )
    raise typer.Exit(1)


def _client(boto3: Any, region: str) -> Any:
    from botocore.config import Config  # noqa: PLC0415

    config = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 3, "mode": "standard"})
    return bound_session(boto3.session.Session(), read_settings(OutboundSettings).outbound).client(
        "kms", region_name=region or None, config=config
    )
