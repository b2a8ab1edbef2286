"""Who may pass which door, for every route of the table."""

from __future__ import annotations

import pytest

from tests.web.rig import ELSEWHERE, TARGET, Desk, principal, refused
from web.roles import APPROVERS, OPERATORS, PUBLIC, READERS, Role
from web.route import Route
from web.routes import ROUTES

PATH = {
    "closureId": f"{TARGET}-9",
    "tenantId": TARGET,
    "gate": "plan",
    "taskId": "t",
    "day": "2026-11-24",
    "token": "t" * 43,
    "file": "closure.css",
}
CALLERS = {
    "nobody": None,
    **{str(role): f"eve:{role}" for role in Role},
    "another app's role": "eve:Gardener,operator,APPROVER",
    "no role": "eve:",
    "another tenant": "eve:Operator,Approver,Auditor",
    "an application": None,
}
NEEDS = {
    "file_closure": {"Operator"},
    "list_closures": {"Operator", "Approver", "Auditor"},
    "show_preflight": {"Operator"},
    "show_closure": {"Operator", "Approver", "Auditor"},
    "show_plan": {"Operator", "Approver", "Auditor"},
    "show_tasks": {"Operator", "Approver", "Auditor"},
    "show_blockers": {"Operator", "Approver", "Auditor"},
    "show_report": {"Operator", "Approver", "Auditor"},
    "show_audit": {"Operator", "Approver", "Auditor"},
    "show_refusals": {"Operator", "Approver", "Auditor"},
    "decide_at_gate": {"Approver"},
    "pause_closure": {"Operator"},
    "unpause_closure": {"Operator"},
    "resume_closure": {"Operator"},
    "abort_closure": {"Operator"},
    "rollback_closure": {"Operator"},
    "report_task_done": {"Operator"},
    "approval_callback": "an application",
    "show_openapi": "anybody",
    "closures_page": {"Operator", "Approver", "Auditor"},
    "closure_page": {"Operator", "Approver", "Auditor"},
    "blockers_page": {"Operator", "Approver", "Auditor"},
    "plan_page": {"Operator", "Approver", "Auditor"},
    "report_page": {"Operator", "Approver", "Auditor"},
    "show_gate_page": {"Approver"},
    "answer_gate_page": {"Approver"},
    "show_approval_page": "a link",
    "answer_approval_page": "a link",
    "static_file": "anybody",
}
"""Written out, so that a route whose roles change by mistake is seen."""


def _expected(route: Route, caller: str) -> str:
    needs = NEEDS[route.name]
    if needs == "anybody":
        return "passes"
    if caller == "nobody":
        return "passes" if needs == "a link" else "401"
    if caller == "an application":
        return "passes" if needs == "an application" else "401"
    if needs == "an application":
        return "403"
    if needs == "a link":
        return "passes"
    return "passes" if caller in needs else "403"


def test_every_route_is_in_the_table_above() -> None:
    """A new door needs a line here."""
    assert set(NEEDS) == {route.name for route in ROUTES}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_each_door_lets_through_whom_it_should(desk: Desk, route: Route, caller: str) -> None:
    """401 for nobody, 403 for the wrong role or tenant; who may pass gets an answer of the handler."""
    who, headers = CALLERS[caller], {}
    if caller == "another tenant":
        who, headers = None, {"X-MS-CLIENT-PRINCIPAL": principal("eve:Operator,Approver,Auditor", tenant=ELSEWHERE)}
    if caller == "an application":
        headers = desk.tickets.application(roles=["Operator", "Approver", "Auditor"])
    answer = await desk.call(route.name, who=who, body={}, headers=headers, **PATH)

    stopped = str(answer.status_code) if answer.status_code in (401, 403) else "passes"
    assert _expected(route, caller) == stopped
    if stopped != "passes":
        doors = f"doors-{desk.clock.moment:%Y-%m-%d}"
        refusal = {("append", f"{doors}/audit.ndjson"), ("create", f"{doors}/audit-head")}
        assert refusal | {("create", "deployment/records")} >= set(desk.records.writes)


def test_each_set_of_roles_is_what_it_says() -> None:
    """Operators steer, approvers decide, everybody reads."""
    named = {
        OPERATORS: {"Operator"},
        APPROVERS: {"Approver"},
        READERS: {"Operator", "Approver", "Auditor"},
        PUBLIC: set(),
    }

    assert list(named.values()) == [{str(role) for role in roles} for roles in named]


async def test_a_person_of_another_tenant_has_no_business_here(desk: Desk) -> None:
    """Roles of a guest sign-in from elsewhere open nothing; the refusal names the reason."""
    headers = {"X-MS-CLIENT-PRINCIPAL": principal("ann:Operator,Approver,Auditor", tenant=ELSEWHERE)}

    refused(await desk.call("list_closures", who=None, headers=headers), 403, "wrong-tenant")
    refused(await desk.call("file_closure", who=None, body={}, headers=headers), 403, "wrong-tenant")


async def test_an_approver_cannot_file(desk: Desk) -> None:
    """The one who approves is never the one who asks."""
    problem = refused(await desk.call("file_closure", who="ann:Approver,Auditor", body={}), 403, "role-missing")

    assert ["Operator"] == problem["rolesNeeded"]


async def test_a_page_behind_a_sign_in_leads_back_after_it(desk: Desk) -> None:
    """A card in Teams opens the gate's page: who is not signed in gets the way to sign in and come back."""
    answer = await desk.call("show_gate_page", who=None, closureId=PATH["closureId"], gate="plan")

    assert (401, "text/html") == (answer.status_code, answer.mimetype)
    assert b"/.auth/login/aad?post_login_redirect_uri=" in answer.get_body()
