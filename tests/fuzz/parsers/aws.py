"""Clients of boto3 that get their responses from an input, and parse them as they parse those of AWS."""

import io
from collections.abc import Callable
from typing import Any

from tests.fuzz.parsers.inputs import http_of


class _Raw(io.BytesIO):
    """The body of a response, as botocore reads it."""

    def stream(self, **_: object) -> Any:
        """Yield the body."""
        yield self.read()


def respond(service: str) -> tuple[Any, Callable[[bytes], None]]:
    """Return a client of a service of AWS, and a function that sets the response to its next request."""
    import boto3
    from botocore import UNSIGNED
    from botocore.awsrequest import AWSResponse, HeadersDict
    from botocore.config import Config

    given = [b""]

    def send(request: Any, **_: object) -> AWSResponse:
        one = http_of(given[0])
        headers = HeadersDict({name: value for name, value in one.headers if name})
        return AWSResponse(request.url, one.status, headers, _Raw(one.body))

    config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, signature_version=UNSIGNED)
    session = boto3.session.Session(region_name="eu-west-1")
    client = session.client(service, config=config)
    client.meta.events.register("before-send", send)
    return client, lambda data: given.__setitem__(0, data)
