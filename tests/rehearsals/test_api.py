"""The served API against its own description: whatever is sent, the answer is one that the document names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.rehearsals.stage import OPERATOR, Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]
EXAMPLES = 16


def no_server_error(_: object, response: Any, case: Case) -> None:
    """Nothing a caller sends is our failure; what is not built yet says so, and so does the document."""
    unbuilt = response.status_code == 501 and "501" in case.operation.definition.raw["responses"]
    assert response.status_code < 500 or unbuilt, f"{response.status_code}: {response.text[:500]}"


CHECKS = [
    no_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PEOPLE: dict[str, dict[str, str]] = {
    "nobody": {},
    "approver": {"X-Dev-Principal": "ann@fabrikam.com;roles=Approver"},
    "auditor": {"X-Dev-Principal": "aud@fabrikam.com;roles=Auditor"},
    "operator": OPERATOR,
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A closure at its first gate."""
    with Stage(tmp_path_factory.mktemp("api"), "--users", "60", "--seed", "31") as stage:
        stage.start()
        assert stage.file().status_code == 202
        stage.until(lambda document: document["gate"] is not None, approve=False)
        yield stage


@pytest.fixture(scope="module")
def schema(stage: Stage) -> BaseSchema:
    """The description as it is served."""
    return schemathesis.openapi.from_url(f"{stage.base}/api/openapi.json")


def operations(schema: BaseSchema) -> dict[str, APIOperation[Any, Any, Any]]:
    """Every operation by its name; none may be unreadable."""
    found = [result.ok() for result in schema.get_all_operations()]
    return {operation.definition.raw["operationId"]: operation for operation in found}


def faults(operation: APIOperation[Any, Any, Any], closure: str, headers: dict[str, str]) -> str:
    """What a few right and wrong requests to one operation bring to light; half of them name a real closure."""

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(
        case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)), real=st.booleans()
    )
    def send(case: Case, real: bool) -> None:
        if real and "closureId" in (case.path_parameters or {}):
            case.path_parameters["closureId"] = closure
        case.call_and_validate(headers=headers, checks=CHECKS, timeout=20)

    try:
        send()
    except Exception as fault:
        return f"{operation.label}: {fault}"
    return ""


@pytest.mark.parametrize("who", PEOPLE)
def test_answers_are_as_described(stage: Stage, schema: BaseSchema, who: str) -> None:
    """No 5xx, no undocumented status, media type or shape, whoever asks whatever."""
    found = [faults(operation, stage.closure, PEOPLE[who]) for operation in operations(schema).values()]

    assert [] == [fault for fault in found if fault], "\n".join(fault for fault in found if fault)
