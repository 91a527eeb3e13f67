"""The service's keys in the clear: those that are wrapped are opened once, at the start."""

import asyncio

from sellergate_common.crypto.wrapping import holds_wrapped
from sellergate_common.settings import SettingsError, refuse

from sellergate_account.settings import SINGLE_KEYS, AccountSettings


async def with_plain_keys(settings: AccountSettings) -> AccountSettings:
    """Return the settings with all keys in the clear, or end the process with one line on the key that does not open."""
    if not any(holds_wrapped(getattr(settings, name)) for name in ("sealing_keys", *SINGLE_KEYS)):
        return settings
    from sellergate_account.secrets.kms import open_keys  # noqa: PLC0415  (boto3 is loaded only where a key is wrapped)

    try:
        # boto3 blocks.
        return settings.model_copy(update=await asyncio.to_thread(open_keys, settings))
    except SettingsError as error:
        refuse(error)
