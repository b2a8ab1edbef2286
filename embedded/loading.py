"""Reads a Functions app as the host does: function_app.py by path, its bindings, and host.json."""

import importlib.util
import json
import os
import re
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from embedded.errors import EmbeddedError

MODULE = "function_app"
DURABLE_NAMES = {"orchestrationTrigger": "orchestration", "activityTrigger": "activity", "entityTrigger": "entityName"}


@dataclass(frozen=True)
class Function:
    """One function of the app with its trigger; ``key`` is the name that durable work items ask for."""

    name: str
    handler: Callable[..., Any]
    kind: str
    argument: str
    trigger: dict[str, Any]
    clients: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class HostSettings:
    """The part of host.json that this host honours, with the Functions host's defaults."""

    route_prefix: str = "api"
    queue_encoding: str = "base64"
    max_dequeue_count: int = 5
    visibility_timeout: timedelta = timedelta(0)
    batch_size: int = 16
    task_hub: str = "TestHubName"
    default_version: str | None = None


@dataclass(frozen=True)
class App:
    """A loaded app: its settings, its functions, and what it wants awaited when the host stops in an orderly way."""

    settings: HostSettings
    functions: tuple[Function, ...] = field(default_factory=tuple)
    closing: Callable[[], Coroutine[Any, Any, None]] | None = None

    def of_kind(self, kind: str) -> list[Function]:
        """The functions with this kind of trigger."""
        return [function for function in self.functions if function.kind == kind]


def time_span(text: str) -> timedelta:
    """``[d.]hh:mm:ss`` as host.json and timer schedules write it."""
    found = re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d\d):(\d\d)(?:\.\d+)?", text)
    if found is None:
        raise EmbeddedError(f"'{text}' is not a time span like 00:00:30.")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def resolve(text: str) -> str:
    """Replace ``%NAME%`` by the setting of that name, as the Functions host does in bindings and host.json."""

    def setting(found: re.Match[str]) -> str:
        value = os.environ.get(found[1])
        if value is None:
            raise EmbeddedError(f"The setting {found[1]} is missing; the app uses it in a binding or in host.json.")
        return value

    return re.sub(r"%([A-Za-z_][A-Za-z0-9_]*)%", setting, text)


def read_settings(app_dir: Path) -> HostSettings:
    """What host.json says, or a clear error."""
    try:
        document = json.loads((app_dir / "host.json").read_text("utf-8"))
    except FileNotFoundError as error:
        raise EmbeddedError(f"There is no host.json in {app_dir}; is this the app's folder?") from error
    except ValueError as error:
        raise EmbeddedError(f"host.json in {app_dir} is not JSON: {error}.") from error
    extensions = document.get("extensions", {})
    queues, durable = extensions.get("queues", {}), extensions.get("durableTask", {})
    # The hub's name means nothing in memory; a setting it names in Azure need not exist here.
    hub = durable.get("hubName", "")
    return HostSettings(
        route_prefix=extensions.get("http", {}).get("routePrefix", "api").strip("/"),
        queue_encoding=queues.get("messageEncoding", "base64").lower(),
        max_dequeue_count=int(queues.get("maxDequeueCount", 5)),
        visibility_timeout=time_span(queues.get("visibilityTimeout", "00:00:00")),
        batch_size=min(32, int(queues.get("batchSize", 16))),
        default_version=durable.get("defaultVersion"),
        task_hub=hub if hub and "%" not in hub else "TestHubName",
    )


def import_module(app_dir: Path) -> Any:
    """Import function_app.py afresh; its neighbours are found because the folder leads sys.path, as in Azure."""
    path = app_dir / f"{MODULE}.py"
    if not path.exists():
        raise EmbeddedError(f"There is no {MODULE}.py in {app_dir}; is this the app's folder?")
    if str(app_dir) not in sys.path:
        sys.path.insert(0, str(app_dir))
    spec = importlib.util.spec_from_file_location(MODULE, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    spec.loader.exec_module(module)
    return module


def read_function(function: Any) -> Function:
    """Turn the library's description of one function into ours."""
    bindings = [json.loads(text) for text in function.get_raw_bindings()]
    name = function.get_function_name()
    triggers = [binding for binding in bindings if binding["type"].endswith("Trigger")]
    if len(triggers) != 1:
        raise EmbeddedError(f"The function {name} has {len(triggers)} triggers; it needs exactly one.")
    trigger = triggers[0]
    key = trigger.get(DURABLE_NAMES.get(trigger["type"], "")) or name
    return Function(
        name=name,
        handler=function.get_user_function(),
        kind=trigger["type"],
        argument=trigger["name"],
        trigger=trigger,
        clients=tuple(binding["name"] for binding in bindings if binding["type"] == "durableClient"),
        key=key.lower() if trigger["type"] == "entityTrigger" else key,
    )


def load(app_dir: Path) -> App:
    """Load the app in ``app_dir`` unchanged."""
    from azure.functions import FunctionRegister

    settings = read_settings(app_dir)
    module = import_module(app_dir)
    apps = [value for value in vars(module).values() if isinstance(value, FunctionRegister)]
    if len(apps) != 1:
        raise EmbeddedError(f"{MODULE}.py defines {len(apps)} apps; it needs exactly one.")
    functions = tuple(read_function(function) for function in apps[0].get_functions())
    return App(settings, functions, getattr(module, "close", None))
