"""The published descriptions: OpenAPI and the request schema say what the code does."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest

from tenantclosure.errors import RequestRefused
from tenantclosure.model.request import parse_request
from tests.web.rig import Desk, read, request
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
        if route.roles:
            assert {"401", "403", "500"} <= set(operation["responses"])
        assert bool(route.body) == ("requestBody" in operation)


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


def test_the_published_schema_is_current() -> None:
    """docs/closure-request.schema.json is what `python -m web.schema` writes."""
    assert schema.text() == schema.FILE.read_text(encoding="utf-8")


async def test_answers_fit_their_description(desk: Desk) -> None:
    """Real answers validate against the schemas the document gives for them."""
    components = openapi.document(ROUTES)["components"]
    closure, digest = await desk.at_gate()
    said = {"decision": "approve", "digest": digest, "comment": ""}
    answers = {
        "Closure": await desk.call("show_closure", closureId=closure),
        "ClosurePage": await desk.call("list_closures"),
        "Plan": await desk.call("show_plan", closureId=closure),
        "Verdict": await desk.call("show_audit", "?verify=1", closureId=closure),
        "Problem": await desk.call("show_closure", closureId="x"),
        "Control": await desk.call("pause_closure", body={}, closureId=closure),
        "Decided": await desk.call("decide_at_gate", who="ann:Approver", body=said, closureId=closure, gate="plan"),
    }
    for name, answer in answers.items():
        whole = {"$ref": f"#/components/schemas/{name}", "components": components}
        jsonschema.Draft202012Validator(whole).validate(json.loads(answer.get_body()))


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
