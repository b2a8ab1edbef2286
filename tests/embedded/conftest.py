"""The toy app on a local host, once for all tests that only talk to it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from embedded import azurite
from embedded.host import LocalHost

TOY_APP = Path(__file__).parent / "toyapp"


@pytest.fixture(scope="module")
def toy_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHost]:
    """A running host for one file of tests: what it puts into the environment must not meet other tests."""
    azurite.install()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CLOSURE_STORAGE", raising=False)
        with LocalHost(TOY_APP, tmp_path_factory.mktemp("state")) as host:
            yield host


@pytest.fixture
def toy(toy_host: LocalHost) -> Iterator[httpx.Client]:
    """A client of the toy app."""
    with httpx.Client(base_url=toy_host.base_url, timeout=30) as client:
        yield client


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Ask again until the answer is true."""

    def ask(question: Callable[[], Any], seconds: float = 15) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := question()):
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)
        return answer

    return ask
