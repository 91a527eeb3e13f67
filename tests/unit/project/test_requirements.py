"""The hashed requirement files hold what pyproject.toml needs, in the versions of constraints.txt, and images install no more."""

import importlib.util
import re
import tomllib
from importlib.metadata import distribution
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SERVICES = ("account", "token", "iam", "gateway", "edge", "simulator", "setup", "cli")
_PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[\w.+]+)( ; (?P<marker>[^\\]+))? \\")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text_of(file: str) -> str:
    return (ROOT / "requirements" / file).read_text()


def pins(text: str) -> dict[str, str]:
    return {match["name"]: match["version"] for match in _PIN.finditer(text)}


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().split()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


@pytest.mark.parametrize("file", ["run.txt", "dev.txt"])
def test_every_line_is_a_pin_a_hash_or_a_note(file: str) -> None:
    shapes = (
        _PIN,
        re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?"),
        re.compile(r"    # needed by [a-z ]+"),
        re.compile(r"#[^:]*"),
    )
    blocks = text_of(file).split("    # needed by ")
    for line in text_of(file).splitlines():
        assert line.startswith("# ") or any(shape.fullmatch(line) for shape in shapes), line
    assert all("--hash=sha256:" in block for block in blocks[:-1]), "no package without a hash"


@pytest.mark.parametrize("file", ["run.txt", "dev.txt"])
def test_versions_are_those_of_the_constraints(file: str) -> None:
    known = constraints()
    unknown = {name for name, version in pins(text_of(file)).items() if known.get(name) != version}
    marked = {match["name"] for match in _PIN.finditer(text_of(file)) if match["marker"]}
    tools = set(pins(script("requirements_of").lines_of("build", text_of("dev.txt"))))
    assert unknown <= marked | tools, (
        "only packages for other platforms and the build's own tools may be missing in the constraints"
    )


def closure(extra: str) -> set[str]:
    """Return all packages that an extra installs on this machine, from the metadata of installed packages."""
    found: set[str] = set()
    todo = [Requirement(f"sellergate[{extra}]")]
    seen: set[tuple[str, str]] = set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        for option in ("", *wanted.extras):
            if (name, option) in seen:
                continue
            seen.add((name, option))
            found.add(name)
            for line in distribution(name).requires or ():
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": option}):
                    todo.append(needed)
    return found - {"sellergate"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gets_what_its_extra_installs_and_no_more(service: str) -> None:
    chosen = script("requirements_of").lines_of(service, text_of("run.txt"))
    marked = {match["name"] for match in _PIN.finditer(chosen) if match["marker"]}
    assert closure(service) <= set(pins(chosen))
    assert set(pins(chosen)) - marked <= closure(service)


def test_development_and_the_build_are_whole() -> None:
    assert closure("dev") <= set(pins(text_of("dev.txt")))
    tools = pins(script("requirements_of").lines_of("build", text_of("dev.txt")))
    for line in PROJECT["build-system"]["requires"]:
        wanted = Requirement(line)
        assert tools[canonicalize_name(wanted.name)] in wanted.specifier


def test_images_install_nothing_that_was_not_hashed() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip (?:--python \S+ )?(?:install|wheel)[^&\n]*", text)
    assert len(installs) == 4
    assert all("--no-deps" in one for one in installs)
    assert all("--require-hashes" in one or "--no-build-isolation" in one or "/wheels/*.whl" in one for one in installs)


def test_a_release_fills_every_digest_at_once() -> None:
    fill = script("fill_digests")
    text = fill.FILE.read_text()
    images = (*SERVICES[:5], "cli")
    lines = "\n".join(f"{name} sha256:{digit * 64}" for name, digit in zip(images, "123456", strict=True))
    filled = fill.filled(text, lines)
    assert re.findall(r'sellergate-(\w+), newName: \S+, digest: "sha256:(.)', filled) == list(
        zip(images, "123456", strict=True)
    )
    pushed = lines.replace("account sha256", "account registry.test:5000/shop/sellergate-account@sha256")
    assert "newName: registry.test:5000/shop/sellergate-account, digest" in fill.filled(text, pushed)
    assert fill.filled(filled, lines) == filled
    for bad in (
        "",
        lines.partition("\n")[2],
        lines + "\naccount sha256:" + "1" * 64,
        lines.replace("1" * 64, "latest"),
    ):
        with pytest.raises(ValueError, match="each of account, token, iam, gateway, edge, cli once"):
            fill.filled(text, bad)
    assert "newTag" not in (ROOT / "deploy/k8s/overlays/production/kustomization.yaml").read_text() + text


def test_an_audit_without_its_service_is_not_run() -> None:
    outcome = script("audit_packages").outcome
    assert outcome("") == ("NOT RUN: the vulnerability service does not respond.", 0)
    skipped = '{"dependencies": [{"name": "a", "skip_reason": "not found"}]}'
    assert outcome(skipped)[0].startswith("NOT RUN")
    found = '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]}, {"name": "b", "skip_reason": "x"}]}'
    assert outcome(found) == ("a 1: CVE-1\n1 packages looked up, 1 not known, faults: 1.", 1)


def test_renewed_constraints_say_what_changed() -> None:
    make = script("make_constraints")
    before = make.pins(["Authlib==1.9.10", "old==1", "typing_extensions==4.1"])
    after = make.pins(["sellergate==0.1.0", "typing-extensions==4.2", "new==2", "pip==26.1", "Authlib==1.9.10"])
    assert make.changes(before, after) == ["added new 2", "removed old 1", "typing-extensions 4.1 -> 4.2"]
    assert make.changes(before, before) == ["nothing changed"]
    assert make.written(after) == "Authlib==1.9.10\nnew==2\ntyping-extensions==4.2\n"
    text = make.FILE.read_text()
    assert make.written(make.pins(text.splitlines())) == text
