"""The rules of signatures: requests to SP-API in the region of an account's marketplace, and to no other AWS service."""

from sellergate_amazon.paths import check_path, check_query
from sellergate_common.errors import FieldViolation, InvalidRequest
from sellergate_common.sites import Site, Sites

from sellergate_iam.credentials import Credentials
from sellergate_iam.ports import Accounts, Headers, Signer, UnsignedRequest

# The signer sets these itself. A caller's values could make the signature valid for another host, time or body.
_RESERVED_HEADERS = frozenset(
    {"authorization", "date", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"}
)


class Signatures:
    """Signatures with the credentials of accounts' roles."""

    def __init__(self, accounts: Accounts, credentials: Credentials, sites: Sites, signer: Signer) -> None:
        self._accounts = accounts
        self._credentials = credentials
        self._sites = sites
        self._signer = signer

    async def sign(self, account_id: str, request: UnsignedRequest) -> Headers:
        """Return the headers to add. Raises NotFound, PreconditionFailed, InvalidRequest, NotAllowed, RoleRejected, Unavailable."""
        _check_headers(request.headers)
        role = await self._accounts.role(account_id)
        region = self._check_url(request.url, role.marketplace)
        return self._signer.sign(request, await self._credentials.of(role), region)

    def _check_url(self, url: str, marketplace: str) -> str:
        """Return the signing region of a URL that belongs to a marketplace. Raises InvalidRequest that names `url`."""
        sites = [self._sites.of(marketplace, sandbox=sandbox) for sandbox in (False, True)]
        addresses = list(dict.fromkeys(address for site in sites for address in _addresses(site)))
        # URLs are compared as text, so that two parsers cannot find different hosts in one URL.
        rest = next((url.removeprefix(one) for one in addresses if url.startswith((f"{one}/", f"{one}?"))), None)
        if rest is None and url not in addresses:
            raise InvalidRequest.of_field("url", f"must begin with one of {', '.join(addresses)}, and then a path")
        path, _, query = (rest or "").partition("?")
        try:
            check_path(path or "/")
            check_query(query)
        except ValueError as error:
            raise InvalidRequest.of_field("url", str(error)) from None
        return sites[0].region.signing_region


def _addresses(site: Site) -> tuple[str, str]:
    """Return the configured base URL of a site, and Amazon's own."""
    return site.base_url, f"https://{site.region.sandbox_host if site.sandbox else site.region.host}"


def _check_headers(headers: Headers) -> None:
    violations = [
        FieldViolation(f"headers[{index}].name", f"{name.lower()} is set by the signature; leave it out")
        for index, (name, _) in enumerate(headers)
        if name.lower() in _RESERVED_HEADERS
    ]
    if violations:
        raise InvalidRequest("; ".join(violation.description for violation in violations), violations=violations)
