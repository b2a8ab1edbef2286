"""The deployed package holds the app and nothing else, is the same every time, and stands on its own."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import orchestrators
from deployment import package
from deployment.__main__ import main
from tenantclosure import names
from web.routes import ROUTES

ROOT = Path(__file__).resolve().parents[2]
ALONE = '''
import importlib.metadata, json, sys

app, lock, *shelves = sys.argv[1:]
sys.path[:] = [app, *[one for one in sys.path if "site-packages" not in one and one], *shelves]
plain = lambda name: name.replace("_", "-").replace(".", "-").lower()
locked = {plain(line.split("==")[0]) for line in open(lock) if "==" in line and line[0].isalpha()}
locked.add("tenant-closure")  # our own names; only the package's folder has them here
belongs = importlib.metadata.packages_distributions()

class OnlyTheRuntime:
    """Finds nothing, and refuses every package that Azure does not install."""
    def find_spec(self, name, path=None, target=None):
        owners = belongs.get(name.partition(".")[0])
        if owners and not {plain(owner) for owner in owners} & locked:
            raise ModuleNotFoundError(f"{name} is not in requirements.txt", name=name)

guard = OnlyTheRuntime()
sys.meta_path.insert(0, guard)
import function_app
home = {name: module.__file__ for name, module in sys.modules.items()
        if name.partition(".")[0] in {"function_app", "activities", "orchestrators", "tenantclosure", "web"}}
sys.meta_path.remove(guard)  # from here on the worker's own packages, which it brings along

from types import SimpleNamespace
from azure_functions_runtime.bindings.meta import load_binding_registry
from azure_functions_runtime.functions import Registry
from azure_functions_runtime.loader import index_function_app, process_indexed_function
bag = type("Bag", (SimpleNamespace,), {"undefined": None, "inout": 2, "out": 1})
load_binding_registry()
metas, _ = process_indexed_function(SimpleNamespace(BindingInfo=bag, RpcFunctionMetadata=bag, RpcRetryOptions=bag),
                                    Registry(), index_function_app("function_app.py"), app)
print(json.dumps({"functions": [meta.name for meta in metas], "outside": [
    name for name, file in home.items() if not (file or app).startswith(app)]}))
'''
"""Runs the app from its own folder: what the editable install and the development tools offer is out of reach."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app as `make package` lays it out."""
    folder = tmp_path_factory.mktemp("package") / "app"
    package.stage(ROOT, folder, "azure-storage")
    return folder


def test_only_what_the_app_runs_is_in_it(app: Path) -> None:
    """Nothing of simulator, tests, command, local host, benchmarks, docs, infrastructure or tools."""
    tops = {path.name for path in app.iterdir()}
    kinds = {path.suffix for path in app.rglob("*") if path.is_file()}

    assert package.RUNS == tops
    assert {".py", ".json", ".txt", ".html", ".css", ".js", ".svg"} >= kinds
    assert [] == [path for path in app.rglob("*") if path.name in {"__pycache__", "local.settings.json", ".env"}]


def test_whatever_the_app_reads_is_in_it(app: Path) -> None:
    """Every file of the four packages that is not a leftover: templates, styles and schemas too."""
    wanted = {
        path.relative_to(ROOT)
        for top in package.RUNS
        for path in ([ROOT / top] if (ROOT / top).is_file() else (ROOT / top).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert wanted == {path.relative_to(app) for path in app.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_the_app_loads_from_its_own_folder(app: Path) -> None:
    """With the locked packages alone it imports, and the real worker indexes every function of it."""
    shelf = next(path for path in sys.path if path.endswith("site-packages"))
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(app), str(app / "requirements.txt"), shelf]
    said = subprocess.run(command, cwd=app, capture_output=True, text=True, check=False)
    assert 0 == said.returncode, said.stderr
    found = json.loads(said.stdout)

    assert [] == found["outside"]
    stories = {one.__name__ for one in orchestrators.ORCHESTRATORS}
    doors = {route.name for route in ROUTES} | {"take_request", "send_notice", "sweep"}
    assert stories | doors | set(names.Activity) == set(found["functions"])


@pytest.mark.slow
def test_a_package_that_lacks_a_file_does_not_load(app: Path, tmp_path: Path) -> None:
    """The test above can fail: nothing of the tree stands in for what the package lacks."""
    copy = tmp_path / "app"
    shutil.copytree(app, copy, ignore=shutil.ignore_patterns("door.py", "__pycache__"))
    shelf = next(path for path in sys.path if path.endswith("site-packages"))
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(copy), str(copy / "requirements.txt"), shelf]
    said = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)

    assert "No module named 'web.door'" in said.stderr


def test_the_same_tree_makes_the_same_bytes(app: Path, tmp_path: Path) -> None:
    """Neither the day nor the order of the folder shows in the zip, so a package can be compared by its hash."""
    again = tmp_path / "again"
    shutil.copytree(app, again, copy_function=shutil.copyfile)
    (again / "host.json").touch()
    for folder, name in ((app, "one.zip"), (again, "two.zip")):
        package.pack(folder, tmp_path / name)
    one, two = (hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("one.zip", "two.zip"))

    assert one == two
    with zipfile.ZipFile(tmp_path / "one.zip") as packed:
        assert sorted(packed.namelist()) == packed.namelist()


def test_the_command_makes_the_package_for_a_backend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`make package` leaves a folder and a zip whose host.json is made for that backend, and tells the sizes."""
    assert 0 == main(["--backend", "durable-task-scheduler", "--folder", str(tmp_path)])

    with zipfile.ZipFile(tmp_path / "tenant-closure.zip") as packed:
        host = json.loads(packed.read("host.json"))
    assert "azureManaged" == host["extensions"]["durableTask"]["storageProvider"]["type"]
    assert host == json.loads((tmp_path / "app/host.json").read_text("utf-8"))
    told = capsys.readouterr().out
    assert "app for durable-task-scheduler: " in told
    assert "KiB" in told


def test_a_stowaway_stops_the_package(tmp_path: Path) -> None:
    """A new folder at the top is deployed by nobody's oversight; one that is missing is not left out silently."""
    for name in package.RUNS:
        path = tmp_path / (name if "." in name else f"{name}/a.py")
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / ".funcignore").write_text(".funcignore\nsecret*\n/notes/\n*.tmp\n!keep.tmp\n")
    (tmp_path / "notes").mkdir()
    for name in ("notes/x.txt", "web/secrets.json", "web/x.tmp", "web/keep.tmp"):
        (tmp_path / name).touch()
    found = package.chosen(tmp_path)
    assert {PurePosixPath("web/a.py"), PurePosixPath("web/keep.tmp")} == {
        path for path in found if path.parts[0] == "web"
    }

    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/x.py").touch()
    with pytest.raises(package.Stowaway, match="tools would be deployed"):
        package.chosen(tmp_path)
    (tmp_path / "tools/x.py").unlink()
    (tmp_path / "host.json").unlink()
    with pytest.raises(package.Stowaway, match="host.json is missing"):
        package.chosen(tmp_path)
