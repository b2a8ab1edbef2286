"""What `azd up` runs beside the templates: hooks, and the workflow that compiles what can't be compiled here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.infra.templates import INFRA, ROOT, template

AZURE = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))
WORKFLOW = ROOT / ".github/workflows/infra.yml"
VAULT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"
PRETENDED = """#!/bin/sh
# Stands in for the Azure CLI: notes how it is called, keeps the body, and answers a look-up as it is told.
echo "$@" >> "$NOTES/calls"
case "$*" in
  *"--method get"*) echo "$SAID"; exit "$CODE" ;;
  *"--method put"*) for each in "$@"; do case "$each" in @*) cat "${each#@}" > "$NOTES/body" ;; esac; done ;;
esac
"""


def make_key(folder: Path, said: str, code: int, vault: str = VAULT) -> subprocess.CompletedProcess[str]:
    """Run the hook with a stand-in for the Azure CLI whose look-up of the secret answers this."""
    (folder / "az").write_text(PRETENDED, "utf-8")
    (folder / "az").chmod(0o755)
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "NOTES": str(folder),
        "SAID": said,
        "CODE": str(code),
        "CLOSURE_VAULT_ID": vault,
        "TMPDIR": str(folder),
    }
    script = INFRA / "hooks/seal-key.sh"
    return subprocess.run(["sh", script], env=environment, capture_output=True, text=True, check=False)


def test_seal_key_is_made_once(tmp_path: Path) -> None:
    """Where there is none, 32 random bytes go into the vault, and on no command line, in no output and no file left."""
    first = make_key(
        tmp_path, "(SecretNotFound) A secret with (name/id) closure-seal was not found in this key vault.", 3
    )
    body = (tmp_path / "body").read_text("utf-8")
    key = re.fullmatch(r'\{"properties":\{"value":"([0-9a-f]{64})"\}\}', body)

    assert 0 == first.returncode, first.stderr
    assert key
    assert key[1] not in (tmp_path / "calls").read_text("utf-8") + first.stdout + first.stderr
    assert f"{VAULT}/secrets/closure-seal?" in (tmp_path / "calls").read_text("utf-8")
    assert {"az", "calls", "body"} == {path.name for path in tmp_path.iterdir()}


def test_seal_key_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """A second run makes no second version."""
    again = make_key(tmp_path, "closure-seal", 0)

    assert 0 == again.returncode
    assert "--method put" not in (tmp_path / "calls").read_text("utf-8")


@pytest.mark.parametrize("said", ["(AuthorizationFailed) no right to perform action", "Connection aborted."])
def test_no_seal_key_is_made_blindly(tmp_path: Path, said: str) -> None:
    """When the vault can't be asked, the hook stops: a key that is there must not get a second version by accident."""
    stopped = make_key(tmp_path, said, 1)

    assert 0 != stopped.returncode
    assert said in stopped.stderr
    assert "--method put" not in (tmp_path / "calls").read_text("utf-8")


def test_seal_key_needs_a_deployment(tmp_path: Path) -> None:
    """Without a vault the hook says which step is missing."""
    stopped = make_key(tmp_path, "", 1, vault="")

    assert 0 != stopped.returncode
    assert "azd provision" in stopped.stderr


def project(folder: Path, policy: str | None) -> Path:
    """A folder that looks like the project to the hooks: the hooks themselves, a `make` that notes how it is called."""
    hooks = folder / "infra/hooks"
    shutil.copytree(INFRA / "hooks", hooks)
    if policy is not None:
        (folder / "infra/approval-policy.yaml").write_text(policy, "utf-8")
    (folder / "make").write_text('#!/bin/sh\nmkdir -p build/app && echo "$@" > build/made\n', "utf-8")
    (folder / "make").chmod(0o755)
    return hooks


def run(hook: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Start a hook as azd may: in its own folder, with the environment's values."""
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "CLOSURE_BACKEND": "durable-task-scheduler"}
    return subprocess.run(["sh", hook], cwd=hook.parent, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("hook", ["approval-policy.sh", "package.sh"])
@pytest.mark.parametrize(("policy", "code"), [(None, 1), ("", 1), ("groups: {}\n", 0)])
def test_nothing_is_deployed_without_an_approval_policy(
    tmp_path: Path, hook: str, policy: str | None, code: int
) -> None:
    """No file, or an empty one, stops azd before anything is made."""
    said = run(project(tmp_path, policy) / hook, tmp_path)

    assert code == said.returncode
    assert ("docs/settings.md" in said.stderr) is bool(code)
    assert not (code and (tmp_path / "build").exists())


def test_package_holds_the_policy_where_the_setting_names_it(tmp_path: Path) -> None:
    """The hook makes the chosen backend's package with the policy on top; Azure unpacks it where the setting says."""
    setting = Path(template("main.bicep").variable("settings")["CLOSURE_APPROVAL_POLICY"])
    said = run(project(tmp_path, "groups: {}\n") / "package.sh", tmp_path)

    assert 0 == said.returncode, said.stderr
    assert "package BACKEND=durable-task-scheduler\n" == (tmp_path / "build/made").read_text("utf-8")
    assert "groups: {}\n" == (tmp_path / AZURE["services"]["app"]["project"] / setting.name).read_text("utf-8")
    assert Path("/home/site/wwwroot") == setting.parent


def test_hooks_are_there_and_can_be_run() -> None:
    """azure.yaml names files that exist, are executable, and read well to sh."""
    hooks = {ROOT / told["run"] for told in AZURE["hooks"].values()}

    assert {"prepackage", "preprovision", "postprovision"} == set(AZURE["hooks"])
    for hook in [*hooks, *(INFRA / "hooks").glob("*.sh")]:
        assert os.access(hook, os.X_OK), hook
        assert 0 == subprocess.run(["sh", "-n", hook], check=False).returncode, hook


def test_azd_finds_the_app_by_its_tag() -> None:
    """The service's name is the tag that the template puts on the site."""
    [service] = AZURE["services"]

    assert f"union(tags, {{'azd-service-name': '{service}'}})" == tags_of_site()
    assert ("infra", "main") == (AZURE["infra"]["path"], AZURE["infra"]["module"])


def tags_of_site() -> str:
    """The site's tags as they stand in the template."""
    found = re.search(r"tags: (union\(.*\))", template("modules/app.bicep").text)
    assert found
    return found[1].replace("{ ", "{").replace(" }", "}")


def test_workflow_runs_pinned_actions_only() -> None:
    """An action is a commit, not a name that somebody can move."""
    used = re.findall(r"uses: (\S+)", WORKFLOW.read_text("utf-8"))

    assert used
    assert [] == [each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each)]


def test_workflow_signs_in_without_a_secret() -> None:
    """Azure is asked with the run's own token, in one job that has the right to get one."""
    told = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    rights = {name: job.get("permissions", told["permissions"]) for name, job in told["jobs"].items()}

    assert "secrets." not in WORKFLOW.read_text("utf-8")
    assert ["what-if"] == [name for name, right in rights.items() if right.get("id-token") == "write"]
    assert {"contents": "read"} == rights["build-and-lint"]
