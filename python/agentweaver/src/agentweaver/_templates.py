"""Jinja over the state, as in prompts and conditions.

Unknown names are errors, so that no prompt has silent holes; only `{% if key %}`
may ask for a key that the state does not have yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ._errors import MissingLibrary

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

_MARKERS = ("{{", "{%", "{#")
_LONE_EXPRESSION = re.compile(r"\s*\{\{((?:(?!\}\}|\{\{).)*)\}\}\s*", re.DOTALL)


def render(template: str, scope: Mapping[str, Any]) -> str:
    """The text with its expressions filled in."""
    if not any(marker in template for marker in _MARKERS):
        return template
    return _environment().from_string(template).render(scope)


def evaluate(expression: str, scope: Mapping[str, Any]) -> Any:
    """The value of one expression."""
    return _environment().compile_expression(expression, undefined_to_none=False)(**scope)


def render_tree(tree: Any, scope: Mapping[str, Any]) -> Any:
    """A literal with every text in it rendered; a text that is one lone
    ``{{ expression }}`` gives the value itself."""
    if isinstance(tree, str):
        lone = _LONE_EXPRESSION.fullmatch(tree)
        return evaluate(lone.group(1).strip(), scope) if lone else render(tree, scope)
    if isinstance(tree, Mapping):
        return {key: render_tree(value, scope) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [render_tree(item, scope) for item in tree]
    return tree


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    try:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import SandboxedEnvironment
    except ImportError as error:
        raise MissingLibrary("a template with `{{ }}`", "jinja2") from error

    class AskableUndefined(StrictUndefined):
        """An error wherever it is used, but for `{% if key %}`."""

        def __bool__(self) -> bool:  # type: ignore[override]
            return False

    environment = SandboxedEnvironment(undefined=AskableUndefined, keep_trailing_newline=True)
    # What minijinja has and jinja2 does not.
    environment.filters["lines"] = str.splitlines
    environment.filters["split"] = lambda text, part=None, most=-1: text.split(part, most)
    environment.filters["bool"] = bool
    environment.tests["startingwith"] = lambda text, part: text.startswith(part)
    environment.tests["endingwith"] = lambda text, part: text.endswith(part)
    return environment
