"""Ends of a process that cannot start: one line of the log names the setting and the remedy."""

from typing import Any, NoReturn

from sellergate_common.observability.logs import get_logger

FAILED = 1


def end_start(event: str, advice: str, **fields: Any) -> NoReturn:
    """Log an error with the advice for the operator, and exit with code 1."""
    get_logger().error(event, **fields, advice=advice)
    raise SystemExit(FAILED) from None


def end_for_address(address: str, setting: str) -> NoReturn:
    """Exit because an address cannot be used; its port is the value of the setting."""
    advice = (
        f"set {setting} to a free port, or stop the process that listens on {address}; SELLERGATE_BIND_HOST is the host"
    )
    end_start("address_taken", advice, address=address, setting=setting)
