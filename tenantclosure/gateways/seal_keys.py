"""The keys that seal Records: a secret in Key Vault, or a file where the program runs on one machine.

Both hold keys as hexadecimal text of 64 digits or more. In the vault every enabled version of the secret is a key and
the newest one signs; in the file every line is one and the first signs. An older key stays good for checking until its
version is disabled or its line is taken out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tenantclosure.errors import ServiceTrouble, SettingsError
from tenantclosure.model.keys import LEAST, KeyRing
from tenantclosure.settings import Settings

if TYPE_CHECKING:
    from azure.keyvault.secrets.aio import SecretClient

SECRET = "closure-seal"  # noqa: S105  # the secret's name
FORM = f"{2 * LEAST} hexadecimal digits or more, for example from `openssl rand -hex {LEAST}`"


async def seal_keys(settings: Settings) -> KeyRing:
    """The deployment's keys. Raises SettingsError for none or unusable ones, ServiceTrouble when the vault is away."""
    if bool(settings.seal_vault) == bool(settings.seal_key_file):
        raise SettingsError(
            "Set either CLOSURE_SEAL_VAULT (the Key Vault that holds the secret closure-seal) or CLOSURE_SEAL_KEY_FILE "
            "(a file), exactly one of them: Records are sealed with that key."
        )
    if settings.seal_key_file:
        return ring_of(_lines(settings.seal_key_file), "CLOSURE_SEAL_KEY_FILE")
    return ring_of(await _versions(settings), "CLOSURE_SEAL_VAULT")


def ring_of(texts: list[str], setting: str) -> KeyRing:
    """The ring of these keys, the first one signing. Raises SettingsError."""
    try:
        return KeyRing.of([bytes.fromhex(text) for text in texts])
    except ValueError:
        # Without the text: it may be a key with one wrong digit.
        raise SettingsError(f"{setting} holds no usable seal key: each is {FORM}.") from None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        raise SettingsError("CLOSURE_SEAL_KEY_FILE can't be read: name a file with the seal key.") from None


async def _versions(settings: Settings) -> list[str]:
    from azure.identity.aio import ManagedIdentityCredential
    from azure.keyvault.secrets.aio import SecretClient

    client_id = settings.identity_client_id
    identity = ManagedIdentityCredential(client_id=client_id) if client_id else ManagedIdentityCredential()
    async with identity, SecretClient(settings.seal_vault, identity) as vault:
        return await read_versions(vault)


async def read_versions(vault: SecretClient) -> list[str]:
    """Values of the secret's enabled versions, newest first. Raises SettingsError, ServiceTrouble."""
    from azure.core.exceptions import AzureError

    try:
        found = [one async for one in vault.list_properties_of_secret_versions(SECRET) if one.enabled]
        found.sort(key=lambda one: one.created_on.timestamp() if one.created_on else 0.0, reverse=True)
        return [str((await vault.get_secret(SECRET, one.version)).value) for one in found]
    except AzureError as error:
        status = getattr(error, "status_code", None)
        if status in (401, 403, 404):
            raise SettingsError(
                f"CLOSURE_SEAL_VAULT can't be read ({status}): create the secret {SECRET} in that Key Vault and give "
                "the managed identity the role Key Vault Secrets User."
            ) from None
        raise ServiceTrouble(f"Key Vault did not answer usefully: {type(error).__name__}") from None
