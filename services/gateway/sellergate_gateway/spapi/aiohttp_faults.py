"""The cause of a failed connection: this process and its machine, or the called host."""

import errno
import ssl

import aiohttp

# Errors of exhausted descriptors, memory, buffers or local ports.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL})


def is_own(error: BaseException) -> bool:
    """Return whether this process or its machine is at fault: resources, the resolver of names, trusted certificates."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, aiohttp.ClientConnectorDNSError | aiohttp.ClientConnectorCertificateError):
        return True
    return isinstance(cause, ssl.SSLCertVerificationError) or (isinstance(cause, OSError) and cause.errno in _EXHAUSTED)
