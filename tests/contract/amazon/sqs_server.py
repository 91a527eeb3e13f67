"""moto's SQS over HTTP on loopback, for the tests of rotations."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

ACCESS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
# All of moto's servers in a process share their queues, so that names must be unique.
_NUMBERS = count()


@dataclass
class SqsServer:
    """A running SQS."""

    port: int
    client: Any
    server: ThreadedMotoServer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which a process reaches it."""
        return {**ACCESS, "AWS_ENDPOINT_URL_SQS": self.url}

    def queue(self, redrive_after: int = 0) -> tuple[str, str]:
        """Create a queue; return its URL and that of its dead-letter queue, used after so many receives (empty: none)."""
        number = next(_NUMBERS)
        if not redrive_after:
            return self._made(f"q{number}"), ""
        dead = self._made(f"q{number}-dead")
        arn = self.client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": redrive_after})
        return self._made(f"q{number}", RedrivePolicy=policy), dead

    def send(self, queue: str, body: str) -> None:
        self.client.send_message(QueueUrl=queue, MessageBody=body)

    def left(self, queue: str) -> int:
        """Return the number of messages in a queue, hidden ones included."""
        # The visible and the hidden messages are counted one after the other: one that becomes visible in between is in neither
        # count. It does so once per visibility timeout, so that one of two successive requests counts it.
        return max(self._counted(queue) for _ in range(2))

    def stop(self) -> None:
        """Stop the server; the queues keep their messages."""
        self.server.stop()

    def restart(self) -> None:
        """Start the server again at the same address."""
        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()

    def _counted(self, queue: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def _made(self, name: str, **attributes: str) -> str:
        return str(self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])


@contextmanager
def running_sqs() -> Iterator[SqsServer]:
    """Start an SQS on an ephemeral port."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    client = boto3.session.Session().client(
        "sqs",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=ACCESS["AWS_REGION"],
        aws_access_key_id=ACCESS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ACCESS["AWS_SECRET_ACCESS_KEY"],
    )
    running = SqsServer(port, client, server)
    try:
        yield running
    finally:
        client.close()
        running.stop()
