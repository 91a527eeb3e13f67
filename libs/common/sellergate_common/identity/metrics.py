"""When the certificate of this process ends, as a metric."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from cryptography import x509
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import REGISTRY, Collector

from sellergate_common.identity.renewal import renewals
from sellergate_common.identity.tls import Identity


class CertificateMetrics(Collector):
    """`sellergate_certificate_end_time_seconds` of the certificate in use."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def collect(self) -> Iterator[Metric]:
        """Return when it ends."""
        end = x509.load_pem_x509_certificate(self._identity.certificate).not_valid_after_utc
        words = "When the certificate of this process ends, in seconds since 1970"
        yield GaugeMetricFamily("sellergate_certificate_end_time_seconds", words, end.timestamp())

    async def follow(self) -> None:
        """Take up renewed certificates until cancelled."""
        async for identity in renewals(self._identity):
            self._identity = identity


@asynccontextmanager
async def certificate_metrics(identity: Identity, registry: CollectorRegistry = REGISTRY) -> AsyncIterator[None]:
    """Tell it while the body runs."""
    metrics = CertificateMetrics(identity)
    registry.register(metrics)
    following = asyncio.create_task(metrics.follow())
    try:
        yield
    finally:
        following.cancel()
        registry.unregister(metrics)
