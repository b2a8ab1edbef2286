"""The published descriptions: OpenAPI and the request schema say what the code does."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest

from tenantclosure.errors import RequestRefused
from tenantclosure.ledger import iso
from tenantclosure.model.request import parse_request
from tests.web.rig import HOME, PEOPLE, Desk, person, read, request
from web import openapi, schema
from web.routes import ROUTES


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in _references(value)]
    return [found for part in node for found in _references(part)] if isinstance(node, list) else []


async def test_the_description_names_every_route_its_roles_and_its_problems(desk: Desk) -> None:
    """Each route of the table is in the document, with roles, path parameters and problem documents."""
    document = read(await desk.call("show_openapi", who=None))

    assert "3.1.0" == document["openapi"]
    assert len(ROUTES) == sum(len(methods) for methods in document["paths"].values())
    for route in ROUTES:
        operation = document["paths"][f"/{route.path}"][route.method.lower()]
        assert route.name == operation["operationId"]
        assert sorted(route.roles) == operation["x-roles"]
        assert set(re.findall(r"{(\w+)}", route.path)) == {
            p["name"] for p in operation["parameters"] if p["in"] == "path"
        }
        if route.roles or route.application:
            assert {"401", "403"} <= set(operation["responses"])
            assert [["bearer"], ["appService"]] == [list(way) for way in operation["security"]]
        else:
            assert [] == operation["security"]
        assert {"500", "503"} <= set(operation["responses"])
        assert bool(route.body) == ("requestBody" in operation)
        assert route.query.keys() == {p["name"] for p in operation["parameters"] if p["in"] == "query"}


def test_forms_are_described_as_forms() -> None:
    """Pages take what a browser's form sends, the API takes JSON."""
    document = openapi.document(ROUTES)
    media = {
        operation["operationId"]: list(operation["requestBody"]["content"])
        for methods in document["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    }

    assert [openapi.FORM] == media["answer_gate_page"] == media["answer_approval_page"]
    assert ["application/json"] == media["decide_at_gate"] == media["approval_callback"]


def _objects(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, dict):
        own = [node] if "properties" in node else []
        return own + [found for value in node.values() for found in _objects(value)]
    return [found for part in node for found in _objects(part)] if isinstance(node, list) else []


def test_every_described_object_names_all_its_members() -> None:
    """What is not in the description may not come; only problem documents may say more."""
    schemas = openapi.document(ROUTES)["components"]["schemas"]
    open_ended = [shape for shape in _objects(schemas) if shape.get("additionalProperties") is not False]

    assert [schemas["Problem"]] == open_ended


def test_every_reference_leads_somewhere() -> None:
    """No schema is named that is not there."""
    document = openapi.document(ROUTES)
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert set() == set(_references(document)) - known


def test_the_request_in_the_description_is_the_real_schema() -> None:
    """What the document promises of a request is generated from the model."""
    described = openapi.document(ROUTES)["components"]["schemas"]["ClosureRequest"]

    assert set(schema.request_schema()["properties"]) == set(described["properties"])
    assert described["additionalProperties"] is False


async def test_answers_fit_their_description(desk: Desk) -> None:
    """Real answers validate against the schemas the document gives for them, formats included."""
    components = openapi.document(ROUTES)["components"]
    closure, digest = await desk.at_gate("go-on", limits=["more than 10 items"])
    said = {"decision": "approve", "digest": digest, "comment": "", "serial": 1}
    notice = {"noticeId": "n", "kind": "ask", "channel": "mail", "gate": "go-on", "serial": 1, "digest": digest}
    await desk.ledger.add_notice(closure, {**notice, "to": person("ann"), "detail": {}})
    await desk.ledger.change_notice(closure, "n", lambda doc: doc.update(state="failed", why="no such mailbox"))
    await desk.records.enqueue("closure-requests-poison", {"x": 1})
    callback = {
        "closureId": closure,
        "gate": "go-on",
        "serial": 1,
        "digest": digest,
        "event": "reached",
        "person": {"tenantId": HOME, "objectId": PEOPLE["ann"], "upn": "ann@fabrikam.com"},
        "nonce": "n" * 16,
        "sentAt": iso(desk.clock.now()),
    }
    decide = {"closureId": closure, "gate": "go-on"}
    answers = {
        "Closure": await desk.call("show_closure", closureId=closure),
        "ClosurePage": await desk.call("list_closures"),
        "Plan": await desk.call("show_plan", closureId=closure),
        "Verdict": await desk.call("show_audit", "?verify=1", closureId=closure),
        "Items": await desk.call("show_tasks", closureId=closure),
        "Problem": await desk.call("show_closure", closureId="x"),
        "Control": await desk.call("pause_closure", body={}, closureId=closure),
        "Decided": await desk.call("decide_at_gate", who="ann:Approver", body=said, **decide),
        "CallbackTaken": await desk.call(
            "approval_callback", who=None, headers=desk.tickets.application(), body=callback
        ),
    }
    await desk.call("decide_at_gate", who="cyd:Approver", body=said, **decide)
    shown = {"Closure": [answers.pop("Closure"), await desk.call("show_closure", closureId=closure)]}
    await desk.close(closure, "go-on", "approved")
    shown["Closure"].append(await desk.call("show_closure", closureId=closure))
    assert read(shown["Closure"][-1])["inForce"]
    for name, found in [*answers.items(), *(("Closure", one) for one in shown["Closure"])]:
        assert found.status_code in (200, 202, 404), found.get_body()
        whole = {"$ref": f"#/components/schemas/{name}", "components": components}
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator(whole, format_checker=checker).validate(json.loads(found.get_body()))
    bodies = {"Decision": said, "Callback": callback}
    for name, body in bodies.items():
        jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": components}).validate(
            body
        )


@pytest.mark.parametrize(
    "document",
    [
        request(),
        request(surprise=1),
        request(reason=None),
        request(backupConfirmed=False),
        request(approvers=[]),
        request(quietDays=400),
        request(domain="not a domain"),
    ],
)
def test_schema_and_model_agree(document: dict[str, Any]) -> None:
    """What the published schema accepts or refuses, the model accepts or refuses."""
    accepted = jsonschema.Draft202012Validator(schema.request_schema()).is_valid(document)
    try:
        parse_request(document)
    except RequestRefused:
        assert not accepted
    else:
        assert accepted
