"""Ids and secrets that cannot be guessed."""

import secrets
import time
import uuid


def new_uuid7() -> str:
    """Return a UUID of version 7 (RFC 9562 §5.7): 48 bits of milliseconds, then random bits; it sorts by time."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def new_external_id() -> str:
    """Return a random external id for roles: 128 bits, within what STS takes (2 to 1,224 letters, digits, =,.@:/-)."""
    return f"sellergate-{secrets.token_hex(16)}"


def new_secret() -> str:
    """Return 256 random bits as URL-safe text, for the credentials of drop-in clients."""
    return secrets.token_urlsafe(32)
