"""Seal keys from a file, and from a vault over TLS with the real client."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport
from azure.keyvault.secrets.aio import SecretClient

from simulator import tls
from tenantclosure.errors import ServiceTrouble, SettingsError
from tenantclosure.gateways.seal_keys import SECRET, read_versions, ring_of, seal_keys
from tenantclosure.model.keys import key_id

OLD, NEW = "a1" * 32, "b2" * 32


async def test_every_line_of_the_file_is_a_key_and_the_first_signs(settings_for: Any, tmp_path: Path) -> None:
    """The newest key on top seals; the older one below still checks."""
    file = tmp_path / "seal.key"
    file.write_text(f"{NEW}\n{OLD}\n")

    ring = await seal_keys(settings_for(CLOSURE_SEAL_KEY_FILE=str(file)))

    assert key_id(bytes.fromhex(NEW)) == ring.signing
    assert {bytes.fromhex(NEW), bytes.fromhex(OLD)} == set(ring.keys.values())


@pytest.mark.parametrize("text", ["", "abc", "a1" * 31, "zz" * 32, f"{NEW} {'a1' * 31}", "schlüssel"])
async def test_an_unusable_key_is_refused_without_being_told(settings_for: Any, tmp_path: Path, text: str) -> None:
    """Empty, short and mistyped keys are refused by the setting's name; the text of the key is in no message."""
    file = tmp_path / "seal.key"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError, match="CLOSURE_SEAL_KEY_FILE") as refused:
        await seal_keys(settings_for(CLOSURE_SEAL_KEY_FILE=str(file)))
    assert not text or text not in str(refused.value)


async def test_a_file_that_is_not_there_is_named(settings_for: Any, tmp_path: Path) -> None:
    """A missing file is a setting's fault and no empty ring."""
    with pytest.raises(SettingsError, match="CLOSURE_SEAL_KEY_FILE can't be read"):
        await seal_keys(settings_for(CLOSURE_SEAL_KEY_FILE=str(tmp_path / "none")))


@pytest.mark.parametrize(
    "both", [{}, {"CLOSURE_SEAL_KEY_FILE": "x", "CLOSURE_SEAL_VAULT": "https://v.vault.azure.net"}]
)
async def test_exactly_one_place_holds_the_key(settings_for: Any, both: dict[str, str]) -> None:
    """Without a place, or with two, nothing starts."""
    with pytest.raises(SettingsError, match="Set either CLOSURE_SEAL_VAULT"):
        await seal_keys(settings_for(**both))


class Identity:
    """Gives a token for whatever the vault asks."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken("token", 4102444800)

    async def close(self) -> None:
        return None

    async def __aenter__(self) -> Identity:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


class Vault:
    """A vault on a socket: asks for a token first, lists versions in two pages, and gives their values."""

    def __init__(self, certificates: tls.Certificates) -> None:
        self.versions: dict[str, tuple[str, int, bool]] = {}
        self.status = 200
        vault = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if "Authorization" not in self.headers:
                    challenge = (
                        'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"'
                    )
                    self._answer(401, {}, {"WWW-Authenticate": challenge})
                elif vault.status != 200:
                    self._answer(vault.status, {"error": {"code": "Forbidden", "message": "no"}}, {})
                else:
                    self._answer(200, vault.body(self.path), {})

            def _answer(self, status: int, body: Any, headers: dict[str, str]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Type": "application/json"}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = certificates.server_context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"

    def body(self, path: str) -> dict[str, Any]:
        """A page of versions, or one version."""
        parts = urlsplit(path)
        found = [self._one(version) for version in self.versions]
        if parts.path == f"/secrets/{SECRET}/versions":
            half = len(found) // 2
            if "page=2" in parts.query:
                return {"value": found[half:], "nextLink": None}
            return {"value": found[:half], "nextLink": f"{self.url}/secrets/{SECRET}/versions?page=2"}
        version = parts.path.rpartition("/")[2]
        return {**self._one(version), "value": self.versions[version][0]}

    def _one(self, version: str) -> dict[str, Any]:
        _, created, enabled = self.versions[version]
        attributes = {"enabled": enabled, "created": created, "updated": created}
        return {"id": f"{self.url}/secrets/{SECRET}/{version}", "attributes": attributes}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tls.Certificates:
    """A throw-away authority and its server's certificate."""
    return tls.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def vault(certificates: tls.Certificates) -> Iterator[Vault]:
    """The vault, listening."""
    made = Vault(certificates)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest_asyncio.fixture
async def client(vault: Vault, certificates: tls.Certificates) -> AsyncIterator[SecretClient]:
    """The real client, trusting the vault's certificate."""
    transport = AioHttpTransport(connection_verify=str(certificates.ca_file))
    # Loopback is no vault's domain, so the client is told not to compare the two.
    async with SecretClient(
        vault.url, Identity(), transport=transport, verify_challenge_resource=False, retry_total=0
    ) as made:
        yield made


async def test_enabled_versions_are_the_keys_and_the_newest_signs(vault: Vault, client: SecretClient) -> None:
    """Every page is read, a disabled version is left out, and the order of the list does not matter."""
    vault.versions = {"one": (OLD, 100, True), "two": (NEW, 300, True), "three": ("c3" * 32, 200, False)}

    assert [NEW, OLD] == await read_versions(client)
    assert key_id(bytes.fromhex(NEW)) == ring_of([NEW, OLD], "CLOSURE_SEAL_VAULT").signing


@pytest.mark.parametrize(
    ("status", "error"), [(403, SettingsError), (404, SettingsError), (500, ServiceTrouble), (429, ServiceTrouble)]
)
async def test_what_the_vault_refuses_is_told_from_trouble(
    vault: Vault, client: SecretClient, status: int, error: type[Exception]
) -> None:
    """A missing role or secret names setting and remedy; what a later try may cure is trouble."""
    vault.status = status

    with pytest.raises(error, match="Key Vault"):
        await read_versions(client)


async def test_a_vault_without_a_key_is_refused(vault: Vault, client: SecretClient) -> None:
    """A secret without an enabled version seals nothing, so nothing starts."""
    vault.versions = {"one": (OLD, 100, False)}

    with pytest.raises(SettingsError, match="CLOSURE_SEAL_VAULT holds no usable seal key"):
        ring_of(await read_versions(client), "CLOSURE_SEAL_VAULT")


async def test_a_vault_that_is_away_is_trouble() -> None:
    """A vault nobody answers for is tried again, not taken for an empty one."""
    async with SecretClient("https://127.0.0.1:9", Identity(), retry_total=0) as away:
        with pytest.raises(ServiceTrouble, match="Key Vault did not answer"):
            await read_versions(away)


def test_only_https_vaults_are_taken(settings_for: Any) -> None:
    """A key never crosses the network in the clear."""
    with pytest.raises(ValueError, match="https address of a Key Vault"):
        settings_for(CLOSURE_SEAL_VAULT="http://v.vault.azure.net")
