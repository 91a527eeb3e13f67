"""The secret store that seals each secret into a column of its row (AES-256, bound to the row, the field and the revision)."""

from pydantic import SecretStr
from sellergate_common.crypto.sealing import KeyRing, SealError
from sellergate_common.observability.logs import get_logger

from sellergate_account.model import SecretRef
from sellergate_account.ports.errors import DecryptionError


class SealedColumns:
    """The store that returns the sealed value itself for the row to keep; the row's transaction writes and removes it."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def write(self, ref: SecretRef, secret: SecretStr) -> str:
        """Return the secret sealed under the newest key."""
        return self._ring.seal(secret.get_secret_value(), str(ref))

    async def read(self, ref: SecretRef, kept: str) -> SecretStr:
        """Open a sealed secret. Raises DecryptionError."""
        try:
            return self._ring.open(kept, str(ref))
        except SealError as error:
            raise _unopened(ref, error) from None

    async def rewrap(self, ref: SecretRef, kept: str) -> str | None:
        """Return the secret sealed under the newest key, or None where it is already. Raises DecryptionError."""
        try:
            if self._ring.is_current(kept):
                return None
        except SealError as error:
            raise _unopened(ref, error) from None
        return await self.write(ref, await self.read(ref, kept))

    async def delete(self, ref: SecretRef, kept: str) -> None:
        """Do nothing: the secret was removed with its row."""


def _unopened(ref: SecretRef, error: SealError) -> DecryptionError:
    get_logger().error("secret_unopened", place=str(ref), cause=str(error))
    return DecryptionError(ref.row)
