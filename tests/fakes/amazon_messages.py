"""Messages of Amazon's queue, as its sample "lwa-rotation" has them."""

import json
from datetime import datetime, timedelta


def new_secret(client_id: str, secret: str, moment: datetime) -> str:
    """The message that brings a new client secret, made at `moment`."""
    return _message(
        "APPLICATION_OAUTH_CLIENT_NEW_SECRET",
        "applicationOAuthClientNewSecret",
        moment,
        clientId=client_id,
        newClientSecret=secret,
        newClientSecretExpiryTime=(moment + timedelta(days=180)).isoformat(),
        oldClientSecretExpiryTime=(moment + timedelta(days=7)).isoformat(),
    )


def secret_expiry(client_id: str, until: datetime, moment: datetime) -> str:
    """The message that warns of a secret's end."""
    return _message(
        "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY",
        "applicationOAuthClientSecretExpiry",
        moment,
        clientId=client_id,
        clientSecretExpiryTime=until.isoformat(),
        clientSecretExpiryReason="PERIODIC_ROTATION",
    )


def _message(kind: str, name: str, moment: datetime, **payload: str) -> str:
    return json.dumps(
        {
            "notificationVersion": "1.0",
            "notificationType": kind,
            "payload": {name: payload},
            "notificationMetadata": {
                "applicationId": "amzn1.sellerapps.app.1",
                "subscriptionId": "subscription",
                "publishTime": moment.isoformat(),
                "notificationId": "notification",
            },
        }
    )
