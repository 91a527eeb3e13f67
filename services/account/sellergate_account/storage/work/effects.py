"""The effects that a transaction has once it is committed."""

from dataclasses import dataclass, field

from sellergate_account.model import Anchor, SecretRef


@dataclass(slots=True)
class Effects:
    """The effects after COMMIT: anchors of appended audit events to log, and secrets of removed rows to delete."""

    anchors: list[Anchor] = field(default_factory=list)
    removed_secrets: list[tuple[SecretRef, str]] = field(default_factory=list)
