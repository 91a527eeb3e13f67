"""The right token of a call by itself: a seller's, or the application's own for operations that act for no seller."""

from sellergate_common.errors import Unimplemented

from sellergate_gateway.ports import AccessToken, Account, Tokens
from sellergate_gateway.requests import Target


class CallTokens:
    """Chooses by the catalogue and by what the caller wants to see."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def get(self, account: Account, target: Target) -> AccessToken:
        """Return the token that a call is made with. Raises what the port of tokens raises."""
        if target.grantless_scope:
            return await self._tokens.grantless(account, target.grantless_scope)
        return await self._tokens.get(account)

    async def repaired(self, account: Account, target: Target, token: AccessToken) -> bool:
        """Forget a token that Amazon refused; False when a new one would be the same."""
        if target.grantless_scope:
            # The token service is asked for it each time, and knows its life.
            return False
        await self._tokens.invalidate(account, token)
        return True


def check_built(data_elements: tuple[str, ...]) -> None:
    """Refuse what the contract has and this version lacks, rather than call with the wrong kind of token."""
    if data_elements:
        raise Unimplemented("Restricted Data Tokens are in the contract and not built yet; leave data_elements out.")
