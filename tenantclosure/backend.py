"""Which backend keeps the histories, and whether the package that runs was made for it.

The scale controller reads the backend from the deployed host.json and from nowhere else: an override by an application
setting reaches the host but not what wakes it. So a package is made for one backend, and a mismatch stops the start.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from tenantclosure.errors import SettingsError

Backend = Literal["azure-storage", "durable-task-scheduler"]
PROVIDERS: dict[Backend, str] = {"azure-storage": "AzureStorage", "durable-task-scheduler": "azureManaged"}
"""What host.json calls each backend, as the type of its storage provider."""
SCHEDULER_CONNECTION = "DURABLE_TASK_SCHEDULER_CONNECTION_STRING"
"""The setting by which the host reaches the scheduler; Microsoft's own name for it."""
HOST_FILE = Path(__file__).resolve().parents[1] / "host.json"


def check_package(backend: Backend, host_file: Path = HOST_FILE) -> None:
    """Raises SettingsError unless this package's host.json is made for that backend."""
    try:
        provider = json.loads(host_file.read_text("utf-8"))["extensions"]["durableTask"]["storageProvider"]["type"]
    except (OSError, ValueError, LookupError, TypeError):
        raise SettingsError(
            "host.json is missing or names no storage provider: deploy what `make package` makes."
        ) from None
    if provider != PROVIDERS[backend]:
        raise SettingsError(
            f"CLOSURE_BACKEND is {backend}, but this package's host.json says {provider}: "
            f"deploy what `make package BACKEND={backend}` makes."
        )
