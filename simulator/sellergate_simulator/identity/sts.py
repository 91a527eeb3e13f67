"""AWS STS: AssumeRole and GetCallerIdentity in the query protocol of botocore's client.

Sources: AWS's STS reference (parameters, bounds, errors), botocore's sts model (element names).
"""

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl
from uuid import uuid4
from xml.sax.saxutils import escape

from sellergate_simulator.clock import Clock, iso
from sellergate_simulator.control.counters import Counters
from sellergate_simulator.http.responses import Response
from sellergate_simulator.identity.signatures import SignatureRefused, SignedRequest, is_signed, verify
from sellergate_simulator.state import AwsKey, World

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

SHORTEST_SECONDS, DEFAULT_SECONDS, LONGEST_SECONDS = 900, 3600, 43_200
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(?:.*/)?([\w+=,.@-]+)", re.ASCII)
_REFUSALS = {
    "unknown_key": "InvalidClientTokenId",
    "expired_session": "ExpiredToken",
    "malformed": "IncompleteSignature",
}


class StsError(Exception):
    """A refused request."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.response = _xml(
            status,
            f"<ErrorResponse xmlns='{_NAMESPACE}'><Error><Type>Sender</Type><Code>{code}</Code>"
            f"<Message>{escape(message)}</Message></Error><RequestId>{{request_id}}</RequestId></ErrorResponse>",
        )


@dataclass(slots=True)
class SecurityTokenService:
    """POST / with a form-encoded Action."""

    world: World
    counters: Counters
    clock: Clock

    def respond(self, path: str, raw_query: str, headers: "CIMultiDictProxy[str]", body: bytes) -> Response:
        """Return the response to one request, and count it."""
        try:
            caller = self._caller(SignedRequest("POST", path, raw_query, headers, body))
            fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
            action = fields.get("Action", "")
            return self._act(action, caller, fields)
        except StsError as error:
            self.counters.sts_rejected += 1
            return error.response

    def _act(self, action: str, caller: AwsKey, fields: dict[str, str]) -> Response:
        if action == "GetCallerIdentity":
            return _result(action, _identity(caller))
        if action != "AssumeRole":
            raise StsError(400, "InvalidAction", f"Could not find operation {action:.40} for version 2011-06-15")
        result = self._assume_role(caller, fields)
        self.counters.assume_role += 1
        return _result(action, result)

    def _caller(self, request: SignedRequest) -> AwsKey:
        if not is_signed(request.headers):
            raise StsError(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        try:
            return verify(request, service="sts", regions=None, key_of=self.world.aws_keys.get, now=self.clock.wall())
        except SignatureRefused as refused:
            code = _REFUSALS.get(refused.kind, "SignatureDoesNotMatch")
            raise StsError(403, code, refused.message) from None

    def _assume_role(self, caller: AwsKey, fields: dict[str, str]) -> str:
        arn, session_name = fields.get("RoleArn", ""), fields.get("RoleSessionName", "")
        parts = _ROLE_ARN.fullmatch(arn)
        if parts is None:
            raise StsError(400, "ValidationError", f"{arn:.60} is invalid")
        if not _SESSION_NAME.fullmatch(session_name):
            raise _constraint(session_name, "roleSessionName", "satisfy regular expression pattern: [\\w+=,.@-]{2,64}")
        duration = _duration(fields.get("DurationSeconds", str(DEFAULT_SECONDS)))
        expected = self.world.roles.get(arn)
        if arn not in self.world.roles or (expected is not None and fields.get("ExternalId") != expected):
            who = caller.assumed_role_arn or f"arn:aws:iam::000000000000:user/{caller.access_key_id}"
            message = f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            raise StsError(403, "AccessDenied", message)
        now = self.clock.wall()
        role_id = f"AROA{secrets.token_hex(8).upper()}:{session_name}"
        session = AwsKey(
            access_key_id=f"ASIA{secrets.token_hex(8).upper()}",
            secret_access_key=secrets.token_urlsafe(30),
            session_token=secrets.token_urlsafe(180),
            expires_at=float(int(now) + duration),
            assumed_role_arn=f"arn:aws:sts::{parts[1]}:assumed-role/{parts[2]}/{session_name}",
        )
        self.world.add_keys([session])
        return (
            f"<Credentials><AccessKeyId>{session.access_key_id}</AccessKeyId>"
            f"<SecretAccessKey>{session.secret_access_key}</SecretAccessKey>"
            f"<SessionToken>{session.session_token}</SessionToken>"
            f"<Expiration>{iso(int(now) + duration)}</Expiration></Credentials>"
            f"<AssumedRoleUser><Arn>{escape(session.assumed_role_arn or '')}</Arn>"
            f"<AssumedRoleId>{escape(role_id)}</AssumedRoleId></AssumedRoleUser>"
        )


def throttled() -> Response:
    """Return STS's throttling error."""
    return StsError(400, "Throttling", "Rate exceeded").response


def _duration(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise StsError(400, "MalformedInput", "DurationSeconds is not a number")
    if int(text) < SHORTEST_SECONDS:
        raise _constraint(text, "durationSeconds", f"have value greater than or equal to {SHORTEST_SECONDS}")
    if int(text) > LONGEST_SECONDS:
        raise _constraint(text, "durationSeconds", f"have value less than or equal to {LONGEST_SECONDS}")
    return int(text)


def _constraint(value: str, name: str, rule: str) -> StsError:
    message = (
        f"1 validation error detected: Value '{value:.80}' at '{name}' failed to satisfy constraint: Member must {rule}"
    )
    return StsError(400, "ValidationError", message)


def _identity(caller: AwsKey) -> str:
    arn = caller.assumed_role_arn or f"arn:aws:iam::000000000000:user/{caller.access_key_id}"
    account = arn.split(":")[4]
    return f"<Arn>{escape(arn)}</Arn><UserId>{caller.access_key_id}</UserId><Account>{account}</Account>"


def _result(action: str, result: str) -> Response:
    return _xml(
        200,
        f"<{action}Response xmlns='{_NAMESPACE}'><{action}Result>{result}</{action}Result>"
        f"<ResponseMetadata><RequestId>{{request_id}}</RequestId></ResponseMetadata></{action}Response>",
    )


def _xml(status: int, text: str) -> Response:
    request_id = str(uuid4())
    body = text.replace("{request_id}", request_id).encode()
    return Response(status, body, "text/xml", {"x-amzn-RequestId": request_id})
