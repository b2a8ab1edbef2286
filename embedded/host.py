"""The local host itself: puts storage, engine and doors together and takes them down in order."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from embedded.azurite import Azurite
from embedded.errors import EmbeddedError

STOP_GRACE_SECONDS = 5.0
HOST_STORAGE, RECORDS_STORAGE = "AzureWebJobsStorage", "CLOSURE_STORAGE"
SEAL_VAULT, SEAL_FILE = "CLOSURE_SEAL_VAULT", "CLOSURE_SEAL_KEY_FILE"
logger = logging.getLogger(__name__)


class LocalHost:
    """Runs the app in ``app_dir`` with its storage in ``state_dir``, on 127.0.0.1.

    One at a time in a process: an app keeps clients and settings in its modules, and the process has one environment.
    """

    def __init__(self, app_dir: Path, state_dir: Path, port: int = 0) -> None:
        self.app_dir, self.state_dir, self.base_url = Path(app_dir).resolve(), Path(state_dir), ""
        self._port = port
        self._environment: dict[str, str | None] = {}
        self._azurite: Azurite | None = None
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Return when the first request can be served; on any error everything is taken down again."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Take no more work, let running activities finish for a few seconds, stop storage; safe to call twice."""
        while self._undo:
            try:
                self._undo.pop()()
            except Exception:
                logger.exception("Part of the local host did not stop cleanly.")

    def _start(self) -> None:
        # Storage takes longest: start it first, and load what it does not need to be ready for meanwhile.
        self._undo.append(self._restore_environment)
        azurite = self._begin_storage()
        from embedded.http import HttpServer, listen
        from embedded.keeping import seal_key, site_name

        listener = listen(self._port)
        self._undo.append(listener.close)
        port = listener.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}"
        self._set_environment(
            {
                "WEBSITE_AUTH_ENABLED": "True",  # this host is the platform that signs people in
                "WEBSITE_HOSTNAME": f"127.0.0.1:{port}",
                "WEBSITE_SITE_NAME": site_name(self.state_dir),
                "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
                "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING": "true",
            }
        )
        if not (os.environ.get(SEAL_VAULT) or os.environ.get(SEAL_FILE)):
            self._set_environment({SEAL_FILE: str(seal_key(self.state_dir))})
        from embedded.backend import Backend
        from embedded.invocation import Invoker, client_configuration
        from embedded.loading import load
        from embedded.sessions import Sessions
        from embedded.signin import SignIn
        from embedded.worker import Worker

        if azurite is not None:
            storage = azurite.ready()
            self._set_environment({HOST_STORAGE: storage, RECORDS_STORAGE: storage})
        app = load(self.app_dir)
        backend, invoker = Backend(app.settings.default_version), Invoker(str(self.app_dir))
        address = backend.start()
        self._undo.append(lambda: backend.stop(0))
        invoker.client = client_configuration(address, self.base_url, app.settings.task_hub)
        invoker.start()
        self._undo.append(lambda: invoker.stop(STOP_GRACE_SECONDS))
        if closing := app.closing:
            self._undo.append(lambda: invoker.submit(closing()).result())
        worker = Worker(app, backend, invoker)
        worker.start()
        self._undo.append(lambda: invoker.submit(worker.stop(STOP_GRACE_SECONDS)).result())
        server = HttpServer(app, invoker, listener, SignIn(Sessions(self.state_dir)))
        self._undo.append(lambda: invoker.submit(server.stop()).result())
        invoker.submit(server.start()).result()
        self._start_pumps(app, invoker)

    def _begin_storage(self) -> Azurite | None:
        if records := os.environ.get(RECORDS_STORAGE):
            self._set_environment({HOST_STORAGE: os.environ.get(HOST_STORAGE) or records})
            return None
        azurite = self._azurite = Azurite(self.state_dir)
        azurite.begin()
        self._undo.append(azurite.stop)
        return azurite

    @property
    def storage_lost(self) -> bool:
        """Whether the storage we started has ended by itself; nothing can go on then."""
        return self._azurite is not None and not self._azurite.running()

    def _start_pumps(self, app: Any, invoker: Any) -> None:
        """Queue and timer triggers, once everything they may call is there."""
        from embedded.queues import QueuePoller
        from embedded.timers import Timer

        pumps: list[QueuePoller | Timer] = [
            *(QueuePoller(function, app.settings, invoker) for function in app.of_kind("queueTrigger")),
            *(Timer(function, invoker) for function in app.of_kind("timerTrigger")),
        ]

        async def start() -> list[asyncio.Task[None]]:
            return [asyncio.create_task(pump.run()) for pump in pumps]

        async def stop() -> None:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=STOP_GRACE_SECONDS)

        tasks: list[asyncio.Task[None]] = invoker.submit(start()).result()
        self._undo.append(lambda: invoker.submit(stop()).result())

    def _set_environment(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            self._environment.setdefault(name, os.environ.get(name))
            os.environ[name] = value

    def _restore_environment(self) -> None:
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._environment.clear()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _not_a_cancelled_timer(record: logging.LogRecord) -> bool:
    # The engine can't take a cancelled timer back; that it fires later is expected and worth no line.
    return "Ignoring unexpected timerFired" not in record.getMessage()


def _announce(url: str) -> None:
    print(f"Listening on {url}", flush=True)


def serve(app_dir: Path, state_dir: Path, port: int, announce: Callable[[str], None] = _announce) -> int:
    """Run until SIGTERM or SIGINT; `announce` gets the base URL once it answers. Returns the exit code."""
    # Warnings only: progress is the app's to show, and the SDKs would log every request.
    from tenantclosure.telemetry.lines import Line

    handler = logging.StreamHandler()
    handler.setFormatter(Line())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("azure.durable_functions.worker").addFilter(_not_a_cancelled_timer)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    host = LocalHost(app_dir, state_dir, port)
    try:
        host.start()
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        announce(host.base_url)
        while not stopped.wait(1.0):
            if host.storage_lost:
                print("Azurite ended unexpectedly; start the host again, every closure goes on.", file=sys.stderr)
                return 1
    finally:
        host.stop()
    return 0
