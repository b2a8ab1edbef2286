"""Route templates and their order."""

import pytest

from embedded.loading import Function
from embedded.routes import RouteTable


def function(route: str, *methods: str) -> Function:
    """An HTTP function with this route."""
    return Function(route, print, "httpTrigger", "req", {"route": route, "methods": list(methods)}, (), route)


TABLE = RouteTable(
    [
        function("{*rest}"),
        function("api/closures/{id}", "GET"),
        function("api/closures/new", "GET"),
        function("api/closures/{id}/gates/{gate}", "POST"),
        function("tasks/{number:int}"),
        function("tasks/{name}"),
        function("plans/{page?}"),
    ],
    "",
)


@pytest.mark.parametrize(
    ("path", "route", "values"),
    [
        ("/api/closures/new", "api/closures/new", {}),
        ("/api/closures/abc-1", "api/closures/{id}", {"id": "abc-1"}),
        ("/api/closures/a%20b/", "api/closures/{id}", {"id": "a b"}),
        ("/tasks/12", "tasks/{number:int}", {"number": "12"}),
        ("/tasks/twelve", "tasks/{name}", {"name": "twelve"}),
        ("/plans", "plans/{page?}", {}),
        ("/plans/2", "plans/{page?}", {"page": "2"}),
        ("/else/where", "{*rest}", {"rest": "else/where"}),
        ("/", "{*rest}", {}),
    ],
)
def test_match(path: str, route: str, values: dict[str, str]) -> None:
    """The most specific template takes the path, and its values are decoded."""
    match = TABLE.find("GET", path)

    assert match.function is not None
    assert (match.function.name, {k: v for k, v in match.values.items() if v}) == (route, values)


def test_prefix_and_allowed_methods() -> None:
    """host.json's prefix leads every route; a wrong method learns the right ones."""
    table = RouteTable([function("things", "GET", "PUT")], "api")

    assert table.find("GET", "/things").function is None
    assert table.find("GET", "/api/things").function is not None
    assert table.find("POST", "/api/things").allowed == {"GET", "PUT"}
