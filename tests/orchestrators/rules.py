"""What orchestrator code may not do, read from its syntax tree (durable-facts 4); `offences` names each breach."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

IMPORTS = re.compile(
    r"__future__\.annotations|durabletask\.task|tenantclosure\.(names|errors)(\..+)?|tenantclosure\.(model|policy)\..+"
    r"|orchestrators(\..+)?|typing\..+|collections(\..+)?|datetime\.timedelta|dataclasses\.dataclass|functools\.wraps"
)
"""`from module import name` as module.name. A bare `import` is allowed for none of them: it would hide the name."""
CLOCKS = {"now", "utcnow", "today"}
MODULES = {"time", "random", "uuid", "os", "logging", "secrets", "requests", "httpx", "aiohttp", "asyncio", "threading"}
BUILTINS = {"open", "print", "input", "eval", "exec", "compile", "hash", "id", "globals", "vars", "__import__"}
LOGGERS = {"log", "logger", "_log", "_logger", "LOG", "LOGGER"}
ENGINE = {
    *("when_all", "when_any", "RetryPolicy", "create_timer", "wait_for_external_event"),
    *("call_activity", "call_sub_orchestrator", "continue_as_new"),
}
"""Raw calls that only flow.py and metering.py may make; they fence their traps."""
REPLAY = {"is_replaying", "environ", "getenv"}
CHANGING = {
    *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"),
    *("add", "discard", "update", "setdefault", "popitem", "appendleft", "popleft"),
}
ORDERLESS = {"sorted", "len", "sum", "min", "max", "any", "all"}
"""Functions whose answer does not depend on the order of a set."""
ASYNCHRONOUS = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)


def offences(source: str, *, fenced: bool = False) -> list[str]:
    """Every breach in a module as "line: rule"; `fenced` is a file that may use the engine's raw calls."""
    tree = ast.parse(source)
    found = [*_imports(tree), *_names(tree, fenced), *_sets(tree), *_globals(tree)]
    return [f"{line}: {rule}" for line, rule in sorted(set(found))]


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, f"import {alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{'.' * node.level}{node.module or ''}.{alias.name}"
                if not IMPORTS.fullmatch(name):
                    yield node.lineno, f"import {name}"


def _names(tree: ast.Module, fenced: bool) -> Iterator[tuple[int, str]]:
    raw = set() if fenced else ENGINE
    for node in ast.walk(tree):
        if isinstance(node, ASYNCHRONOUS) or (isinstance(node, ast.comprehension) and node.is_async):
            yield getattr(node, "lineno", 0), "async"
        elif isinstance(node, ast.Attribute):
            if node.attr in CLOCKS | REPLAY | raw:
                yield node.lineno, node.attr
            if isinstance(node.value, ast.Name) and node.value.id in LOGGERS:
                yield node.lineno, "logging"
        elif isinstance(node, ast.Name) and node.id in MODULES | BUILTINS | REPLAY | raw:
            yield node.lineno, node.id


def _sets(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """A set may be looked into or brought into order; whatever else is done with it may walk it in any order."""
    harmless: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            pairs = zip(node.ops, node.comparators, strict=True)
            harmless |= {id(other) for op, other in pairs if isinstance(op, ast.In | ast.NotIn)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ORDERLESS:
            harmless |= {id(one) for one in node.args}
    for node in ast.walk(tree):
        made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset")
        if (made or isinstance(node, ast.Set | ast.SetComp)) and id(node) not in harmless:
            yield node.lineno, "set"


def _globals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    shared: set[str] = set()
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        shared |= {node.id for target in targets if target for node in ast.walk(target) if isinstance(node, ast.Name)}
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        own = {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
        own |= {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for node in ast.walk(function):
            if isinstance(node, ast.Global | ast.Nonlocal):
                yield node.lineno, "global"
            elif (base := _changed(node)) in shared - own:
                yield node.lineno, f"changes {base}"


def _changed(node: ast.AST) -> str | None:
    """Name of the object that this node changes in place."""
    target: ast.AST | None = None
    if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        target = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
        target = node.func.value
    while isinstance(target, ast.Subscript | ast.Attribute):
        target = target.value
    return target.id if isinstance(target, ast.Name) else None
