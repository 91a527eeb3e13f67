"""The TLS of outgoing HTTP."""

import ssl

from sellergate_common.outbound.route import Route


def test_authorities_are_read_once_for_all_clients_and_requests() -> None:
    """A client that opens a session for each request would otherwise read them each time, on the event loop."""
    context = Route({}).tls_context()
    assert context is Route({}).tls_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
