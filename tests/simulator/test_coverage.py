"""The coverage page lists every route the simulator answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator import commerce, seeding, server
from simulator.world import Options

PAGE = Path(__file__).parents[2] / "docs" / "simulator-coverage.md"


def routes() -> list[str]:
    """Every route of the Graph router and of the web application, as the page writes them."""
    world = seeding.build(Options(users=1))
    for tenant in world.tenants.values():
        commerce.seed(world, tenant)
    app = server.build_app(world)
    graph = [f"{r.method} {r.pattern}" for r in world.graph.routes]
    plain = [f"{r.method} {r.resource.canonical}" for r in app.router.routes() if r.resource and r.method != "HEAD"]
    return graph + plain


@pytest.mark.parametrize("route", routes())
def test_route_is_documented(route: str) -> None:
    """Method and path stand on the page in code type."""
    documented = f"`{route}`" in PAGE.read_text(encoding="utf-8")

    assert documented, f"{route} is missing in {PAGE.name}"
