"""Calls the app's functions: coroutines on the host's one event loop, plain functions in threads."""

import asyncio
import inspect
import json
import threading
import uuid
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import thread as thread_pools
from contextvars import copy_context
from typing import Any

from azure.functions import Context

from embedded.loading import Function

SYNC_THREADS = 64


class InvocationContext(Context):
    """What a function that asks for ``context`` is told about its invocation."""

    thread_local_storage = threading.local()
    trace_context = None
    retry_context = None

    def __init__(self, function: Function, directory: str) -> None:
        self._name, self._directory, self._id = function.name, directory, str(uuid.uuid4())

    @property
    def invocation_id(self) -> str:
        """A new id for each call."""
        return self._id

    @property
    def function_name(self) -> str:
        """The function's name."""
        return self._name

    @property
    def function_directory(self) -> str:
        """The app's folder."""
        return self._directory


def client_configuration(rpc_address: str, base_url: str, hub: str) -> str:
    """The JSON that the Durable extension puts into a durableClient binding (no slash after the RPC address)."""
    hooks = f"{base_url}/runtime/webhooks/durabletask"
    query = f"taskHub={hub}&connection=Storage"
    return json.dumps(
        {
            "taskHubName": hub,
            "connectionName": "Storage",
            "rpcBaseUrl": f"http://{rpc_address}",
            "baseUrl": hooks,
            "httpBaseUrl": hooks,
            "requiredQueryStringParameters": query,
            "maxGrpcMessageSizeInBytes": 2**31 - 1,
            "grpcHttpClientTimeout": "00:01:40",
            "useForwardedHost": False,
            "creationUrls": {},
            "managementUrls": {"id": "INSTANCEID"},
        }
    )


class Invoker:
    """Owns the event loop thread and the thread pool of one host."""

    def __init__(self, directory: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = ""  # the durable client's configuration; known once the backend listens
        self._directory = directory
        self._threads = ThreadPoolExecutor(SYNC_THREADS, "function")
        self._thread = threading.Thread(target=self._run, name="host-loop", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def start(self) -> None:
        """Start the event loop's thread."""
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, Any]) -> "Future[Any]":
        """Run a coroutine on the host's loop from any thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    async def call(self, function: Function, value: Any) -> Any:
        """Invoke one function with its trigger's value, as the Python worker does."""
        arguments = {function.argument: value, **dict.fromkeys(function.clients, self.client)}
        if "context" not in arguments and "context" in inspect.signature(function.handler).parameters:
            arguments["context"] = InvocationContext(function, self._directory)
        if inspect.iscoroutinefunction(function.handler):
            return await function.handler(**arguments)
        run = copy_context().run
        return await self.loop.run_in_executor(self._threads, lambda: run(function.handler, **arguments))

    def stop(self, grace: float) -> None:
        """Cancel what still runs on the loop and end it; a thread that does not return is left behind."""

        async def cancel_all() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.wait(others, timeout=grace) if others else None
            await self.loop.shutdown_asyncgens()

        if self._thread.is_alive():
            self.submit(cancel_all()).result(grace + 5)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(5)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for thread in self._threads._threads:
            # Python joins pool threads at exit even when they are daemons, as these are (their creator, our loop's
            # thread, is one): a function that never returns must not keep the process.
            thread_pools._threads_queues.pop(thread, None)  # type: ignore[attr-defined]
        if not self.loop.is_running():
            self.loop.close()
