"""The port of change notifications."""

from typing import Protocol


class ChangePublisher(Protocol):
    """The feed of changed accounts; cached copies in other services live 5 s at most, also without it."""

    async def publish(self, account_id: str) -> None:
        """Publish that this account changed ("*": all may have). Raises nothing: the change is stored already."""
