"""House rules that no linter knows, checked over the files that are tracked."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "proto/tradewire_contract",
    "server/tradewire_server",
    "gateway/tradewire_gateway",
    "envoy/tradewire_envoy",
    "clients/python/tradewire_client",
)
# fmt: off
# A module is named after something of the field; these say nothing.
BANNED_NAMES = {
    "common", "data", "handler", "handlers", "helper", "helpers", "info", "manager", "managers",
    "misc", "util", "utils",
}
# What the engine may use of the standard library: data structures, types, numbers and digests.
ENGINE_IMPORTS = {
    "__future__", "bisect", "collections", "dataclasses", "enum", "functools", "hashlib", "heapq",
    "itertools", "math", "operator", "typing", "zlib", "tradewire_server",
}
# fmt: on
# Registries change from place to place; a lock names what to install, not where from.
# Taken apart, so that this file does not hold what it looks for.
REGISTRY_HOSTS = tuple(
    ".".join(parts).encode()
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
    ]
)


def _tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    paths = (ROOT / name for name in listing.stdout.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


TRACKED = _tracked()


def _modules(*folders: str) -> list[Path]:
    return [
        path
        for path in TRACKED
        if path.suffix == ".py" and not {"gen", "_gen"} & set(path.parts)
        if any(path.is_relative_to(ROOT / folder) for folder in folders)
    ]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def test_modules_and_folders_have_names_of_the_field() -> None:
    offenders = [
        _name(path)
        for path in _modules(*PACKAGES, "proto", "tests")
        if BANNED_NAMES & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    ]
    assert offenders == []


def test_every_module_starts_with_a_docstring() -> None:
    without = [
        _name(path)
        for path in _modules(*PACKAGES, "proto", "tests")
        if not ast.get_docstring(_parse(path))
    ]
    assert without == []


def test_packages_carry_their_types() -> None:
    without = [folder for folder in PACKAGES if not (ROOT / folder / "py.typed").exists()]
    assert without == []


@pytest.mark.parametrize("path", _modules("server/tradewire_server/engine"), ids=_name)
def test_engine_imports_nothing_that_depends_on_the_machine(path: Path) -> None:
    imported = set[str]()
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add((node.module or "").partition(".")[0])
    assert imported - ENGINE_IMPORTS == set()


@pytest.mark.parametrize("path", _modules("server/tradewire_server/engine"), ids=_name)
def test_engine_counts_in_whole_numbers(path: Path) -> None:
    inexact = [
        f"line {node.lineno}"
        for node in ast.walk(_parse(path))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
    ]
    assert inexact == []


def test_no_file_names_a_package_registry() -> None:
    named = [
        f"{_name(path)}: {host.decode()}"
        for path in TRACKED
        for host in REGISTRY_HOSTS
        if host in path.read_bytes()
    ]
    assert named == []


def test_locked_requirements_are_exact_and_hashed() -> None:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    assert [lock.name for lock in locks] == ["bootstrap.txt", "dev.txt", "runtime.txt"]
    for lock in locks:
        joined = lock.read_text().replace("\\\n", " ")
        for line in joined.splitlines():
            assert "==" in line, f"{lock.name}: {line}"
            assert "--hash=sha256:" in line, f"{lock.name}: {line}"


def test_the_image_that_changes_are_compared_with_is_committed() -> None:
    assert ROOT / "proto" / "baseline.binpb" in TRACKED
