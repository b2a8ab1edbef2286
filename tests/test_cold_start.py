"""A cold start loads what every call needs, and no SDK that only some do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    *("msgraph", "msgraph_core", "kiota_abstractions", "kiota_http", "kiota_authentication_azure", "msal"),
    *("azure.core", "azure.identity", "azure.storage", "azure.data", "azure.keyvault"),
    *("aiohttp", "httpx", "cryptography", "jwt", "jsonschema", "limits"),
)
"""What talks to somebody: each is imported by the gateway that uses it, when it is first used."""
TELL = "import json, sys, function_app; print(json.dumps(sorted(sys.modules)))"


def test_no_sdk_is_loaded_with_the_app() -> None:
    """`import function_app` in a fresh process leaves every SDK, HTTP client and signature library where it is."""
    said = subprocess.run([sys.executable, "-c", TELL], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = json.loads(said.stdout)

    assert [] == [name for name in loaded if any(name == heavy or name.startswith(f"{heavy}.") for heavy in HEAVY)]
    assert "activities.shards" in loaded
    assert "tenantclosure.wiring" in loaded
