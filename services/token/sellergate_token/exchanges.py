"""Exchanges grants with LWA, and counts; after a rotation the secret of before is tried where the new one is refused."""

from sellergate_common.errors import PreconditionFailed, Reason
from sellergate_common.logs import get_logger

from sellergate_token.ports import AccessToken, Grant, Lwa, LwaClient


class Exchanges:
    """All exchanges of this process."""

    def __init__(self, lwa: Lwa) -> None:
        self._lwa = lwa
        self.made = 0
        self.failed = 0

    async def exchange(self, client: LwaClient, grant: Grant) -> AccessToken:
        """Exchange a grant. Raises as Lwa does.

        Amazon knows a new secret a little later than we do, or a little earlier, so one of two kept ones works at any moment.
        """
        try:
            try:
                return await self._exchange(client, grant)
            except PreconditionFailed as error:
                if error.reason is not Reason.LWA_CLIENT_REJECTED or client.previous_secret is None:
                    raise
                get_logger().warning("lwa_previous_secret_tried")
                return await self._exchange(LwaClient(client.client_id, client.previous_secret), grant)
        except BaseException:
            self.failed += 1
            raise

    async def _exchange(self, client: LwaClient, grant: Grant) -> AccessToken:
        self.made += 1
        return await self._lwa.exchange(client.client_id, client.client_secret, grant)
