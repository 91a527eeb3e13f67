"""moto's KMS over HTTP on loopback, for the tests of wrapped keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer
from sellergate_common.crypto.sealing import encode_key
from sellergate_common.crypto.wrapping import wrapped

ACCESS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass
class KmsServer:
    """A running KMS with one key."""

    url: str
    client: Any
    key: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which a process reaches it."""
        return {**ACCESS, "AWS_ENDPOINT_URL_KMS": self.url}

    def wrap(self, key: bytes, use: str, kid: str = "single") -> str:
        """Wrap a key as the documentation says, without Sellergate's code for the context."""
        context = {"sellergate": use, "kid": kid}
        response = self.client.encrypt(KeyId=self.key, Plaintext=key, EncryptionContext=context)
        return wrapped(response["CiphertextBlob"])


@contextmanager
def running_kms() -> Iterator[KmsServer]:
    """Start a KMS with one key on an ephemeral port."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.session.Session().client(
            "kms",
            endpoint_url=url,
            region_name=ACCESS["AWS_REGION"],
            aws_access_key_id=ACCESS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ACCESS["AWS_SECRET_ACCESS_KEY"],
        )
        yield KmsServer(url, client, client.create_key()["KeyMetadata"]["Arn"])
        client.close()
    finally:
        server.stop()


def line(kid: str, key: bytes) -> str:
    """Write a plain line of a key ring."""
    return f"{kid} {encode_key(key)}"
