"""Who gets which role on what: as little as does, each with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tenantclosure.policy.permissions import NEEDS, Kind, When, Where
from tests.infra.templates import INFRA, Template, every, template, words

ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
ROLES = template("modules/roles.bicep").variable("roles")


@dataclass(frozen=True)
class Given:
    """One role assignment: which module gives which role on which resource."""

    module: str
    role: str
    scope: str


EXPECTED = {
    Given("modules/host-storage.bicep", "storageBlobDataOwner", "account"),
    Given("modules/host-storage.bicep", "storageQueueDataContributor", "account"),
    Given("modules/host-storage.bicep", "storageTableDataContributor", "account"),
    Given("modules/records-storage.bicep", "storageBlobDataContributor", "records"),
    Given("modules/records-storage.bicep", "storageBlobDataContributor", "audit"),
    Given("modules/records-storage.bicep", "storageTableDataContributor", "account"),
    Given("modules/records-storage.bicep", "storageQueueDataContributor", "account"),
    Given("modules/vault.bicep", "keyVaultSecretsUser", "vault"),
    Given("modules/scheduler.bicep", "durableTaskDataContributor", "hub"),
    Given("modules/monitoring.bicep", "monitoringMetricsPublisher", "insights"),
}


def given(templates: list[Template]) -> set[Given]:
    """Every role that these files give. A role by its bare id stands there as the id."""
    return {
        Given(
            each.name,
            words(one.properties["roleDefinitionId"]).rpartition("roles.")[2].rstrip(")"),
            words(one.body["scope"]),
        )
        for each in templates
        for one in each.made(ASSIGNMENT)
    }


def faults(subject: Template) -> list[str]:
    """Role assignments without a reason, with a name that does not change with the role, or to somebody else."""
    found = []
    for one in subject.made(ASSIGNMENT):
        role = re.search(r"roles\.\w+", words(one.properties["roleDefinitionId"]))
        right = f"guid({one.body['scope']}.id, principalId, {role[0] if role else '?'})"
        if not re.match(r"Reason: \S.+[.]$", one.remark):
            found.append(f"{one.symbol}: no reason")
        if right != words(one.body["name"]):
            found.append(f"{one.symbol}: named {words(one.body['name'])}")
        if ("principalId", "ServicePrincipal") != (one.properties["principalId"], one.properties["principalType"]):
            found.append(f"{one.symbol}: given to somebody else")
    return found


def test_exactly_these_roles_are_given() -> None:
    """A role more, or one on something larger, is a decision that this list has to hold."""
    assert EXPECTED == given(every())


def test_each_role_has_its_reason_and_goes_to_the_one_identity() -> None:
    """The reason stands above each; the name follows scope, identity and role, so that none is given twice."""
    assert [] == [fault for each in every() for fault in faults(each)]


def test_wider_role_and_missing_reason_are_noticed() -> None:
    """The lists above see what they are for."""
    vault = template("modules/vault.bicep")
    silent = Template("silent", vault.text.replace("// Reason: the program", "// The program"))
    wide = Template(
        "modules/vault.bicep",
        vault.text.replace(
            "  scope: vault\n  properties: {\n    principalId",
            "  scope: resourceGroup()\n  properties: {\n    principalId",
        ),
    )
    other = Template("other", vault.text.replace("principalType: 'ServicePrincipal'", "principalType: 'User'"))

    assert ["secrets: no reason"] == faults(silent)
    assert 1 == len(given([wide]) - EXPECTED)
    assert ["secrets: given to somebody else"] == faults(other)


def test_no_role_is_unused() -> None:
    """The table holds what is given, and nothing else."""
    assert set(ROLES) == {each.role for each in EXPECTED}


def test_roles_are_those_the_program_needs() -> None:
    """Names aside, ids are the table's from which docs/permissions.md is made and which preflight asks about."""
    needed = {
        need.id
        for need in NEEDS
        if need.kind is Kind.AZURE and need.where is Where.HOSTING and need.when is not When.EXTERNAL
    }

    assert needed == set(ROLES.values())


def test_role_is_called_after_what_azure_calls_it() -> None:
    """Each short name is the role's own name, so that a reader of the template is not misled."""
    names = {need.id: need.name for need in NEEDS if need.kind is Kind.AZURE}

    assert {names[id_].replace(" ", "").lower(): id_ for id_ in ROLES.values()} == {
        name.lower(): id_ for name, id_ in ROLES.items()
    }


def test_page_gives_each_role_with_its_reason() -> None:
    """infra/README.md has a row for every role that is given, in the words of the template."""
    page = (INFRA / "README.md").read_text("utf-8")
    names = {need.id: need.name for need in NEEDS if need.kind is Kind.AZURE}
    missing = []
    for each in every():
        for one in each.made(ASSIGNMENT):
            role = ROLES[words(one.properties["roleDefinitionId"]).rpartition("roles.")[2].rstrip(")")]
            row = rf"^\| {names[role]} \| .+ \| {re.escape(one.remark.removeprefix('Reason: ').rstrip('.'))} \|$"
            if not re.search(row, page, re.MULTILINE):
                missing.append(f"{each.name}: {one.symbol}")

    assert [] == missing
