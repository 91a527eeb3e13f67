"""Amazon SQS through boto3, in its own threads, so that it never blocks the event loop.

boto3 finds this process's AWS credentials and the endpoint (AWS_ENDPOINT_URL_SQS) by its own chain.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from sellergate_common.blocking.aws import bound_session
from sellergate_common.blocking.threads import Threads
from sellergate_common.outbound.route import DIRECT, Route

from sellergate_token.rotation.consumer import QueueMessage, QueueUnavailable

WAIT_SECONDS = 20
_MOST_MESSAGES = 10
# Ten messages of SQS's largest size, 1 MiB each ("Amazon SQS message quotas"), with their envelopes.
_MOST_BYTES = 12 * 1024 * 1024
# A cancelled receive may occupy a thread until its poll ends; deletions continue meanwhile.
_THREADS = 4
# boto3 limits only each wait on the socket; this limits a whole request, beyond its long poll.
_SECONDS = 10.0
# boto3 does not retry, since the consumer backs off itself. A long poll ends after WAIT_SECONDS at the latest.
_CONFIG = Config(connect_timeout=3, read_timeout=WAIT_SECONDS + 5, retries={"total_max_attempts": 1})
_NOT_OF_A_CODE = re.compile(r"[^A-Za-z0-9.]")


class SqsQueue:
    """A queue by its URL. The boto3 client is made at the first use, so that a failure to make it counts as an outage."""

    def __init__(
        self,
        url: str,
        region: str | None,
        *,
        visibility_seconds: int,
        wait_seconds: int = WAIT_SECONDS,
        route: Route = DIRECT,
    ) -> None:
        self._route = route
        self._url = url
        self._region = region
        self._wait_seconds = wait_seconds
        self._visibility_seconds = visibility_seconds
        self._making = Lock()
        self.threads = Threads("sqs", _THREADS)

    async def receive(self) -> Sequence[QueueMessage]:
        """Wait for messages and return them, or an empty list."""
        messages: Sequence[QueueMessage] = await self._call(self._receive, self._wait_seconds + _SECONDS)
        return messages

    async def delete(self, message: QueueMessage) -> None:
        """Delete a message."""
        await self._call(
            lambda client: client.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt), _SECONDS
        )

    def _receive(self, client: Any) -> Sequence[QueueMessage]:
        response = client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_MOST_MESSAGES,
            WaitTimeSeconds=self._wait_seconds,
            VisibilityTimeout=self._visibility_seconds,
        )
        return [QueueMessage(one["Body"].encode(), one["ReceiptHandle"]) for one in response.get("Messages", ())]

    async def _call(self, request: Callable[[Any], Any], seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                return await self.threads.run(lambda: request(self._ready()))
        except ClientError as error:
            code = _NOT_OF_A_CODE.sub("", str(error.response.get("Error", {}).get("Code", "")))[:64]
            raise QueueUnavailable(f"SQS refused the request ({code})") from None
        except Exception as error:  # noqa: BLE001  (boto3 raises errors of any type for an endpoint that is not SQS)
            raise QueueUnavailable(f"SQS cannot be reached ({type(error).__name__})") from None

    def _ready(self) -> Any:
        with self._making:
            return self._client

    @cached_property
    def _client(self) -> Any:
        session = bound_session(boto3.session.Session(), self._route, _MOST_BYTES)
        return session.client("sqs", region_name=self._region, config=_CONFIG)
