"""The names in the shared Redis: one writer a prefix, and never an id or a secret in a name.

| prefix | writer | what |
|---|---|---|
| acct: | account | changes of accounts (pub/sub) |
| tok: | token | sealed access tokens, failures, leases; changes and leases given back (pub/sub) |
| cred: | iam | sealed AWS credentials, failures, leases; changes and leases given back (pub/sub) |
| hook: | token | digests of webhook messages that were received |
| state: | token | sealed beginnings of authorizations, by their state |
| quota: | gateway | buckets and learned rates; rates that changed (pub/sub) |
| rdt: | gateway | sealed Restricted Data Tokens, failures, leases; changes and leases given back (pub/sub) |
| cap: | gateway | sealed captures that operators have begun, and what was captured |
| rpt: | gateway | types of report documents; reports that are being made |
| edge: | edge | counts of users' requests and of failed authentications |
"""

from sellergate_common.crypto.sealing import KeyRing

ACCOUNT_CHANGES = "acct:changes"
TOKEN_PREFIX = "tok:"
TOKEN_CHANGES = "tok:changes"
TOKEN_DONE = "tok:done"
HOOK_PREFIX = "hook:"
STATE_PREFIX = "state:"
CREDENTIALS_PREFIX = "cred:"
CREDENTIALS_CHANGES = "cred:changes"
CREDENTIALS_DONE = "cred:done"
QUOTA_PREFIX = "quota:"
QUOTA_MOVES = "quota:moves"
RESTRICTED_PREFIX = "rdt:"
RESTRICTED_CHANGES = "rdt:changes"
RESTRICTED_DONE = "rdt:done"
REPORT_PREFIX = "rpt:"
CAPTURE_PREFIX = "cap:"
# Requests of users and failed authentications; edge writes it.
EDGE_PREFIX = "edge:"
REPORT_DONE = "rpt:done"
# What a message on a channel of changes says in place of an account id when all are meant.
ALL = "*"


def token_key(ring: KeyRing, account_id: str, revision: int) -> str:
    """Name the entry of an account's access token. The revision changes with every credential, so an old token is never found."""
    return f"{TOKEN_PREFIX}{{{ring.index('token', account_id, str(revision))}}}"


def grantless_key(ring: KeyRing, application_id: str, etag: str, scope: str) -> str:
    """Name the entry of an application's own token for a scope; it is never found by another application, nor for another scope."""
    return f"{TOKEN_PREFIX}{{{ring.index('grantless', application_id, etag, scope)}}}"


def callers_token_key(ring: KeyRing, *parts: str) -> str:
    """Name the entry of a token for credentials that a caller keeps itself, by these and the caller; it holds none of them."""
    return f"{TOKEN_PREFIX}{{{ring.index('callers-token', *parts)}}}"


def verification_key(ring: KeyRing, account_id: str) -> str:
    """Name the turn of verifying an account. It is no entry of the cache of tokens, whose names end with the brace."""
    return f"{TOKEN_PREFIX}{{{ring.index('verification', account_id)}}}:verify"


def state_key(ring: KeyRing, state: str) -> str:
    """Name the entry of an authorization that was begun, by its state."""
    return f"{STATE_PREFIX}{{{ring.index('state', state)}}}"


def credentials_key(ring: KeyRing, account_id: str, revision: int, role_arn: str) -> str:
    """Name the entry of the credentials of an account's role, with the default session name and duration."""
    return f"{CREDENTIALS_PREFIX}{{{ring.index('credentials', account_id, str(revision), role_arn)}}}"


def callers_credentials_key(ring: KeyRing, *parts: str) -> str:
    """Name the entry of a bare role's credentials by all that changes them, and the caller whose they are."""
    return f"{CREDENTIALS_PREFIX}{{{ring.index('callers-credentials', *parts)}}}"


def restricted_key(ring: KeyRing, account_id: str, revision: int, resources: str) -> str:
    """Name the entry of an account's Restricted Data Token for certain resources."""
    return f"{RESTRICTED_PREFIX}{{{ring.index('restricted', account_id, str(revision), resources)}}}"


def report_key(ring: KeyRing, *parts: str) -> str:
    """Name the entry of a report or its document."""
    return f"{REPORT_PREFIX}{{{ring.index('report', *parts)}}}"
