"""One closure under its schedule, from the request to the end, with people who try again when nobody answers."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from embedded.azurite import Azurite, connection_string
from tenantclosure.names import Gate
from tests.chaos.judge import Seen
from tests.chaos.proxy import Loop, Proxy
from tests.chaos.schedule import Schedule
from tests.chaos.trouble import Trouble
from tests.rehearsals.stage import APPROVERS, ROOT, Stage

DAY = 0.02
BOUND = 240.0
"""Seconds in which a closure has to end, whatever happens to it; undisturbed it takes about fifteen. A sweep that
storage refused while the host started comes again with the next minute, and that may happen at two starts.
"""
SETTLED_SECONDS = 20.0
"""How long what was cut off at the very end may take to come back."""
LOOK_SECONDS = 0.4
"""Between two looks of the people: each costs the host a dozen reads."""
SERVICES = ("blob", "queue", "table")


class HostDied(Exception):
    """The host ended although nobody killed it."""


class Rehearsal(Stage):
    """A stage with a proxy before every port, and storage of its own that outlives the host."""

    command = ("-m", "tests.chaos.host", "--app-dir", str(ROOT))
    pace = 0.8

    def __init__(self, folder: Path, schedule: Schedule, trouble: type[Trouble] = Trouble) -> None:
        self.schedule = schedule
        self.azurite = Azurite(folder / "storage")
        self.azurite.begin()
        self.loop = Loop()
        self.proxies: list[Proxy] = []
        self.answered: set[tuple[str, int, str]] = set()
        options = {
            "users": schedule.users,
            "seed": schedule.seed,
            "profile": schedule.profile,
            "lag-ms": schedule.lag_ms,
            "quota": schedule.quota,
        }
        super().__init__(folder, *(word for n, value in options.items() for word in (f"--{n}", str(value))), day=DAY)
        self.trouble = trouble(schedule.strokes, folder / "clock", self.sim["url"])
        self._put_proxies(self.azurite.ready())

    def _put_proxies(self, storage: str) -> None:
        trouble, endpoints = self.trouble, dict(part.split("=", 1) for part in storage.split(";") if part)
        for service in SERVICES:
            proxy = Proxy(self.loop, urlsplit(endpoints[f"{service.capitalize()}Endpoint"]).port or 0)
            trouble.storage.append(proxy)
            if service != "queue":  # polled all the time: no measure of how far a phase is
                proxy.watch = trouble.watch
        graph = Proxy(self.loop, urlsplit(self.sim["url"]).port or 0)
        login = Proxy(self.loop, urlsplit(self.sim["loginUrl"]).port or 0, http=False)
        trouble.microsoft = [graph, login]
        self.proxies = [*trouble.storage, *trouble.microsoft]
        url, login_url = f"http://127.0.0.1:{graph.port}", f"https://127.0.0.1:{login.port}"
        found = self.web.post(f"{self.sim['url']}/_sim/settings", json={"address": url, "loginAddress": login_url})
        found.raise_for_status()
        ports = {service: proxy.port for service, proxy in zip(SERVICES, trouble.storage, strict=True)}
        self.extra = {
            "CLOSURE_GRAPH_URL": url,
            "CLOSURE_ARM_URL": url,
            "CLOSURE_PARTNER_URL": url,
            "CLOSURE_LOGIN_URL": login_url,
            "CLOSURE_TEAMS_WEBHOOK": f"{url}/_teams/workflows/closure",
            "CLOSURE_STORAGE": connection_string(ports),
            "CLOSURE_SHARD_SIZE": "20",
            "CLOSURE_LANES": str(self.schedule.lanes),
            "CHAOS_CLOCK": str(trouble.clock),
        }

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for proxy in self.proxies:
            proxy.close()
        self.loop.close()
        self.azurite.stop()

    # -- the host, killed and started again ---------------------------------------------------------------------------
    def launch(self) -> None:
        """Start the host, and again when it is killed while it starts. Raises HostDied."""
        while True:
            try:
                self.start()
            except AssertionError:
                self._buried()
                continue
            except httpx.HTTPError:
                pass  # the simulator's own door; the robot keeps its last orders
            assert self.host is not None
            self.trouble.host = self.host.pid
            return

    def _buried(self) -> None:
        assert self.host is not None and self.host.stdout is not None
        code = self.host.wait()
        self.host.stdout.close()
        if code != -signal.SIGKILL:
            raise HostDied(f"the host ended with {code}:\n{self.log()}")
        time.sleep(self.trouble.down)

    # -- people -------------------------------------------------------------------------------------------------------
    def live(self, bound: float = BOUND) -> bool:
        """File, decide, and start the host again whenever it was killed, until the closure has ended; False if not."""
        end = time.monotonic() + bound
        self.launch()
        while time.monotonic() < end:
            assert self.host is not None
            if self.host.poll() is not None:
                self._buried()
                self.launch()
            try:
                if self._look():
                    return True
            except (httpx.HTTPError, ValueError):
                pass  # cut off, killed, or an error page: a person tries again
            time.sleep(LOOK_SECONDS)
        return False

    def _look(self) -> bool:
        if not self.closure:
            answer = self.file(quietDays=self.schedule.quiet_days)
            if answer.status_code == 409:  # taken in, and the answer was lost
                self.closure = answer.json()["closureId"]
                self.robot()
            return False
        document = self.status()
        gate = document["gate"]
        for who in APPROVERS if gate else ():
            key = (gate["name"], gate["serial"], who)
            if key not in self.answered and self.decide(gate, who).status_code in (202, 409):
                self.answered.add(key)
        return bool(document["status"] == "ended")

    # -- what is judged -----------------------------------------------------------------------------------------------
    def seen(self, seconds: float) -> Seen:
        """All there is to judge by, read when nothing goes wrong any more."""
        hits = Counter(self.trouble.hits)
        for whose, proxies in (("storage", self.trouble.storage), ("Microsoft", self.trouble.microsoft)):
            for proxy in proxies:
                hits.update({f"{whose}: {what}": times for what, times in proxy.hits.items()})
        for rule in self._ask("faults"):
            what = f"status {rule['status']}" if rule["do"] == "status" else rule["do"]
            hits[f"Microsoft: {what}" + (" of an item" if rule["inner"] else "")] += rule["hits"]
        self.web.delete(f"{self.sim['url']}/_sim/faults").raise_for_status()
        self.trouble.left.clear()
        for proxy in self.proxies:
            proxy.spoils.clear()
        document, plan = self._read(""), self._get("/plan")
        manifest = plan.json()["manifest"] if plan.is_success else {"kept": [], "families": {}}
        quiet = (Gate.GO_ON,) if self.schedule.quiet_days else ()
        return Seen(
            document=document,
            score=self._ask("score"),
            deleted=self._ask("deleted"),
            manifest=manifest,
            planned={family: self._shards(family) for family in manifest["families"]},
            report=self._read("/report?format=json") if document["status"] == "ended" else {},
            audit=self._get("/audit").content.splitlines(),
            gates=(Gate.PLAN, *quiet, Gate.DELETE_TENANT),
            hits=+hits,
            seconds=seconds,
        )

    def _shards(self, family: str) -> list[dict[str, Any]]:
        items, page = [], f"/api/closures/{self.closure}/plan?family={family}&shard=0"
        while page:
            found = json.loads(self._get(page.partition(self.closure)[2]).content)
            items += found["items"]
            page = found["next"]
        return items

    def _ask(self, name: str) -> Any:
        return self.web.get(f"{self.sim['url']}/_sim/{name}").raise_for_status().json()

    def _read(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self._get(path).raise_for_status().json()
        return found

    def _get(self, path: str) -> httpx.Response:
        end = time.monotonic() + SETTLED_SECONDS
        while True:
            answer = self.web.get(f"{self.base}/api/closures/{self.closure}{path}")
            if answer.status_code < 500 or time.monotonic() > end:
                return answer
            time.sleep(0.2)


def rehearse(schedule: Schedule, folder: Path, bound: float = BOUND, trouble: type[Trouble] = Trouble) -> Seen:
    """Carry one schedule out. Raises HostDied."""
    begin = time.monotonic()
    with Rehearsal(folder, schedule, trouble) as stage:
        stage.live(bound)
        return stage.seen(time.monotonic() - begin)
