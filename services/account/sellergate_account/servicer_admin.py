"""AccountAdminService: proto ⇄ domain, nothing else."""

from collections.abc import AsyncIterator
from typing import Any

from sellergate.account.v1 import account_admin_service_pb2 as pb2
from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceServicer

from sellergate_account.ports import Vault
from sellergate_account.rewrapping import rewrap


class AccountAdminServicer(AccountAdminServiceServicer):
    """What operators do to the whole store. RPCs that are not here are answered UNIMPLEMENTED by the generated base."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def RewrapSecrets(
        self, request: pb2.RewrapSecretsRequest, context: Any
    ) -> AsyncIterator[pb2.RewrapSecretsResponse]:
        """Seal every secret again under the newest key, and tell how far it has come."""
        async for step in rewrap(self._vault, request.batch_size):
            yield pb2.RewrapSecretsResponse(
                rewrapped=step.rewrapped, skipped=step.skipped, unopened_ids=step.unopened_ids, total=step.total
            )
