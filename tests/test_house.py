"""The house keeps its own rules: packages, imports, locks, tree, and what no file may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "activities",
    "benchmarks",
    "cli",
    "deployment",
    "embedded",
    "orchestrators",
    "simulator",
    "tenantclosure",
    "web",
)
REQUIRED = (
    *("function_app.py", "host.json", "requirements.txt", "orchestrators", "activities", "tests", "infra"),
    *(
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "Makefile",
        "pyproject.toml",
        ".ci/run",
        ".funcignore",
        ".python-version",
    ),
)


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git keeps or would keep."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git work tree")
    return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


def sources(*folders: str) -> list[Path]:
    """Python files below these folders."""
    return [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders]


def imported(path: Path) -> set[str]:
    """Every module that a file names in an import."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def pins(name: str) -> dict[str, str]:
    """Package to version, as a lock file has it; package names in one form."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    return {plain(package): version for package, version in found}


def plain(package: str) -> str:
    """One form of a package's name."""
    return re.sub(r"[-_.]+", "-", package).lower()


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("name", REQUIRED)
def test_tree_has_what_everyone_expects(name: str) -> None:
    """A newcomer, Azure and CI each look for these at the top."""
    assert (ROOT / name).exists()


def test_every_package_says_what_it_is() -> None:
    """Each package opens with a docstring; a folder with Python files is a package."""
    folders = {path.parent for path in sources(*PACKAGES)}
    missing = [folder for folder in folders if not (folder / "__init__.py").is_file()]
    silent = [
        folder
        for folder in folders - set(missing)
        if not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]

    assert ([], []) == (missing, silent)


def test_every_test_says_what_it_shows() -> None:
    """A failing test is read by someone who did not write it."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources("tests")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]

    assert [] == silent


def test_import_rules_hold() -> None:
    """The table of docs/architecture.md, as import-linter sees it."""
    linter = Path(sys.executable).with_name("lint-imports")
    said = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == said.returncode, said.stdout + said.stderr


def test_function_app_leaves_out_what_is_not_deployed() -> None:
    """Azure gets neither the local host nor the command nor the simulator."""
    tops = {name.partition(".")[0] for name in imported(ROOT / "function_app.py")}

    assert set() == tops & {"embedded", "cli", "simulator", "tests", "benchmarks"}


def test_web_takes_only_function_types_from_azure() -> None:
    """Pages and handlers know HTTP and Functions, no SDK."""
    allowed = ("azure.functions", "azure.durable_functions")
    wrong = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources("web")
        for name in imported(path)
        if name.startswith("azure.") and not name.startswith(allowed)
    }

    assert set() == wrong


def test_orchestrators_know_the_engine_by_its_task_module_only() -> None:
    """The way out of the engine stays short (docs/adr/0001-engine.md)."""
    wrong = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources("orchestrators")
        for name in imported(path)
        if name.startswith("durabletask.") and not name.startswith("durabletask.task")
    }

    assert set() == wrong


def test_runtime_dependencies_are_exact_and_locked() -> None:
    """What pyproject.toml names is pinned in both locks, at that very version, with a hash."""
    exact = (line.split("==") for line in project()["dependencies"])
    wanted = {plain(name.partition("[")[0]): version for name, version in exact}
    runtime, development = pins("requirements.txt"), pins("requirements-dev.txt")

    assert wanted == {name: runtime.get(name) for name in wanted}
    assert runtime == {name: development.get(name) for name in runtime}
    assert (ROOT / "requirements.txt").read_text().count("--hash=sha256:") >= len(runtime)


def test_nothing_but_the_runtime_is_deployed() -> None:
    """Azure installs no test tool and nothing of the simulator or the command."""
    extras = project()["optional-dependencies"]
    ours = {plain(re.split(r"[\[=><~! ]", line)[0]) for line in (*extras["cli"], *extras["bench"], *extras["dev"])}
    # The simulator's key library is the one that token validation needs as well.
    tools = ours - {"cryptography"}

    assert set() == set(pins("requirements.txt")) & tools


def test_deployment_package_leaves_out_the_rest() -> None:
    """.funcignore names every folder that Azure does not run."""
    ignored = {line.strip().rstrip("/") for line in (ROOT / ".funcignore").read_text().splitlines()}
    tops = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT}
    runs = {"orchestrators", "activities", "tenantclosure", "web"}

    assert set() == {top for top in tops - runs - ignored if not top.startswith(".git")}


def test_no_file_names_a_machine_or_a_registry() -> None:
    """Every machine has paths and package sources of its own; /home/site is where Azure puts every app."""
    # Put together here, so that this file does not hold them.
    work, pip, npm = "/wo" + "rk/", "py" + "pi", "registry." + "npm"
    hosts = [
        rf"{pip}\.org",
        r"pythonhosted",
        npm,
        r"--(extra-)?index-url[ =]http",
        r'"resolved": "http',
    ]
    paths = [rf"(?<![\w.}}]){work}", r"(?<![\w.])/root/", r"file:///opt", r"(?<![\w.])/home/(?!site/)[a-z]+/"]
    pattern = re.compile("|".join([*hosts, *paths]))
    here = Path(__file__).resolve()
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        if path != here
        for number, line in enumerate(path.read_bytes().decode("utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]

    assert [] == found
