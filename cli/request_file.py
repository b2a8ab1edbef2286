"""Reads a closure request from a file or standard input: JSON or YAML, small, without a key given twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.errors import BadInput

if TYPE_CHECKING:
    from tenantclosure.model.request import ClosureRequest


def read_request(file: str) -> ClosureRequest:
    """The validated request. Raises BadInput that names the field and the remedy."""
    from tenantclosure.errors import RequestRefused
    from tenantclosure.model.request import parse_request

    try:
        return parse_request(load(file))
    except RequestRefused as refused:
        raise refused_input(refused) from None


def refused_input(refused: Any) -> BadInput:
    """A refusal of the model or the policy as the command's own error."""
    document = {
        "type": refused.kind,
        "title": "Bad request",
        "status": refused.status,
        "detail": refused.detail,
        "field": refused.field,
        "remedy": refused.remedy,
        **refused.extra,
    }
    return BadInput(refused.field, refused.detail, refused.remedy, document)


def load(file: str) -> Any:
    """The decoded document; `-` is standard input."""
    from tenantclosure.model.request import MAX_BYTES

    try:
        if file == "-":
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as handle:
                raw = handle.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadInput("FILE", f"{file} can't be read: {error.strerror}.", "Name a closure request.") from None
    if len(raw) > MAX_BYTES:
        raise BadInput("FILE", f"{file} is larger than {MAX_BYTES} bytes.", "Name a closure request.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("FILE", f"{file} is not UTF-8 text.", "Save it as UTF-8.") from None
    is_yaml = file.endswith((".yaml", ".yml")) or not text.lstrip().startswith(("{", "["))
    return _yaml(file, text) if is_yaml else _json(file, text)


def _json(file: str, text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise BadInput(key, "The key is given twice.", f"Keep one of them in {file}.")
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadInput("FILE", f"{file} is not valid JSON at {where}: {error.msg}.", "Correct it there.") from None
    except (RecursionError, ValueError):
        raise BadInput(
            "FILE", f"{file} is nested too deeply, or holds a number too long.", "Name a closure request."
        ) from None


def _yaml(file: str, text: str) -> Any:
    import yaml

    class Once(yaml.SafeLoader):
        """The safe loader, except that a key given twice is an error: the last one would win in silence."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                name = str(key.value)
                if name in seen:
                    raise BadInput(name, "The key is given twice.", f"Keep one of them in {file}.")
                seen.add(name)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader=Once)  # noqa: S506  # Once is a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BadInput("FILE", f"{file} is not valid YAML{where}.", "Correct it there.") from None
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError):
        # PyYAML trips over what a tag promises and its text does not hold, such as `!!int ''`.
        raise BadInput("FILE", f"{file} can't be decoded as YAML.", "Name a closure request.") from None
