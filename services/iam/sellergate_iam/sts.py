"""STS through boto3, off the event loop. boto3 finds this process's own AWS credentials and the endpoint by its own chain."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from pydantic import SecretStr
from sellergate_common.context import time_left
from sellergate_common.errors import OutOfTime, RoleRejected, SellergateError, Unavailable
from sellergate_common.logs import get_logger

from sellergate_iam.ports import AwsCredentials, Role, Session

THREADS = 8
CALL_SECONDS = 10.0
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    max_pool_connections=THREADS,
    retries={"total_max_attempts": 2, "mode": "standard"},
    parameter_validation=True,
)
_THROTTLED = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded"})
_REFUSED = frozenset(
    {"AccessDenied", "AccessDeniedException", "ValidationError", "MalformedPolicyDocument", "RegionDisabledException"}
)


class BotoSts:
    """One client a region, made when it is first needed; boto3's clients may be shared by threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sts")
        self._session = boto3.session.Session()
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    async def assume(self, role: Role, session: Session) -> AwsCredentials:
        """Assume a role, with its external id. Raises RoleRejected, Unavailable, OutOfTime."""
        left = min(CALL_SECONDS, time_left(CALL_SECONDS))
        call = asyncio.get_running_loop().run_in_executor(self._threads, partial(self._assume, role, session))
        try:
            return await asyncio.wait_for(call, left)
        except TimeoutError:
            raise OutOfTime(f"STS did not answer within {left:.1f} s.") from None

    def close(self) -> None:
        """Let the threads end; calls under way are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _assume(self, role: Role, session: Session) -> AwsCredentials:
        parameters: dict[str, Any] = {
            "RoleArn": role.arn,
            "RoleSessionName": session.name,
            "DurationSeconds": session.seconds,
        }
        if role.external_id:
            parameters["ExternalId"] = role.external_id
        try:
            answer = self._client(role.region).assume_role(**parameters)["Credentials"]
        except (ClientError, BotoCoreError) as error:
            raise _explained(error, role) from None
        return AwsCredentials(
            SecretStr(answer["AccessKeyId"]),
            SecretStr(answer["SecretAccessKey"]),
            SecretStr(answer["SessionToken"]),
            answer["Expiration"].timestamp(),
            session.seconds,
        )

    def _client(self, region: str) -> Any:
        # Making a client is not safe to do in two threads at once, using one is.
        with self._lock:
            if region not in self._clients:
                self._clients[region] = self._session.client("sts", region_name=region, config=_CONFIG)
            return self._clients[region]


def _explained(error: ClientError | BotoCoreError, role: Role) -> SellergateError:
    """Say what STS's refusal means and what to do; boto3's own words may hold what was sent and stay out."""
    if isinstance(error, NoCredentialsError):
        return Unavailable("The iam service has no AWS credentials of its own; give it a role or keys.")
    if not isinstance(error, ClientError):
        get_logger().warning("sts_unreachable", cause=type(error).__name__)
        return Unavailable("STS cannot be reached; try again.", retry_after=1.0)
    code = str(error.response.get("Error", {}).get("Code", ""))
    metadata = {"aws_code": code[:64]}
    if code in _THROTTLED:
        return Unavailable("STS is throttling; try again.", retry_after=1.0, metadata=metadata)
    if code in _REFUSED:
        return RoleRejected(
            f"STS refuses to assume {role.arn} ({code}): its trust policy must name this service's AWS identity and the"
            f" account's external id, and allow the session's duration.",
            metadata=metadata,
        )
    return Unavailable(
        f"STS answered {code}; check the AWS credentials of the iam service.", retry_after=5.0, metadata=metadata
    )
