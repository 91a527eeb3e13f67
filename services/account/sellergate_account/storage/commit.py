"""The effects that a transaction has once it is committed."""

from dataclasses import dataclass, field

from sellergate_account.model import Anchor, SecretRef


@dataclass(slots=True)
class Effects:
    """The anchors to log of appended audit events, and the secrets to delete of removed rows."""

    anchors: list[Anchor] = field(default_factory=list)
    removed_secrets: list[tuple[SecretRef, str]] = field(default_factory=list)
