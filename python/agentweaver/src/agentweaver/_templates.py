"""Jinja over the state, as in prompts and conditions.

The platform renders with minijinja and undefined names are errors there, so they
are errors here too.
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
    return SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
