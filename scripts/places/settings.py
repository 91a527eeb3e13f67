"""The places of a setting: its field, the page of settings, the local run, and deployments where it has no default."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from scripts.places.tree import Tree, sentence, table

HEADING = "Add a setting"
PAGE = "docs/configuration.md"
PLAN = "libs/devstack/sellergate_devstack/plan.py"
DEPLOYMENTS = {"docker-compose.yml": "docker-compose.yml", "deploy/k8s": "deploy/k8s/**/*.yaml"}
# The local run makes these names from a service's or region's name.
_COMPOSED = re.compile(r"SELLERGATE_(\w+_(PORT|TARGET)|SPAPI_(SANDBOX_)?ENDPOINT_(NA|EU|FE))")
# The local run listens on loopback, in plain text.
_NOT_LOCAL = frozenset({"SELLERGATE_EDGE_TLS_CERT_FILE", "SELLERGATE_EDGE_TLS_KEY_FILE"})


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a settings class, and the environment variable that fills it."""

    name: str
    variable: str
    is_required: bool


def missing(tree: Tree) -> Iterator[str]:
    """Yield a sentence for each place that lacks a setting."""
    readers: dict[str, set[str]] = {}
    used = frozenset(re.findall(r"\.(\w+)", tree.texts("libs/**/*.py", "services/**/*.py")))
    plan, deployments = tree.text(PLAN), {path: tree.texts(pattern) for path, pattern in DEPLOYMENTS.items()}
    for service in tree.services:
        for setting in _settings(tree, service):
            variable = setting.variable
            readers.setdefault(variable, set()).add(service)
            if setting.name not in used:
                yield sentence(f"services/{service}", f"does not use the setting {setting.name}", HEADING)
            if not (_holds(plan, variable) or _COMPOSED.fullmatch(variable) or variable in _NOT_LOCAL):
                yield sentence(PLAN, f"does not pass {variable} to {service}", HEADING)
            for path, text in deployments.items():
                if setting.is_required and not _holds(text, variable):
                    yield sentence(path, f"does not set {variable}, which {service} requires", HEADING)
    yield from _rows(tree, readers)


def _rows(tree: Tree, readers: Mapping[str, set[str]]) -> Iterator[str]:
    """Compare the page of settings with the services that read each."""
    rows = table(tree.text(PAGE), "[A-Z_]+")
    for variable, services in sorted(readers.items()):
        if variable not in rows:
            yield sentence(PAGE, f"has no row for {variable}", HEADING)
        elif set(re.findall(r"\w+", rows[variable][1])) != services:
            yield sentence(PAGE, f"does not say that {variable} is read by {', '.join(sorted(services))}", HEADING)
        elif not rows[variable][-1]:
            yield sentence(PAGE, f"does not say what {variable} means", HEADING)
    for variable in sorted(rows.keys() - readers.keys()):
        yield sentence(PAGE, f"has a row for {variable}, which no service reads", HEADING)


def _holds(text: str, variable: str) -> bool:
    return re.search(rf"\b{variable}(_FILE)?\b", text) is not None


def _settings(tree: Tree, service: str) -> Iterator[Setting]:
    """Yield the settings of a service, also those of the classes that it builds on."""
    files = tree.files("libs/common/sellergate_common/**/*settings.py", f"services/{service}/*/settings.py")
    modules = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    classes = {node.name: node for module in modules for node in module.body if isinstance(node, ast.ClassDef)}
    yield from _fields(classes, f"{service.title()}Settings")


def _fields(classes: Mapping[str, ast.ClassDef], name: str) -> Iterator[Setting]:
    if name not in classes:
        return
    for base in classes[name].bases:
        yield from _fields(classes, ast.unparse(base))
    for node in classes[name].body:
        match node:
            case ast.AnnAssign(ast.Name(field), annotation, value) if "ClassVar" not in ast.unparse(annotation):
                given = ast.unparse(value) if value else ""
                alias = re.search(r"validation_alias='(\w+)'", given)
                is_required = not given or (given.startswith("Field(") and "default" not in given)
                yield Setting(field, alias[1] if alias else f"SELLERGATE_{field.upper()}", is_required)
