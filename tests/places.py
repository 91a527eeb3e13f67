"""The lists of CONTRIBUTING.md as edits of a copied tree: a dummy RPC, setting, Redis key, error reason and metric."""

import re
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from scripts.places import KINDS, services
from scripts.places.tree import Tree
from tests.paths import ROOT

GATEWAY = "services/gateway/sellergate_gateway"
KEYSPACE = "libs/common/sellergate_common/cache/keyspace.py"
ERRORS = "libs/common/sellergate_common/errors.py"
RPC, SETTING, KEY = "Add an RPC", "Add a setting", "Add a Redis key"
REASON, METRIC = "Add an error reason", "Add a metric"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a list: text that is added to a file after a line (a pattern). `place` is what a failing check names."""

    path: str
    line: str
    text: str
    place: str = ""

    def do(self, root: Path) -> None:
        """Carry out the step."""
        file = root / self.path
        before = file.read_text() if file.exists() else ""
        if not self.line:
            file.write_text(before + self.text)
            return
        found = re.search(self.line, before, re.MULTILINE)
        assert found, f"{self.path} has no line {self.line}"
        file.write_text(before[: found.end()] + self.text + before[found.end() :])


NEW_TEST = "tests/unit/gateway/test_dummy.py"
STEPS = {
    RPC: (
        Step(
            "protos/sellergate/token/v1/token_service.proto",
            r"^service \w+ \{\n",
            "  rpc Dummy(A) returns (B);\n",
            "protos/",
        ),
        Step(
            "libs/common/sellergate_common/identity/policy.py",
            r"^    _TOKEN: .*\n",
            '    _TOKEN + "Dummy": frozenset({EDGE}),\n',
        ),
        Step(
            "docs/threat-model.md", r"^\| `edge` \| AccountService \(not ListAccountChanges\), ", "TokenService/Dummy, "
        ),
        Step(
            "tests/unit/common/identity/test_policy.py",
            r"^CALLERS = \{\n",
            '    "TokenService/Dummy": "edge operator",\n',
        ),
        Step(
            "services/token/sellergate_token/servicer.py", r"^class .*:\n", "    async def Dummy(\n", "services/token"
        ),
        Step(NEW_TEST, "", "Dummy()\n", "tests/"),
    ),
    SETTING: (
        Step(
            f"{GATEWAY}/settings.py", r"^    gateway_port: .*\n", "    dummy_seconds: float\n", "docs/configuration.md"
        ),
        Step(
            "docs/configuration.md",
            r"^## Gateway\n\n.*\n.*\n",
            "| `SELLERGATE_DUMMY_SECONDS` | required | gateway | Seconds. |\n",
        ),
        Step("libs/devstack/sellergate_devstack/plan.py", r'^_GATEWAY = "', "SELLERGATE_DUMMY_SECONDS "),
        Step("docker-compose.yml", r"^      SELLERGATE_IAM_TARGET: .*\n", '      SELLERGATE_DUMMY_SECONDS: "1"\n'),
        Step(
            "deploy/k8s/base/gateway.yaml",
            r"^            - \{name: SELLERGATE_IAM_TARGET.*\n",
            "            - {name: SELLERGATE_DUMMY_SECONDS, value: 1}\n",
            "deploy/k8s",
        ),
        Step(f"{GATEWAY}/wiring.py", "", "\nDUMMY = settings.dummy_seconds\n", "services/gateway"),
    ),
    KEY: (
        Step(KEYSPACE, r"^ACCOUNT_CHANGES = .*\n", 'DUMMY_PREFIX = "dummy:"\nDUMMY_CHANGES = "dummy:changes"\n'),
        Step(KEYSPACE, r"^\| rpt: .*\n", "| dummy: | gateway | dummies |\n"),
        Step("deploy/redis/users-7.acl", r"^user gateway on \S+ resetkeys", " ~dummy:* &dummy:*"),
        Step("deploy/redis/users.acl", r"^user gateway on \S+ resetkeys", " ~dummy:* &dummy:*"),
        Step("tests/integration/test_redis_acl.py", r"^WRITERS = \{\n", '    "dummy:": "gateway",\n'),
        Step(f"{GATEWAY}/wiring.py", "", "\nDUMMY = DUMMY_PREFIX, DUMMY_CHANGES\n", "services/"),
    ),
    REASON: (
        Step("protos/sellergate/common/v1/error_reason.proto", r"^enum .*\n", "  ERROR_REASON_DUMMY = 999;\n"),
        Step(ERRORS, r'^    INVALID_REQUEST = "INVALID_REQUEST"\n', '    DUMMY = "DUMMY"\n', f"{ERRORS} (Reason)"),
        Step(
            ERRORS, r"^RULES: .*\n", "    Reason.DUMMY: Rule(InternalError, Code.INTERNAL, 500),\n", f"{ERRORS} (RULES)"
        ),
        Step("docs/errors.md", r"^\|---.*\n", "| `DUMMY` | `InternalError` | INTERNAL | 500 | A dummy. | Nothing. |\n"),
        Step(f"{GATEWAY}/wiring.py", "", "\nDUMMY = Reason.DUMMY\n", "services/"),
        Step(NEW_TEST, "", "Reason.DUMMY\n", "tests/"),
    ),
    METRIC: (
        Step(
            f"{GATEWAY}/calls/metrics.py",
            "",
            '\nDUMMIES = Counter("sellergate_dummies", "Dummies")\n',
            "docs/metrics.md",
        ),
        Step("docs/metrics.md", r"^\|---.*\n", "| `sellergate_dummies_total` | counter | gateway | Dummies. |\n"),
        Step(NEW_TEST, "", '"sellergate_dummies_total"\n', "tests/"),
    ),
}


class Copy:
    """A copy of the project's files that the checks read; `problems` carries out steps on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in listed.stdout.splitlines():
            if not name.startswith(("docs/adr", "libs/amazon", "benches")):
                self.restore(name)

    def restore(self, name: str) -> None:
        """Make a file as it is in the project; one that is not there is removed."""
        (self.root / name).unlink(missing_ok=True)
        if (ROOT / name).is_file():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, self.root / name)

    def problems(self, heading: str, steps: Collection[Step]) -> list[str]:
        """Carry out steps of a list, return what its check finds, and undo them."""
        try:
            for step in steps:
                step.do(self.root)
            return list(KINDS[heading](Tree(self.root)))
        finally:
            for step in STEPS[heading]:
                self.restore(step.path)

    def problems_without(self, name: str, path: str, text: str) -> list[str]:
        """Take a text out of a file, return what a service's check finds, and undo it."""
        file = self.root / path
        file.write_text(file.read_text().replace(text, ""))
        try:
            return [problem for problem in services.missing(Tree(self.root)) if f"the service {name} " in problem]
        finally:
            self.restore(path)


def names(problems: Collection[str], heading: str, step: Step) -> bool:
    """Return whether a problem names the place of a step, and all name the list."""
    place = step.place or step.path
    return any(one.startswith(place) for one in problems) and all(
        f'see "{heading}" in CONTRIBUTING.md' in one for one in problems
    )
