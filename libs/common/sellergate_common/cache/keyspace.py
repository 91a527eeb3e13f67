"""Names of the keys and channels in the shared Redis: each prefix has one writer, and no name holds an ID or a secret.

| prefix | writer | content |
|---|---|---|
| acct: | account | changes of accounts (pub/sub) |
| tok: | token | sealed access tokens, failures, leases; changes and released leases (pub/sub) |
| cred: | iam | sealed AWS credentials, failures, leases; changes and released leases (pub/sub) |
| hook: | token | digests of received webhook messages |
| state: | token | sealed pending authorizations, by their state |
| quota: | gateway | buckets and learned rates; rates that changed (pub/sub) |
| rdt: | gateway | sealed Restricted Data Tokens, failures, leases; changes and released leases (pub/sub) |
| cap: | gateway | sealed captures that operators and users have started, and the captured exchanges |
| rpt: | gateway | types of report documents; reports in progress |
| edge: | edge | counts of users' requests and failed authentications |
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
# Counts of users' requests and of failed authentications; only edge writes them.
EDGE_PREFIX = "edge:"
REPORT_DONE = "rpt:done"
# The message on a change channel that means all accounts.
ALL = "*"


def token_key(ring: KeyRing, account_id: str, revision: int) -> str:
    """Name the entry of an account's access token. The revision changes with every credential, so an old token cannot be found."""
    return f"{TOKEN_PREFIX}{{{ring.index('token', account_id, str(revision))}}}"


def grantless_key(ring: KeyRing, application_id: str, etag: str, scope: str) -> str:
    """Name the entry of an application's token for a grantless scope, distinct for each application and scope."""
    return f"{TOKEN_PREFIX}{{{ring.index('grantless', application_id, etag, scope)}}}"


def callers_token_key(ring: KeyRing, *parts: str) -> str:
    """Name the entry of a token for credentials that a caller supplies, by the caller and the credentials' HMAC."""
    return f"{TOKEN_PREFIX}{{{ring.index('callers-token', *parts)}}}"


def verification_key(ring: KeyRing, account_id: str) -> str:
    """Name the lease for verifying an account. It cannot be confused with a token's entry, whose name ends with the brace."""
    return f"{TOKEN_PREFIX}{{{ring.index('verification', account_id)}}}:verify"


def state_key(ring: KeyRing, state: str) -> str:
    """Name the entry of a pending authorization, by its state."""
    return f"{STATE_PREFIX}{{{ring.index('state', state)}}}"


def credentials_key(ring: KeyRing, account_id: str, revision: int, role_arn: str) -> str:
    """Name the entry of the credentials of an account's role, with the default session name and duration."""
    return f"{CREDENTIALS_PREFIX}{{{ring.index('credentials', account_id, str(revision), role_arn)}}}"


def callers_credentials_key(ring: KeyRing, *parts: str) -> str:
    """Name the entry of a bare role's credentials by the caller and every parameter that changes them."""
    return f"{CREDENTIALS_PREFIX}{{{ring.index('callers-credentials', *parts)}}}"


def restricted_key(ring: KeyRing, account_id: str, revision: int, resources: str) -> str:
    """Name the entry of an account's Restricted Data Token for certain resources."""
    return f"{RESTRICTED_PREFIX}{{{ring.index('restricted', account_id, str(revision), resources)}}}"


def report_key(ring: KeyRing, *parts: str) -> str:
    """Name the entry of a report or its document."""
    return f"{REPORT_PREFIX}{{{ring.index('report', *parts)}}}"
