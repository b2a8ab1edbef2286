"""The published JSON schema of a closure request, as docs/ has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tenantclosure.model.request import ClosureRequest

FILE = Path(__file__).parent.parent / "docs" / "closure-request.schema.json"


def request_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a request as people write it."""
    schema = ClosureRequest.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def text() -> str:
    """The file's content."""
    return json.dumps(request_schema(), indent=2, ensure_ascii=False) + "\n"
