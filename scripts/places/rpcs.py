"""The places of an RPC: its method, the policy of callers, the page that shows this policy, and tests."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.places.tree import Tree, sentence

HEADING = "Add an RPC"
POLICY = "libs/common/sellergate_common/identity/policy.py"
PAGE = "docs/threat-model.md"
TEST = "tests/unit/common/identity/test_policy.py"
TABLE_TEST = "tests/e2e/test_identity_table.py"
IDENTITIES = ("edge", "gateway", "token", "iam", "account", "client/<name>")
# Tests that reach an RPC through REST, a command or another service, and therefore do not name it.
INDIRECT = {
    "VerifyAuditAnchors": "tests/e2e/test_audit_commands.py",
    "RecordCapture": "tests/e2e/test_capture.py",
    "StartCapture": "tests/e2e/test_recent_calls.py",
    "EndCapture": "tests/e2e/test_recent_calls.py",
    "ListCapturedExchanges": "tests/e2e/test_recent_calls.py",
    "MarkAuthorizationRevoked": "tests/e2e/test_verification.py",
    "RestoreAuthorization": "tests/e2e/test_verification.py",
    "VerifyAccount": "tests/e2e/test_verification.py",
    "FindApplication": "tests/e2e/test_rotation_queue.py",
    "RecordSecretExpiry": "tests/e2e/test_rotation_queue.py",
    "GetClient": "tests/e2e/test_dropin.py",
    "StartAuthorization": "tests/e2e/test_oauth.py",
    "CompleteAuthorization": "tests/e2e/test_oauth.py",
}
_ROW = re.compile(r"^\| `(\w+|client/<name>)` \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method of a contract: "account", "sellergate.account.v1.AccountService", "GetAccount"."""

    process: str
    service: str
    name: str
    contract: str

    @property
    def short(self) -> str:
        """Service and method as the pages write them."""
        return f"{self.service.rpartition('.')[2]}/{self.name}"


def missing(tree: Tree) -> Iterator[str]:
    """Yield a sentence for each place that lacks an RPC."""
    rpcs = list(_rpcs(tree))
    test, tested = tree.text(TEST), tree.words_of_tests(TEST, TABLE_TEST)
    for rpc in rpcs:
        home = f"services/{rpc.process}/sellergate_{rpc.process}"
        code = tree.texts(f"{home}/servicer.py", f"{home}/rpc/*.py")
        if not re.search(rf"^    (async )?def {rpc.name}\(", code, re.MULTILINE):
            yield sentence(home, f"has no method {rpc.name} in servicer.py or rpc/", HEADING)
        if f'"{rpc.short}":' not in test:
            yield sentence(TEST, f"has no row for {rpc.short} in CALLERS", HEADING)
        named = {rpc.name, _snake(rpc.name)} & tested
        if not (named or tree.text(INDIRECT.get(rpc.name, ""))):
            yield sentence("tests/", f"has no test that names {rpc.name} or {_snake(rpc.name)}", HEADING)
    yield from _callers(tree, rpcs)
    for contract in sorted({rpc.contract for rpc in rpcs}):
        for path in (TEST, TABLE_TEST):
            if f"{contract}_pb2" not in tree.text(path):
                yield sentence(path, f"does not import {contract}_pb2", HEADING)


def _callers(tree: Tree, rpcs: Sequence[Rpc]) -> Iterator[str]:
    """Compare the policy of callers with the page that shows it."""
    allowed = _policy(tree)
    page = {name: cell.partition(";")[0] for name, cell in _ROW.findall(tree.text(PAGE))}
    known = {rpc.service + "/" for rpc in rpcs} | {f"{rpc.service}/{rpc.name}" for rpc in rpcs}
    for name in sorted(allowed.keys() - known):
        yield sentence("protos/", f"has no {name}, which {POLICY} names", HEADING)
    for rpc in rpcs:
        service = rpc.service + "/"
        if service not in allowed:
            yield sentence(POLICY, f"has no row for {service}", HEADING)
        callers = allowed.get(service + rpc.name, allowed.get(service, frozenset()))
        for identity in IDENTITIES:
            in_policy = identity.replace("<name>", "*") in callers
            on_page = _is_on_page(page.get(identity, ""), rpc)
            if in_policy and not on_page:
                yield sentence(PAGE, f"does not say that {identity} may call {rpc.short}", HEADING)
            if on_page and not in_policy:
                yield sentence(POLICY, f"does not let {identity} call {rpc.short}, as {PAGE} says", HEADING)


def _rpcs(tree: Tree) -> Iterator[Rpc]:
    for file in tree.files("protos/sellergate/*/v1/*.proto"):
        text = file.read_text(encoding="utf-8")
        for service, body in re.findall(r"^service (\w+) \{$(.*?)^\}$", text, re.MULTILINE | re.DOTALL):
            process = file.parent.parent.name
            for name in re.findall(r"^  rpc (\w+)\(", body, re.MULTILINE):
                yield Rpc(process, f"sellergate.{process}.v1.{service}", name, file.stem)


def _policy(tree: Tree) -> Mapping[str, frozenset[str]]:
    """Return the tree's own table of callers."""
    module: dict[str, Any] = {"__name__": "sellergate_common.identity.policy"}
    exec(compile(tree.text(POLICY), POLICY, "exec"), module)  # noqa: S102  (a module of this project)
    allowed: Mapping[str, frozenset[str]] = module["ALLOWED"]
    return allowed


def _is_on_page(cell: str, rpc: Rpc) -> bool:
    service, _, name = rpc.short.partition("/")
    for named, but in re.findall(r"(\w+Service(?:/\w+)?)(?: \(not (\w+)\))?", cell):
        if named == rpc.short or (named == service and name != but):
            return True
    return False


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
