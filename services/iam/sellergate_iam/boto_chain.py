"""The process's own AWS credentials, which boto3's chain finds and renews, and the STS clients made with them."""

from threading import Lock
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from sellergate_common.blocking.aws import bound_session
from sellergate_common.errors import Unavailable
from sellergate_common.outbound.route import DIRECT, Route

from sellergate_iam.sts_errors import unusable
from sellergate_iam.threads import THREADS

_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    max_pool_connections=THREADS,
    # Only `sts` retries. STS itself reports parameters that it does not accept.
    retries={"total_max_attempts": 1},
    parameter_validation=False,
)


class BotoChain:
    """One reading of the chain. boto3 renews expiring credentials, but reads files with keys only once.

    `region` is that of the STS which the chain itself calls for a web identity or a role of this service.
    """

    def __init__(self, region: str, route: Route = DIRECT) -> None:
        self.region = region
        self.route = route
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    def client(self, region: str) -> Any:
        """Return the STS client of a region, made once and shared by threads. Blocks. Raises OwnCredentials, Busy, Unavailable.

        The service's own credentials are found or renewed before the call, so that their refusal is not reported as the role's.
        """
        try:
            self._ready()
        except Exception as error:  # noqa: BLE001  (the chain reads files, sockets and configuration of any form)
            raise unusable(error) from None
        try:
            with self._lock:
                if region not in self._clients:
                    self._clients[region] = self._session.client("sts", region_name=region, config=_CONFIG)
                return self._clients[region]
        except Exception as error:  # noqa: BLE001  (boto3 raises errors of several types for a bad endpoint or region)
            message = f"STS of region {region} cannot be used ({type(error).__name__}); check AWS_ENDPOINT_URL_STS"
            raise Unavailable(f"{message} and the account's region.", retry_after=5.0) from None

    def _ready(self) -> None:
        # Two threads may use a session or client at once, but not create one.
        with self._lock:
            self._session = self._session or bound_session(boto3.session.Session(region_name=self.region), self.route)
            own = self._session.get_credentials()
        if own is None:
            raise NoCredentialsError
        own.get_frozen_credentials()
