"""Application Management 2023-11-30: rotateApplicationClientSecret, whose new secret arrives only on the application's SQS queue.

The message's shape is that of Amazon's sample "lwa-rotation" (NotificationPayload.java); the old secret stays valid for 7 days.
"""

import json
import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread
from urllib.parse import urlsplit
from uuid import uuid4

import botocore.session
from botocore.config import Config

from sellergate_simulator.http.responses import Response, invalid_input
from sellergate_simulator.spapi.calls import Call, Handler
from sellergate_simulator.state import RotationQueue, World

_log = logging.getLogger("sellergate_simulator.operations.rotation")
_OLD_LIFE = timedelta(days=7)
_LIFE = timedelta(days=180)
_CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 3})

Send = Callable[[RotationQueue, str], None]


class SecretRotation:
    """The rotation of client secrets. `send` puts a message on a queue later."""

    def __init__(self, world: World, send: Send) -> None:
        self._world = world
        self._send = send

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by operation name."""
        return {"application-management/2023-11-30/rotateApplicationClientSecret": self._rotate}

    def _rotate(self, call: Call) -> Response:
        queue = self._world.rotation_queues.get(call.token.client_id)
        if queue is None or call.region is None:
            raise invalid_input("The application has no queue for its new secret, or is a sandbox application.")
        application, moment = self._world.applications[call.token.client_id], datetime.fromtimestamp(call.now, UTC)
        fresh = f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}"
        application.rotate(fresh, call.now + _OLD_LIFE.total_seconds())
        self._send(queue, _message(application.application_id, application.client_id, fresh, moment))
        return Response(204)


def _message(application_id: str, client_id: str, secret: str, moment: datetime) -> str:
    return json.dumps(
        {
            "notificationVersion": "1.0",
            "notificationType": "APPLICATION_OAUTH_CLIENT_NEW_SECRET",
            "payload": {
                "applicationOAuthClientNewSecret": {
                    "clientId": client_id,
                    "newClientSecret": secret,
                    "newClientSecretExpiryTime": (moment + _LIFE).isoformat(),
                    "oldClientSecretExpiryTime": (moment + _OLD_LIFE).isoformat(),
                }
            },
            "notificationMetadata": {
                "applicationId": application_id,
                "subscriptionId": str(uuid4()),
                "publishTime": moment.isoformat(),
                "notificationId": str(uuid4()),
            },
        }
    )


def send_later(queue: RotationQueue, message: str) -> None:
    """Put a message on an SQS queue in a separate thread, as Amazon does some time after its response."""
    Thread(target=_send, args=(queue, message), daemon=True, name="sqs").start()


def _send(queue: RotationQueue, message: str) -> None:
    parts = urlsplit(queue.url)
    try:
        client = botocore.session.Session().create_client(
            "sqs",
            region_name=queue.region,
            endpoint_url=f"{parts.scheme}://{parts.netloc}",
            aws_access_key_id="simulator",
            aws_secret_access_key="simulator",
            config=_CONFIG,
        )
        client.send_message(QueueUrl=queue.url, MessageBody=message)
        client.close()
    except Exception as error:  # noqa: BLE001  (any error of the queue; its message holds a secret)
        _log.warning("rotation message not sent", extra={"cause": type(error).__name__})
