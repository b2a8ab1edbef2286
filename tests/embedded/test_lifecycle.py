"""Starting, stopping and killing the host as a program of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from embedded import azurite
from embedded.azurite import Azurite
from embedded.errors import EmbeddedError
from embedded.host import LocalHost

pytestmark = [pytest.mark.azurite, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
TOY_APP = Path(__file__).parent / "toyapp"


class Program:
    """``python -m embedded`` on the toy app."""

    def __init__(self, state: Path, **environment: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CLOSURE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "embedded", "--app-dir", str(TOY_APP), "--state-dir", str(state)],
            cwd=ROOT,
            env=kept | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def address(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.fullmatch(r"Listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert found, line or self.process.communicate()[1]
        return found[1]

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    """Programs to end with the test."""
    started: list[Program] = []
    yield started
    for program in started:
        if program.process.poll() is None:
            program.end(signal.SIGKILL)


def storage_of(address: str) -> str:
    """The host's storage, as its app sees it."""
    return httpx.get(f"{address}/seen").json()["storage"]


def write(storage: str) -> None:
    """One blob, one table row, one queue message."""
    with BlobServiceClient.from_connection_string(storage) as blobs:
        blobs.create_container("things").upload_blob("one", b"blob")
    with TableServiceClient.from_connection_string(storage) as tables:
        tables.create_table("things").create_entity({"PartitionKey": "p", "RowKey": "r", "text": "row"})
    with QueueClient.from_connection_string(storage, "kept") as queue:
        queue.create_queue()
        queue.send_message("message")


def read(storage: str) -> list[object]:
    """The same three, read back."""
    with BlobServiceClient.from_connection_string(storage) as blobs:
        blob = blobs.get_blob_client("things", "one").download_blob().readall()
    with TableServiceClient.from_connection_string(storage) as tables:
        row = tables.get_table_client("things").get_entity("p", "r")["text"]
    with QueueClient.from_connection_string(storage, "kept") as queue:
        message = queue.peek_messages()[0].content
    return [blob, row, message]


@pytest.mark.parametrize("pause", [0, pytest.param(6, marks=pytest.mark.slow)])
def test_killed_host_loses_nothing(tmp_path: Path, programs: list[Program], pause: float) -> None:
    """kill -9 right after writing (or after a flush): the next host finds all of it, and runs its timers at once."""
    programs.append(Program(tmp_path))
    write(storage_of(programs[0].address()))
    time.sleep(pause)
    programs[0].end(signal.SIGKILL)

    programs.append(Program(tmp_path))
    address = programs[1].address()

    assert read(storage_of(address)) == [b"blob", "row", "message"]
    assert httpx.get(f"{address}/seen").json()["timer"][0] is True


def test_stopped_host_leaves_nothing_behind(tmp_path: Path, programs: list[Program]) -> None:
    """SIGTERM ends with code 0, data flushed, Azurite gone and the folder free."""
    programs.append(Program(tmp_path))
    storage = storage_of(programs[0].address())
    write(storage)

    assert programs[0].end(signal.SIGTERM) == 0
    port = int(re.search(r"BlobEndpoint=http://127\.0\.0\.1:(\d+)", storage)[1])  # type: ignore[index]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    programs.append(Program(tmp_path))
    assert read(storage_of(programs[1].address())) == [b"blob", "row", "message"]


def test_second_host_on_the_same_folder(
    tmp_path: Path, programs: list[Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another host has the folder: one sentence that says what to do."""
    programs.append(Program(tmp_path))
    programs[0].address()
    monkeypatch.setattr(azurite, "LOCK_WAIT_SECONDS", 0.2)
    second = Azurite(tmp_path)
    second.begin()

    with pytest.raises(EmbeddedError, match=r"Another local host is using the state folder .*; stop it or choose"):
        second.ready()


def test_killed_leash_takes_azurite_with_it(tmp_path: Path, programs: list[Program]) -> None:
    """When even the leash is killed, Azurite still ends in order, and the host says that it cannot go on."""
    programs.append(Program(tmp_path))
    storage = storage_of(programs[0].address())
    write(storage)
    leash = Path(f"/proc/{programs[0].process.pid}/task/{programs[0].process.pid}/children").read_text().split()[0]
    os.kill(int(leash), signal.SIGKILL)
    _, said = programs[0].process.communicate(timeout=30)

    assert programs[0].process.returncode == 1
    assert "Azurite ended unexpectedly" in said
    programs.append(Program(tmp_path))
    assert read(storage_of(programs[1].address())) == [b"blob", "row", "message"]


def test_running_activity_may_finish(tmp_path: Path, programs: list[Program]) -> None:
    """SIGTERM while an activity runs: it ends its work before the host leaves."""
    done = tmp_path / "done"
    programs.append(Program(tmp_path / "state"))
    address = programs[0].address()
    httpx.post(f"{address}/runs/leave_mark/one", json={"path": str(done), "seconds": 1.0})
    while not done.with_suffix(".begun").exists():
        time.sleep(0.02)

    assert programs[0].end(signal.SIGTERM) == 0
    assert done.exists()


@pytest.mark.slow
def test_endless_activity_does_not_keep_the_host(tmp_path: Path, programs: list[Program]) -> None:
    """An activity that does not end is left behind after a few seconds."""
    done = tmp_path / "done"
    programs.append(Program(tmp_path / "state"))
    address = programs[0].address()
    httpx.post(f"{address}/runs/leave_mark/one", json={"path": str(done), "seconds": 60.0})
    while not done.with_suffix(".begun").exists():
        time.sleep(0.02)
    started = time.monotonic()

    assert programs[0].end(signal.SIGTERM) == 0
    assert time.monotonic() - started < 15


def test_storage_from_outside(tmp_path: Path, programs: list[Program]) -> None:
    """With CLOSURE_STORAGE set the host starts no Azurite; queues fall back to that storage, key and name are kept."""
    server = Azurite(tmp_path / "outside")
    server.begin()
    try:
        storage = server.ready()
        programs.append(Program(tmp_path / "unused", CLOSURE_STORAGE=storage))
        assert storage_of(programs[0].address()) == storage
        programs[0].end(signal.SIGTERM)
    finally:
        server.stop()

    assert {"seal.key", "site.name"} == {file.name for file in (tmp_path / "unused").iterdir()}


def test_start_error_is_one_sentence(tmp_path: Path) -> None:
    """The program prints the error alone and ends with code 2."""
    ended = subprocess.run(
        [sys.executable, "-m", "embedded", "--app-dir", str(tmp_path), "--state-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 2
    assert ended.stderr.strip() == f"There is no host.json in {tmp_path.resolve()}; is this the app's folder?"


def test_port_in_use(tmp_path: Path) -> None:
    """A port that is taken is named, with the remedy."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EmbeddedError, match=r"Port \d+ cannot be used .*--port"):
            LocalHost(TOY_APP, tmp_path, taken.getsockname()[1]).start()


def test_node_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Node the error says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EmbeddedError, match=r"Node\.js was not found.*make setup"):
        Azurite(tmp_path).begin()


def test_azurite_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Azurite the error names the command that installs it."""
    monkeypatch.setattr(azurite, "SCRIPT", tmp_path / "nothing.js")

    with pytest.raises(EmbeddedError, match="Azurite is not installed; run `make setup`"):
        Azurite(tmp_path).begin()


def test_folder_without_an_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without an app is a clear error, and nothing is left in the environment."""
    monkeypatch.setenv("CLOSURE_STORAGE", "UseDevelopmentStorage=true")
    monkeypatch.delenv("WEBSITE_AUTH_ENABLED", raising=False)

    with pytest.raises(EmbeddedError, match=r"no host\.json"):
        LocalHost(tmp_path, tmp_path).start()

    assert "WEBSITE_AUTH_ENABLED" not in os.environ


def test_lock_file_names_no_registry() -> None:
    """Every machine uses its own registry, so the npm lock names none."""
    assert '"resolved"' not in (azurite.FOLDER / "package-lock.json").read_text()
