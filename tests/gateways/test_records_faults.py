"""What `AzureRecords` makes of lost answers, refusals and bad settings, against a real Azurite behind a bad line."""

from __future__ import annotations

import asyncio
import base64
import re
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tenantclosure.errors import RecordConflict, ServiceTrouble, SettingsError
from tenantclosure.gateways.records import AzureRecords, faults
from tenantclosure.names import REQUEST_QUEUE
from tests.chaos.proxy import Loop, Proxy, Spoil
from tests.fakes.proxy import LosingProxy

pytestmark = pytest.mark.azurite

BLOCK, INSERT, UPDATE = r"^PUT .*comp=appendblock", r"^POST .*/closures", r"^PUT .*/closures\("
MIB = 1024 * 1024
KEY = "c2VjcmV0LWtleS10aGF0LW11c3Qtbm90LWxlYWs="


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(faults, "PAUSES", (0.0, 0.0))


@pytest.fixture
def name() -> str:
    """A partition or path that no other test uses."""
    return f"t-{uuid4()}"


def sent(proxy: LosingProxy, method: str, part: str) -> int:
    """How many requests of a kind went through the proxy."""
    return sum(line.startswith(f"{method} ") and part in line for line in proxy.requests)


async def test_lost_answer_to_append(behind_proxy: AzureRecords, proxy: LosingProxy, name: str) -> None:
    """An append whose answer was lost counts as done: no conflict with itself, and the bytes are there once."""
    await behind_proxy.append(name, b"one\n", 0)
    proxy.lose(BLOCK)
    assert await behind_proxy.append(name, b"two\n", 4) == 8
    assert proxy.left == 0
    assert await behind_proxy.read_blob(name) == b"one\ntwo\n"


async def test_lost_answers_to_the_first_append(behind_proxy: AzureRecords, proxy: LosingProxy, name: str) -> None:
    """Creation of an append blob and its first block survive a lost answer each."""
    proxy.lose(r"^PUT", BLOCK)
    assert await behind_proxy.append(name, b"one\n", 0) == 4
    assert proxy.left == 0
    assert await behind_proxy.read_blob(name) == b"one\n"


def beside(azurite: str, loop: Loop) -> tuple[Proxy, str]:
    """A proxy before the blob service that can answer in storage's place, and the connection string by way of it."""
    found = re.search(r"BlobEndpoint=http://127\.0\.0\.1:(\d+)/", azurite)
    assert found
    proxy = Proxy(loop, int(found[1]))
    return proxy, azurite.replace(f"127.0.0.1:{found[1]}/", f"127.0.0.1:{proxy.port}/")


async def test_first_append_under_an_immutability_policy(azurite: str, settings_for: Any, name: str) -> None:
    """After a crash between creation and first block storage may call the blob immutable: the line is appended."""
    loop = Loop()
    proxy, text = beside(azurite, loop)
    records = AzureRecords(settings_for(CLOSURE_STORAGE=text))
    try:
        await records.prepare()
        await records.append(name, b"", 0)
        proxy.spoils.append(
            Spoil("status", rf"^PUT [^ ]*/{name}( |\?timeout| HTTP)", status=409, code="BlobImmutableDueToPolicy")
        )
        assert 4 == await records.append(name, b"one\n", 0)
        assert {"status 409": 1} == proxy.hits
        assert b"one\n" == await records.read_blob(name)
    finally:
        await records.close()
        proxy.close()
        loop.close()


async def test_prepare_asks_for_no_container_that_is_there(behind_proxy: AzureRecords, proxy: LosingProxy) -> None:
    """Made beforehand, containers are looked at only: a role on the two of them does not allow to make any."""
    await behind_proxy.prepare()

    assert 0 == sent(proxy, "PUT", "restype=container")
    assert 2 == sent(proxy, "GET", "restype=container") + sent(proxy, "HEAD", "restype=container")


async def test_lost_answer_within_a_large_append(behind_proxy: AzureRecords, proxy: LosingProxy, name: str) -> None:
    """A lost answer to the second of three blocks loses, doubles and swaps nothing."""
    data = bytes(range(251)) * (9 * 1024 * 1024 // 251)
    proxy.lose(BLOCK + ".*", BLOCK)
    assert await behind_proxy.append(name, data, 0) == len(data)
    assert proxy.left == 0
    assert await behind_proxy.read_blob(name) == data


async def test_lost_answers_to_pieces(behind_proxy: AzureRecords, proxy: LosingProxy, name: str) -> None:
    """A lost answer to a staged block, and one to the list of blocks at the end, lose and double nothing."""
    data = [bytes([65 + number]) * MIB for number in range(3)]

    async def pieces() -> AsyncIterator[bytes]:
        for piece in data:
            yield piece

    proxy.lose("^PUT .*comp=block&", "^PUT .*comp=blocklist")
    await behind_proxy.write_pieces(name, pieces())
    assert proxy.left == 0
    assert (4, 2) == (sent(proxy, "PUT", "comp=block&"), sent(proxy, "PUT", "comp=blocklist"))
    assert b"".join(data) == await behind_proxy.read_blob(name)


async def test_append_after_somebody_else(
    behind_proxy: AzureRecords, proxy: LosingProxy, azurite: str, settings_for: Any, name: str
) -> None:
    """A lost answer hides no other writer: his bytes at our position are a conflict."""
    other = AzureRecords(settings_for(CLOSURE_STORAGE=azurite))
    await other.append(name, b"his", 0)
    await other.close()
    proxy.lose(BLOCK)  # our block is refused, and the refusal is lost
    with pytest.raises(RecordConflict):
        await behind_proxy.append(name, b"our", 0)
    assert proxy.left == 0
    assert await behind_proxy.read_blob(name) == b"his"


async def test_append_before_somebody_else(
    behind_proxy: AzureRecords,
    proxy: LosingProxy,
    azurite: str,
    settings_for: Any,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Our append landed and another followed before we asked again: ours counts, with the length it gave."""
    other = AzureRecords(settings_for(CLOSURE_STORAGE=azurite))
    await behind_proxy.append(name, b"a", 0)
    real = behind_proxy._append_block

    async def append_then_other(*args: Any) -> None:
        proxy.lose(BLOCK)
        task = asyncio.create_task(real(*args))
        while proxy.left or await other.length(name) < 4:  # noqa: ASYNC110  # another process would not tell us either
            await asyncio.sleep(0.001)
        await other.append(name, b"his", 4)
        await task

    monkeypatch.setattr(faults, "PAUSES", (0.3, 0.0))
    monkeypatch.setattr(behind_proxy, "_append_block", append_then_other)
    assert await behind_proxy.append(name, b"our", 1) == 4
    assert await other.read_blob(name) == b"aourhis"
    await other.close()


async def test_lost_answer_to_create(behind_proxy: AzureRecords, proxy: LosingProxy, name: str) -> None:
    """A creation whose answer was lost counts as done, with the ETag that is stored."""
    proxy.lose(INSERT)
    etag = await behind_proxy.create(name, "k", {"a": 1})
    assert proxy.left == 0
    assert await behind_proxy.read(name, "k") == ({"a": 1}, etag)
    assert await behind_proxy.replace(name, "k", {"a": 2}, etag) != etag


async def test_create_after_somebody_else(behind_proxy: AzureRecords, proxy: LosingProxy, name: str) -> None:
    """Another's equal document stays a conflict even after a lost answer: a lease has one holder."""
    await behind_proxy.create(name, "k", {"a": 1})
    proxy.lose(INSERT)
    with pytest.raises(RecordConflict):
        await behind_proxy.create(name, "k", {"a": 1})
    assert proxy.left == 0


async def test_lost_answer_to_replace(behind_proxy: AzureRecords, proxy: LosingProxy, name: str) -> None:
    """A replacement whose answer was lost counts as done, with the new ETag."""
    old = await behind_proxy.create(name, "k", {"a": 1})
    proxy.lose(UPDATE)
    new = await behind_proxy.replace(name, "k", {"a": 2}, old)
    assert proxy.left == 0 and new != old
    assert await behind_proxy.read(name, "k") == ({"a": 2}, new)


async def test_replace_after_somebody_else(behind_proxy: AzureRecords, proxy: LosingProxy, name: str) -> None:
    """A lost answer doesn't hide that another replaced first, even with an equal document."""
    old = await behind_proxy.create(name, "k", {"a": 1})
    await behind_proxy.put(name, "k", {"a": 2})
    proxy.lose(UPDATE)
    with pytest.raises(RecordConflict):
        await behind_proxy.replace(name, "k", {"a": 2}, old)
    assert proxy.left == 0


async def test_lost_answers_to_the_rest(behind_proxy: AzureRecords, proxy: LosingProxy, name: str) -> None:
    """Everything that can be repeated without harm is repeated after a lost answer."""
    proxy.lose(r"^P(UT|ATCH)")
    await behind_proxy.put(name, "k", {"a": 1})
    proxy.lose(r"^GET")
    assert (await behind_proxy.read(name, "k") or [None])[0] == {"a": 1}
    proxy.lose(r"^GET")
    assert [key async for _, key, _ in behind_proxy.scan(name)] == ["k"]
    proxy.lose(r"^DELETE")
    await behind_proxy.remove(name, "k")
    proxy.lose(r"^PUT")
    await behind_proxy.write_blob(name, b"a\nb")
    proxy.lose(r"^HEAD", r"^GET")
    assert [line async for line in behind_proxy.read_lines(name)] == [b"a", b"b"]
    proxy.lose(r"^GET")
    assert await behind_proxy.read_from(name, 2) == b"b"
    proxy.lose(r"^GET")
    assert await behind_proxy.read_blob(name) == b"a\nb"
    assert proxy.left == 0


async def test_no_hidden_second_try(behind_proxy: AzureRecords, proxy: LosingProxy, name: str) -> None:
    """Neither the SDK nor aiohttp sends again on its own: three lost answers are three requests, then trouble."""
    await behind_proxy.create(name, "k", {"a": 1})
    for _ in range(2):  # once on reused connections, once on fresh ones
        proxy.requests.clear()
        proxy.lose(*[r"^PUT"] * 3)
        with pytest.raises(ServiceTrouble):
            await behind_proxy.write_blob(name, b"x")
        assert sent(proxy, "PUT", name) == 3 and proxy.left == 0
        await behind_proxy.read_blob(name)


async def test_storage_away(azurite: str, settings_for: Any, name: str) -> None:
    """Storage that isn't there is trouble in every method, never an empty answer."""
    async with LosingProxy(azurite) as gone:
        text = gone.connection_string
    records = AzureRecords(settings_for(CLOSURE_STORAGE=text))
    calls = [
        records.prepare(), records.create(name, "k", {}), records.read(name, "k"), records.replace(name, "k", {}, "e"),
        records.put(name, "k", {}), records.remove(name, "k"), anext(records.scan(name)), records.write_blob(name, b""),
        records.read_blob(name), anext(records.read_lines(name)), records.append(name, b"a", 0), records.length(name),
        records.read_from(name, 1), records.enqueue(REQUEST_QUEUE, {}), records.peek(REQUEST_QUEUE),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ServiceTrouble):
            await call
    await records.close()


async def test_nothing_prepared(azurite: str, settings_for: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing table or container is trouble, not a missing record: otherwise all records would seem to be gone."""
    monkeypatch.setattr("tenantclosure.names.CONTAINER", "nothing-here")
    monkeypatch.setattr("tenantclosure.names.TABLE", "nothinghere")
    records = AzureRecords(settings_for(CLOSURE_STORAGE=azurite))
    for call in (records.read(name, "k"), anext(records.scan()), records.length(name), records.read_blob(name)):
        with pytest.raises(ServiceTrouble, match="404"):
            await call
    await records.close()


@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning:azure.data.tables")
async def test_no_secret_in_errors(azurite: str, settings_for: Any, name: str) -> None:
    """A refused key shows up nowhere in the error or what it is chained to; nor does an unusable connection string."""
    real = azurite.split("AccountKey=")[1].split(";")[0]
    records = AzureRecords(settings_for(CLOSURE_STORAGE=azurite.replace(real, KEY)))
    with pytest.raises(ServiceTrouble, match="403") as caught:
        await records.read(name, "k")
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None and caught.value.__cause__ is None
    await records.close()
    broken = AzureRecords(settings_for(CLOSURE_STORAGE=f"AccountKey={KEY};x"))
    with pytest.raises(SettingsError, match="CLOSURE_STORAGE") as refused:
        await broken.read(name, "k")
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("values", [{}, {"CLOSURE_STORAGE": "a", "CLOSURE_STORAGE__accountName": "b"}])
def test_which_account(settings_for: Any, values: dict[str, str]) -> None:
    """No account, or two, is a fault in the settings that names both settings."""
    with pytest.raises(SettingsError, match=r"CLOSURE_STORAGE .*CLOSURE_STORAGE__accountName"):
        AzureRecords(settings_for(**values))


@pytest.mark.parametrize(
    ("cloud", "suffix"),
    [("global", "windows.net"), ("usgov", "usgovcloudapi.net"), ("china", "chinacloudapi.cn")],
)
async def test_managed_identity(settings_for: Any, cloud: str, suffix: str) -> None:
    """With an account name the clients go to that account in the right cloud over TLS, with the named identity."""
    records = AzureRecords(
        settings_for(CLOSURE_CLOUD=cloud, CLOSURE_STORAGE__accountName="acc", CLOSURE_STORAGE__clientId="some-id")
    )
    clients = records.clients.here()
    assert clients.credential is not None
    assert clients.blobs.url == f"https://acc.blob.core.{suffix}/"
    assert clients.tables.url == f"https://acc.table.core.{suffix}"
    assert clients.queues.url == f"https://acc.queue.core.{suffix}/"
    await records.close()
    assert records.clients.here() is not clients
    await records.close()


async def test_reopens_after_close(azurite: str, settings_for: Any, name: str) -> None:
    """Closing twice is harmless and a later call opens anew."""
    records = AzureRecords(settings_for(CLOSURE_STORAGE=azurite))
    await records.prepare()
    await records.close()
    await records.close()
    await records.put(name, "k", {})
    await records.close()


def test_one_set_of_clients_for_each_loop(azurite: str, settings_for: Any, name: str) -> None:
    """One object serves several event loops one after the other, each with its own connections."""
    records = AzureRecords(settings_for(CLOSURE_STORAGE=azurite))
    seen = []

    async def use() -> None:
        await records.prepare()
        await records.put(name, "k", {})
        assert records.clients.here() is records.clients.here()
        seen.append(records.clients.here())
        await records.close()

    asyncio.run(use())
    asyncio.run(use())
    assert seen[0] is not seen[1]


@pytest.mark.parametrize(
    ("content", "body"),
    [
        ('{"a": 1}', {"a": 1}),
        (base64.b64encode(b'{"a": 1}').decode(), {"a": 1}),
        ("no json", "no json"),
        ("test", "test"),
    ],
)
async def test_foreign_messages(azurite: str, settings_for: Any, content: str, body: Any) -> None:
    """Messages that others put there are shown as JSON or as text, with or without base64."""
    records = AzureRecords(settings_for(CLOSURE_STORAGE=azurite))
    await records.prepare()
    queue = records.clients.here().queues.get_queue_client(REQUEST_QUEUE)
    await queue.clear_messages()
    await queue.send_message(content)
    assert [row["body"] for row in await records.peek(REQUEST_QUEUE)] == [body]
    await queue.clear_messages()
    await records.close()


def test_cheap_import() -> None:
    """Importing the gateway loads no Azure SDK."""
    code = (
        "import sys, tenantclosure.gateways.records;"
        "sys.exit(any(name.split('.')[0] in ('azure', 'aiohttp') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
