"""The service's keys in the clear; wrapped keys are opened once, at the start."""

import asyncio

from sellergate_common.blocking.threads import Threads
from sellergate_common.crypto.wrapping import holds_wrapped
from sellergate_common.settings import SettingsError, refuse

from sellergate_account.settings import SINGLE_KEYS, AccountSettings

OPEN_SECONDS = 60.0
"""The limit for all keys together: boto3 limits only each wait on its socket."""


async def with_plain_keys(settings: AccountSettings) -> AccountSettings:
    """Return the settings with all keys in the clear. End the process with one log line where a key does not open."""
    if not any(holds_wrapped(getattr(settings, name)) for name in ("sealing_keys", *SINGLE_KEYS)):
        return settings
    try:
        return await open_settings(settings, Threads("kms", 1))
    except SettingsError as error:
        refuse(error)


async def open_settings(settings: AccountSettings, threads: Threads, seconds: float = OPEN_SECONDS) -> AccountSettings:
    """Return the settings with all keys in the clear within `seconds`. Raises SettingsError."""
    from sellergate_account.secrets.kms import open_keys  # noqa: PLC0415  (boto3 is loaded only where a key is wrapped)

    try:
        async with asyncio.timeout(seconds):
            return settings.model_copy(update=await threads.run(lambda: open_keys(settings)))
    except TimeoutError:
        raise SettingsError(
            [f"KMS has not opened the wrapped keys within {seconds:.0f} s; check AWS_ENDPOINT_URL_KMS and the network"]
        ) from None
