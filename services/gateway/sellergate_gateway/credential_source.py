"""AWS credentials of roles: from this process's memory, from the shared Redis, or from the iam service."""

import json
from collections.abc import Callable

import grpc
from pydantic import SecretStr
from sellergate.iam.v1 import iam_service_pb2, iam_service_pb2_grpc
from sellergate_common.cache import SealedCache
from sellergate_common.channel import invoke
from sellergate_common.flight import LocalFlight
from sellergate_common.keyspace import credentials_key
from sellergate_common.remembered import Remembered
from sellergate_common.sealing import KeyRing

from sellergate_gateway.ports import Account, AwsCredentials

CONTRACTS = (iam_service_pb2.DESCRIPTOR.services_by_name["IamService"],)
MIN_LIFETIME = 60.0
_SECRETS = ("access_key_id", "secret_access_key", "session_token")


class CredentialSource:
    """The memory holds credentials with the account's revision."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        entries: SealedCache,
        ring: KeyRing,
        memory: Remembered[tuple[int, AwsCredentials]],
        now: Callable[[], float],
    ) -> None:
        self._iam = iam_service_pb2_grpc.IamServiceStub(channel)
        self._entries = entries
        self._ring = ring
        self._memory = memory
        self._now = now
        self._flight: LocalFlight[AwsCredentials] = LocalFlight()

    async def get(self, account: Account) -> AwsCredentials:
        """Return credentials that live for a minute at least."""
        held = self._memory.get(account.account_id)
        if held is not None and held[0] == account.revision:
            return held[1]
        return await self._flight.get(f"{account.account_id}/{account.revision}", lambda: self._fetch(account))

    async def _fetch(self, account: Account) -> AwsCredentials:
        found = await self._shared(account) or await self._asked(account)
        life = found.expire_time - self._now() - MIN_LIFETIME
        if life > 0:
            self._memory.put(account.account_id, (account.revision, found), life)
        return found

    async def _shared(self, account: Account) -> AwsCredentials | None:
        key = credentials_key(self._ring, account.account_id, account.revision, account.iam_role_arn)
        opened = await self._entries.get(key)
        if opened is None:
            return None
        try:
            entry = json.loads(opened.get_secret_value())
            access_key_id, secret_access_key, session_token = (SecretStr(entry[name]) for name in _SECRETS)
            found = AwsCredentials(access_key_id, secret_access_key, session_token, float(entry["expire_time"]))
        except (ValueError, TypeError, KeyError):  # another version's shape: as good as none
            return None
        return found if found.expire_time - self._now() >= MIN_LIFETIME else None

    async def _asked(self, account: Account) -> AwsCredentials:
        request = iam_service_pb2.AssumeRoleRequest(account_id=account.account_id)
        answer = await invoke(self._iam.AssumeRole, request, dependency="iam")
        return AwsCredentials(
            SecretStr(answer.access_key_id),
            SecretStr(answer.secret_access_key),
            SecretStr(answer.session_token),
            answer.expire_time.ToMilliseconds() / 1000,
        )
