"""host.json for each backend: one file is kept, and only its storage provider changes."""

from __future__ import annotations

import json
from typing import Any

from tenantclosure.backend import PROVIDERS, SCHEDULER_CONNECTION, Backend

SCHEDULER: dict[str, Any] = {
    "type": PROVIDERS["durable-task-scheduler"],
    "connectionStringName": SCHEDULER_CONNECTION,
}
"""The scheduler's whole provider: partitions and polling are Azure Storage's own."""


def made_for(backend: Backend, text: str) -> str:
    """The text of host.json as it is deployed; as it is kept, it is made for Azure Storage."""
    if backend == "azure-storage":
        return text
    document = json.loads(text)
    document["extensions"]["durableTask"]["storageProvider"] = SCHEDULER
    return json.dumps(document, indent=2) + "\n"
