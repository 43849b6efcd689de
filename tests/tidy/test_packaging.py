"""What is installed: the lock, the packages and the commands agree with each other."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.tidy.source_tree import ROOT, files

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)


def project(file: str) -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((ROOT / file).read_text(encoding="utf-8"))
    return content


def lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def pins() -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in PIN.findall(lock())}


def requirements() -> list[Requirement]:
    agent, bench = project("pyproject.toml")["project"], project("simulators/pyproject.toml")["project"]
    lines = [*agent["dependencies"], *bench["dependencies"]]
    lines += [line for extra in agent["optional-dependencies"].values() for line in extra]
    return [Requirement(line) for line in lines if line != agent["name"]]


def test_the_lock_has_every_requirement_in_a_version_that_is_asked_for() -> None:
    pinned = pins()
    for requirement in requirements():
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not in the lock: run tests/lock"
        assert requirement.specifier.contains(version), f"the lock has {version}, not {requirement}: run tests/lock"


def test_each_line_of_the_lock_has_hashes_and_no_address() -> None:
    text = lock()
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
    assert len(blocks) == len(pins()) > 30
    for block in blocks:
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE), "an option of one machine's pip"


def test_the_build_back_end_is_locked_too() -> None:
    for file in ("pyproject.toml", "simulators/pyproject.toml"):
        for line in project(file)["build-system"]["requires"]:
            requirement = Requirement(line)
            assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_a_vehicle_gets_no_tool_of_the_developers() -> None:
    command = [sys.executable, str(ROOT / "systemd" / "runtime_requirements.py")]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = {canonicalize_name(name) for name, _ in PIN.findall(text)}
    agent = project("pyproject.toml")["project"]
    wanted = {
        canonicalize_name(Requirement(line).name)
        for line in [*agent["dependencies"], *agent["optional-dependencies"]["pi"]]
    }
    assert wanted <= names
    assert not names & {"pytest", "hypothesis", "mypy", "ruff", "playwright", "httpx", "iotcore", "jsonschema"}
    assert not names & {"coverage", "mutmut", "libcst", "textual"}
    assert "pydantic-core" in names, "what a package needs in turn"
    assert text.count("--hash") > len(names)


def test_every_package_of_the_bench_is_listed() -> None:
    listed = set(project("simulators/pyproject.toml")["tool"]["setuptools"]["packages"])
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in files()
        if path.name == "__init__.py" and path.relative_to(ROOT).parts[0] == "simulators"
    }
    assert listed == found


def test_package_data_covers_every_file_that_is_no_code() -> None:
    patterns = project("pyproject.toml")["tool"]["setuptools"]["package-data"]["vehicle_agent"]
    suffixes = {Path(pattern).suffix for pattern in patterns}
    for path in files():
        parts = path.relative_to(ROOT).parts
        if parts[0] == "vehicle_agent" and path.suffix not in {".py", ".md"}:
            assert path.suffix in suffixes or path.name == "py.typed", path


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert project("pyproject.toml")["project"]["license"] == "Apache-2.0"
