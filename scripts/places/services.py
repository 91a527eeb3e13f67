"""The places of a service: packaging, deployment, identities, the local run and the pages that list services."""

from collections.abc import Iterator

from scripts.places.tree import Tree, sentence

HEADING = "Add a service"
# A file, the text that it must hold, and how often.
PLACES = (
    ("pyproject.toml", "\n{0} = [", 1),
    ("pyproject.toml", 'sellergate-{0} = "sellergate_common.scripts.entry_points:{0}"', 1),
    ("pyproject.toml", '"services/{0}"', 2),
    ("pyproject.toml", '"services/{0}/sellergate_{0}"', 1),
    ("pyproject.toml", '"sellergate_{0}"', 2),
    ("Makefile", " {0} ", 1),
    ("Dockerfile", "{0},", 1),
    ("docker-compose.yml", "image: sellergate-{0}\n", 1),
    ("deploy/k8s/base/{0}.yaml", "image: sellergate-{0}", 1),
    ("deploy/k8s/base/kustomization.yaml", "{0}.yaml", 1),
    ("deploy/k8s/components/autoscaling/autoscalers.yaml", "name: {0}\n", 1),
    ("deploy/k8s/components/cert-manager/certificates.yaml", "spiffe://sellergate/{0}]", 1),
    ("deploy/k8s/components/external-secrets/secrets.yaml", "sellergate/{0}}}", 1),
    ("deploy/k8s/components/network-policies/policies.yaml", "\n  name: {0}\n", 1),
    ("deploy/k8s/components/service-monitors/monitors.yaml", "{0}", 1),
    ("deploy/k8s/overlays/dev/kustomization.yaml", "name: sellergate-{0},", 1),
    ("deploy/k8s/overlays/production/images/kustomization.yaml", "name: sellergate-{0},", 1),
    ("deploy/redis/users.acl", "user {0} on ", 1),
    ("deploy/redis/users-7.acl", "user {0} on ", 1),
    ("libs/devstack/sellergate_devstack/plan.py", "def _{0}(self) -> Process:", 1),
    ("scripts/make_requirements.py", '"{0}"', 1),
    ("scripts/fill_digests.py", "{0}", 1),
    ("requirements/run.txt", " {0}", 1),
    ("tests/unit/project/test_requirements.py", '"{0}"', 1),
    ("tests/unit/project/test_project.py", '"{0}"', 1),
    ("README.md", "\n| `{0}` | ", 1),
    ("docs/architecture.md", "\n| `{0}` | ", 1),
    ("docs/threat-model.md", "\n| `{0}` | ", 1),
)
MODULES = ("__init__", "__main__", "settings")


def missing(tree: Tree) -> Iterator[str]:
    """Yield a sentence for each place that lacks a service."""
    for name in tree.services:
        for path, text, times in PLACES:
            if tree.text(path.format(name)).count(text.format(name)) < times:
                yield sentence(
                    path.format(name), f"does not name the service {name} ({text.format(name).strip()})", HEADING
                )
        for module in MODULES:
            path = f"services/{name}/sellergate_{name}/{module}.py"
            if not tree.text(path):
                yield sentence(path, "is missing", HEADING)
        if not tree.files(f"tests/unit/{name}/**/test_*.py"):
            yield sentence(f"tests/unit/{name}", "has no tests", HEADING)
