"""Every outgoing client against servers that are silent or slow for longer than the clients' deadlines."""

import pytest

from tests.integration.storms import Storm
from tests.integration.test_storms import (
    publisher,
    simulator,
    test_documents,
    test_jwks,
    test_jwks_publisher,
    test_kms,
    test_lwa,
    test_postgres,
    test_redis,
    test_sp_api,
    test_sqs,
    test_sts,
)

__all__ = [
    "publisher",
    "simulator",
    "test_documents",
    "test_jwks",
    "test_jwks_publisher",
    "test_kms",
    "test_lwa",
    "test_postgres",
    "test_redis",
    "test_sp_api",
    "test_sqs",
    "test_sts",
]
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def storm() -> Storm:
    """Run a storm longer than the deadlines of LWA (10 s), STS and PostgreSQL."""
    return Storm(silent=13.0, slow=12.0, callers=300)
