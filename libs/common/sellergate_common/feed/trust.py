"""The time for which this process may trust its copies."""

import math

TRUST_SECONDS = 5.0
"""How late a change may take effect in a process, in seconds after it was acknowledged."""


class Trust:
    """A span of this process's monotonic clock, in seconds: until `until`, the copies lack no change older than TRUST_SECONDS.

    It counts from the start of a request for changes: the response holds all changes that were acknowledged before.
    """

    __slots__ = ("since", "until")

    def __init__(self) -> None:
        self.since = -math.inf
        self.until = -math.inf

    def renew(self, began: float) -> None:
        """Trust the copies for TRUST_SECONDS from the start of a request whose changes they have all been given."""
        self.since = began
        self.until = began + TRUST_SECONDS
