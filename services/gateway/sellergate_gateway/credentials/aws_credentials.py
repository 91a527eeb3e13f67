"""AWS credentials of roles from this process's memory, the shared Redis, or the iam service."""

from collections.abc import Callable
from functools import partial

import grpc
from pydantic import SecretStr
from sellergate.iam.v1 import iam_service_pb2, iam_service_pb2_grpc
from sellergate_common.cache.keyspace import credentials_key
from sellergate_common.cache.lru import TtlCache
from sellergate_common.cache.payloads import CredentialsPayload
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.errors import SellergateError
from sellergate_common.observability.logs import get_logger
from sellergate_common.rpc.channel import invoke

from sellergate_gateway.credentials.cool_off import CoolOff
from sellergate_gateway.credentials.read_through import ReadThroughCache
from sellergate_gateway.credentials.refusals import OwnedValue, issued_at
from sellergate_gateway.model import Account, AwsCredentials

CONTRACTS = (iam_service_pb2.DESCRIPTOR.services_by_name["IamService"],)


class CredentialSource:
    """The source of AWS credentials."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        entries: SealedCache,
        ring: KeyRing,
        memory: TtlCache[tuple[int, AwsCredentials]],
        now: Callable[[], float],
    ) -> None:
        self._iam = iam_service_pb2_grpc.IamServiceStub(channel)
        self._ring = ring
        self._owned = ReadThroughCache(entries, memory, _decode, _mark, "iam", now)
        self._cool_off = CoolOff(now)

    async def get(self, account: Account) -> AwsCredentials:
        """Return credentials with enough lifetime for a call. Raises Unavailable if Amazon refused all that iam has."""
        name = partial(credentials_key, self._ring, account.account_id, account.revision, account.iam_role_arn)
        fetch, drop = partial(self._fetch_from_iam, account), partial(self._invalidate, account)
        return await self._owned.get(account, name, fetch, drop)

    async def invalidate(self, account: Account, credentials: AwsCredentials) -> bool:
        """Drop credentials that Amazon refused, here and, if they are the current ones, in the iam service for all replicas.

        Return whether to call again.
        """
        if self._owned.has_other(account, credentials):
            return True
        drop = partial(self._drop, account, credentials)
        return await self._cool_off.renew(account.account_id, _mark(credentials), issued_at(credentials), drop)

    async def _drop(self, account: Account, credentials: AwsCredentials) -> None:
        self._owned.forget(account, credentials)
        await self._invalidate(account, credentials)

    async def _invalidate(self, account: Account, credentials: AwsCredentials) -> bool:
        """Let the iam service drop credentials; return whether it responded."""
        request = iam_service_pb2.InvalidateCredentialsRequest(
            account_id=account.account_id, access_key_id=credentials.access_key_id.get_secret_value()
        )
        try:
            await invoke(self._iam.InvalidateCredentials, request, dependency="iam")
        except SellergateError as error:
            # The repeated call requests other credentials and gets that error, or new ones.
            get_logger().warning("credentials_not_invalidated", reason=error.reason)
            return False
        return True

    async def _fetch_from_iam(self, account: Account) -> OwnedValue[AwsCredentials]:
        request = iam_service_pb2.AssumeRoleRequest(account_id=account.account_id, expected_revision=account.revision)
        response = await invoke(self._iam.AssumeRole, request, dependency="iam")
        credentials = AwsCredentials(
            SecretStr(response.access_key_id),
            SecretStr(response.secret_access_key),
            SecretStr(response.session_token),
            response.expire_time.ToMilliseconds() / 1000,
            response.life.ToMilliseconds() / 1000,
        )
        left = response.remaining.ToMilliseconds() / 1000 if response.HasField("remaining") else None
        return OwnedValue(credentials, response.revision, left)


def _mark(credentials: AwsCredentials) -> str:
    """Return what identifies credentials in this process."""
    return credentials.access_key_id.get_secret_value()


def _decode(text: str) -> AwsCredentials:
    entry = CredentialsPayload.decode(text)
    return AwsCredentials(
        entry.access_key_id, entry.secret_access_key, entry.session_token, entry.expire_time, entry.life
    )
