"""Finds the HTTP function for a path, the most specific route first."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from embedded.loading import Function

CONSTRAINTS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "alpha": r"[A-Za-z]+",
    "bool": r"(?i:true|false)",
    "guid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}
PARAMETER = re.compile(r"\{(\*{0,2})(\w+)(?::(\w+)(?:\([^)]*\))?)?(\?)?\}")
LITERAL, CONSTRAINED, FREE, REST = range(4)


@dataclass(frozen=True)
class Route:
    """One route template, compiled. ``rank`` sorts by specificity, segment by segment."""

    pattern: re.Pattern[str]
    rank: tuple[int, ...]
    methods: frozenset[str]
    function: Function


@dataclass(frozen=True)
class Match:
    """The function for a request with its route values; without a function, the methods the path would allow."""

    function: Function | None
    values: dict[str, str]
    allowed: frozenset[str] = frozenset()


def compile_segment(segment: str) -> tuple[str, int]:
    """A segment's pattern with its leading slash, and how specific it is."""
    parameters = list(PARAMETER.finditer(segment))
    if not parameters:
        return "/" + re.escape(segment), LITERAL
    if parameters[0][1]:
        return rf"(?:/(?P<{parameters[0][2]}>.*))?", REST
    pattern, position = "", 0
    for found in parameters:
        pattern += re.escape(segment[position : found.start()])
        pattern += f"(?P<{found[2]}>{CONSTRAINTS.get(found[3] or '', '[^/]+')})"
        position = found.end()
    pattern = "/" + pattern + re.escape(segment[position:])
    whole = len(parameters) == 1 and parameters[0][0] == segment
    if whole and parameters[0][4]:
        pattern = f"(?:{pattern})?"
    return pattern, FREE if whole and not parameters[0][3] else CONSTRAINED


def compile_route(function: Function, prefix: str) -> Route:
    """A function's route under the app's prefix."""
    template = function.trigger.get("route") or function.name
    segments = [part for part in f"{prefix}/{template}".split("/") if part]
    compiled = [compile_segment(segment) for segment in segments]
    methods = frozenset(method.upper() for method in function.trigger.get("methods") or ())
    # Routes are case-insensitive in Functions; the values keep their case.
    return Route(
        re.compile("".join(pattern for pattern, _ in compiled) + "/?", re.IGNORECASE),
        tuple(rank for _, rank in compiled),
        methods,
        function,
    )


class RouteTable:
    """All HTTP functions of an app."""

    def __init__(self, functions: list[Function], prefix: str) -> None:
        self._routes = sorted((compile_route(function, prefix) for function in functions), key=lambda route: route.rank)

    def find(self, method: str, raw_path: str) -> Match:
        """Match a path that is still percent-encoded, so that an encoded slash stays within its segment."""
        allowed: set[str] = set()
        for route in self._routes:
            found = route.pattern.fullmatch(raw_path or "/")
            if found is None:
                continue
            if route.methods and method not in route.methods:
                allowed |= route.methods
                continue
            values = {name: unquote(value) for name, value in found.groupdict().items() if value is not None}
            return Match(route.function, values)
        return Match(None, {}, frozenset(allowed))
