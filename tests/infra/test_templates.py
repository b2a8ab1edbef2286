"""The templates hold together: syntax, modules, parameters, outputs."""

from __future__ import annotations

import json
import re

import pytest

from tests.infra.templates import FILES, INFRA, Template, entries, every, template, words

EXTENSION = "extension microsoftGraphV1"
REFERENCE = re.compile(r"\$\{([A-Z_]+)(?:=[^}]*)?\}")
LEAKS = re.compile(
    r"listKeys|listAccountSas|listServiceSas|listSecrets|listHostKeys|getSecret|systemKeys|functionKeys", re.I
)


def required(subject: Template) -> set[str]:
    """Parameters without a default."""
    return {name for name, told in subject.parameters.items() if told["default"] is None}


def mismatches(subject: Template, called: dict[str, Template]) -> list[str]:
    """What a template hands to modules that they don't take, and what they need and don't get."""
    found = []
    for symbol, (path, given) in subject.modules.items():
        takes, needs = set(called[path].parameters), required(called[path])
        found += [f"{symbol}: {name}" for name in sorted((set(given) - takes) | (needs - set(given)))]
    return found


def dangling(subject: Template, called: dict[str, Template]) -> list[str]:
    """Outputs of modules that are asked for and that no module gives."""
    return [
        f"{symbol}.{output}"
        for symbol, output in re.findall(r"(\w+)!?\.outputs\.(\w+)", subject.text)
        if output not in called[subject.modules[symbol][0]].outputs
    ]


def called() -> dict[str, Template]:
    return {each.name: each for each in every()}


@pytest.mark.parametrize("name", FILES)
def test_file_is_bicep(name: str) -> None:
    """Both parsers read every file; the one that does not know extensions stumbles over that one line of graph/."""
    expected = [EXTENSION] if name.startswith("graph/") else []

    assert expected == template(name).broken
    assert template(name).said


def test_broken_file_is_noticed() -> None:
    """A brace too few is no Bicep."""
    text = template("modules/identity.bicep").text.replace("}", "", 1)

    assert Template("broken", text).broken


def test_extension_is_used_in_one_folder_only() -> None:
    """Everything else can be read by parsers, and compiled where no registry is reached."""
    assert ["graph/registration.bicep"] == [each.name for each in every() if each.said.get("extensions")]
    assert {"microsoftGraphV1"} == set(json.loads((INFRA / "graph/bicepconfig.json").read_text("utf-8"))["extensions"])


def test_modules_get_what_they_take() -> None:
    """No parameter is missing, and none is made up."""
    assert [] == mismatches(template("main.bicep"), called())


def test_wrong_parameter_is_noticed() -> None:
    """A misspelt parameter is both: missing and made up."""
    slip = template("main.bicep").text.replace(
        "auditRetentionDays: auditRetentionDays", "auditDays: auditRetentionDays"
    )

    assert ["recordsStorage: auditDays", "recordsStorage: auditRetentionDays"] == mismatches(
        Template("slip", slip), called()
    )


def test_outputs_that_are_asked_for_exist() -> None:
    """Each `module.outputs.name` is one that the module gives."""
    main = template("main.bicep")

    assert [] == dangling(main, called())
    assert ["vault.address"] == dangling(
        Template("slip", main.text.replace("vault.outputs.url", "vault.outputs.address", 1)), called()
    )


@pytest.mark.parametrize("name", FILES)
def test_every_parameter_is_used(name: str) -> None:
    """A parameter that nothing reads promises what does not happen."""
    text = template(name).text

    assert [] == [each for each in template(name).parameters if len(re.findall(rf"\b{each}\b", text)) < 2]


def test_no_output_and_no_expression_holds_a_secret() -> None:
    """Outputs stay in the deployment's record, where every reader of the resource group finds them."""
    secret = re.compile(r"secret|password|key|token|sas", re.I)

    assert [] == [f"{each.name}: {name}" for each in every() for name in each.outputs if secret.search(name)]
    assert [] == [each.name for each in every() if LEAKS.search(each.text)]
    assert LEAKS.search("account.listKeys().keys[0].value")


def test_no_parameter_takes_a_secret() -> None:
    """What is secret lies in the vault and is read by identity; nobody types it into a deployment."""
    assert [] == [
        f"{each.name}: {name}"
        for each in every()
        for name, told in each.parameters.items()
        if any(decorator["type"] == "secure" for decorator in told["decorators"])
    ]


def test_azd_hands_over_parameters_that_exist() -> None:
    """main.parameters.json names parameters of main.bicep, all required ones among them."""
    given = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    main = template("main.bicep")

    assert set() == set(given) - set(main.parameters)
    assert set() == required(main) - set(given)


def test_every_default_of_azd_is_the_templates_own() -> None:
    """`${NAME=default}` in main.parameters.json says the same as the template, so that azd and az deploy alike."""
    given = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    main = template("main.bicep")
    defaults = {
        name: told["value"].partition("=")[2].rstrip("}") for name, told in given.items() if "=" in told["value"]
    }

    assert {name: str(main.parameters[name]["default"]).replace("False", "false") for name in defaults} == defaults
    assert all(REFERENCE.fullmatch(told["value"]) for told in given.values())


def test_deployment_fails_before_anything_is_made() -> None:
    """Each of the faults that a template can see stops it, with a sentence."""
    main = template("main.bicep")
    sentences = {said for key, said in entries(main.said["variables"]) if key == "arg_1" and str(said).endswith(".")}
    checked = {name for name in main.said["variables"] if name.startswith("checked")}

    assert {
        "checkedTenants",
        "checkedCloud",
        "checkedMailFrom",
        "checkedClientId",
        "checkedBaseUrl",
        "checkedRecordsDays",
    } == checked
    assert len(checked) == len(sentences)
    assert checked == set(main.variable("checks"))
    assert "union(tags, {'closure-checks': string(length(checks))})" == words(main.resources["group"].body["tags"])


def test_unchecked_values_are_not_used() -> None:
    """What is checked is used as checked: past its check the raw parameter of main.bicep appears nowhere."""
    below = template("main.bicep").text.partition("\nresource group ")[2]

    assert [] == [
        name
        for name in ("allowedTenants", "clientId", "mailFrom", "baseUrl", "recordsDays")
        if re.search(rf"(?<![.\w]){name}\b(?!:)", below)
    ]


def test_page_lists_every_parameter() -> None:
    """infra/README.md has a row for each, with the default that it has and the name that azd knows it by."""
    page = (INFRA / "README.md").read_text("utf-8")
    given = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    main = template("main.bicep")
    missing = []
    for name, told in main.parameters.items():
        plain = str(told["default"]).replace("False", "false")
        default = {None: "required", "": "empty"}.get(told["default"], f"`{plain}`")
        reference = REFERENCE.fullmatch(given[name]["value"]) if name in given else None
        azd = f"`{reference[1]}`" if reference else "-"
        if not re.search(rf"^\| `{name}` \| {re.escape(default)} \| .+ \| {azd} \|$", page, re.MULTILINE):
            missing.append(name)

    assert [] == missing
    assert set() == set(re.findall(r"^\| `(\w+)` \| (?:required|empty|`[^`]*`) \| .+ \| ", page, re.MULTILINE)) - set(
        main.parameters
    )
