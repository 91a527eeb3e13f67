"""The comparison of stored rows with the audit log: each has a valid MAC, and none is missing or an earlier version."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from sellergate_account.audit import CREATED, GLOBAL, REMOVED
from sellergate_account.model import AuditEvent, StoredRow

NOT_WRITTEN_HERE = "it was not written by this service with its keys"
_RESTORED = "it was restored to an earlier state"
_CHANGES = frozenset({"application.updated", "application.secret_rotated"})


@dataclass(slots=True)
class RecordedRows:
    """The applications, drop-in clients and drop-in refresh tokens that the audit log records."""

    # The version of each application: 1, and one more for each change.
    versions: dict[str, int] = field(default_factory=dict)
    clients: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    # The clients that have a drop-in refresh token, by account.
    handles: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def record(self, event: AuditEvent) -> None:
        """Record an event; the events of one chain come in order."""
        kind, _, subject = event.subject.partition("/")
        match event.action:
            case "application.created":
                self.versions[subject] = 1
            case "application.removed":
                self.versions.pop(subject, None)
            case action if action in _CHANGES and subject in self.versions:
                self.versions[subject] += 1
            case "client.created":
                self.clients.add(subject)
            case "client.revoked":
                self.revoked.add(subject)
            case "client.forgotten":
                self.clients.discard(subject)
                self.forgotten.add(subject)
            case "client.handle_issued" if kind == "client":
                self.handles[event.chain].add(subject)
            case action if action in (CREATED, REMOVED) and event.chain != GLOBAL:
                self.handles.pop(event.chain, None)


async def check_rows(rows: AsyncIterator[StoredRow], recorded: RecordedRows, fault: Callable[[str, str], None]) -> None:
    """Report each fault with the row's name ("accounts/<id>") and a description."""
    external_ids, accounts = dict[str, object](), list[tuple[str, str, object]]()
    missing: set[tuple[str, ...]] = {("applications", one) for one in recorded.versions}
    missing |= {("drop_in_clients", one) for one in recorded.clients}
    missing |= {
        ("drop_in_handles", one, account)
        for account, clients in recorded.handles.items()
        for one in clients - recorded.forgotten
    }
    async for row in rows:
        missing.discard((row.table, *row.key))
        if not row.is_authentic:
            fault(row.name, NOT_WRITTEN_HERE)
        elif _is_restored(row, recorded):
            fault(row.name, _RESTORED)
        elif row.table == "external_ids":
            external_ids[row.key[0]] = row.values["external_id"]
        elif row.table == "accounts":
            accounts.append((row.name, str(row.values["user_id"]), row.values["external_id"]))
    for _, user, external_id in accounts:
        if external_ids.setdefault(user, external_id) != external_id:
            fault(f"external_ids/{user}", "it differs from the external id of the user's accounts")
    for table, *key in sorted(missing):
        fault("/".join((table, *key)), "it is missing, and no event records its removal")


def _is_restored(row: StoredRow, recorded: RecordedRows) -> bool:
    match row.table:
        case "applications":
            return bool(row.values["version"] < recorded.versions.get(row.key[0], 0))
        case "drop_in_clients":
            lives = row.values["revoke_time"] is None
            return row.key[0] in recorded.forgotten or (lives and row.key[0] in recorded.revoked)
    return False
