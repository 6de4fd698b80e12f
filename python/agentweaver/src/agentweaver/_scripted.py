"""The offline model: answers from a script, for tests and demos.

It reads the platform's script files, as far as one call without tools can use
them: a rule that looks at tools never fits here, and one that answers with tool
calls needs the platform.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._errors import MissingLibrary, ModelError, PlatformRequired
from ._templates import render, render_tree

NOTICE = "[scripted offline model, no real model was asked]"

_TEXT_CONDITIONS = ("user", "system", "model", "schema")
_RETRIED = ("rate_limited", "overloaded", "timeout", "network", "protocol", "cut")
_TRIES = 3
_TOOL_CONDITIONS = ("tool", "tool_result", "offers")


def answer_from_script(
    path: str, model: str, messages: list[dict[str, str]], schema: str | None
) -> str:
    """The text that the script gives for these messages; without a script, a
    sentence that says so and repeats the question."""
    facts = _facts(model, messages, schema)
    if not path:
        if schema is not None:
            raise PlatformRequired("structured output from the scripted model without a script")
        return f"{NOTICE} {facts['last_user'].strip()[:240]}"
    script = _load(path)
    for rule in script.get("rules") or []:
        groups = _fits(rule.get("when") or {}, facts)
        if groups is not None:
            return _answer(path, rule, {**facts, "match": groups})
    if "default" in script:
        return _answer(path, script["default"], {**facts, "match": []})
    raise ModelError(f"no rule of {path} fits the text {facts['last_user'][:80]!r}")


def _load(path: str) -> dict[str, Any]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(f"the script {path} cannot be read: {error}") from error
    try:
        script = json.loads(text) if path.endswith(".json") else _yaml(text)
    except ValueError as error:
        raise ModelError(f"the script {path} cannot be parsed: {error}") from error
    if not isinstance(script, dict):
        raise ModelError(f"the script {path} is no map with `rules`")
    return script


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingLibrary("a script in YAML", "pyyaml") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _facts(model: str, messages: list[dict[str, str]], schema: str | None) -> dict[str, Any]:
    users = [m["content"] for m in messages if m["role"] == "user"]
    answers = [i for i, m in enumerate(messages) if m["role"] == "assistant"]
    last_user = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=-1)
    return {
        "model": model,
        "schema": schema,
        "last_user": users[-1] if users else "",
        "user": users[-1] if users else "",
        "system": "\n".join(m["content"] for m in messages if m["role"] == "system"),
        "messages": [{"role": m["role"], "text": m["content"]} for m in messages],
        "tool_results": [],
        "tools": [],
        "turn": len(users),
        "call": len(answers) + 1,
        "step": sum(1 for i in answers if i > last_user) + 1,
    }


def _fits(when: Any, facts: Mapping[str, Any]) -> list[str] | None:
    """The groups of the pattern that fitted last, or nothing."""
    alternatives = when if isinstance(when, list) else [when]
    for condition in alternatives:
        groups = _all_hold(condition, facts)
        if groups is not None:
            return groups
    return None


def _all_hold(condition: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str] | None:
    groups: list[str] = []
    for name, wanted in condition.items():
        if name in ("turn", "call", "step"):
            if facts[name] != wanted:
                return None
            continue
        if name in _TOOL_CONDITIONS:
            return None
        if name == "any":
            texts = [message["text"] for message in facts["messages"]]
        elif name in _TEXT_CONDITIONS:
            texts = [facts[name]] if facts[name] is not None else []
        else:
            raise ModelError(f"the script has an unknown condition `{name}`")
        found = next((g for g in (_match(wanted, t) for t in texts) if g is not None), None)
        if found is None:
            return None
        groups = found or groups
    return groups


def _match(wanted: Any, text: str) -> list[str] | None:
    if isinstance(wanted, list):
        found = [_match(one, text) for one in wanted]
        return None if None in found else next((g for g in reversed(found) if g), [])
    tests = wanted if isinstance(wanted, Mapping) else {"contains": wanted}
    groups: list[str] = []
    for kind, value in tests.items():
        if kind == "contains" and str(value).lower() not in text.lower():
            return None
        if kind == "equals" and str(value).strip() != text.strip():
            return None
        if kind == "regex":
            fitted = re.search(value, text)
            if fitted is None:
                return None
            groups = [fitted.group(0), *(group or "" for group in fitted.groups())]
    return groups


def _failure(fail: Any) -> tuple[str, bool]:
    """What fails, and whether the gateway's retries within one call get past it."""
    if not isinstance(fail, Mapping):
        return fail, False
    passes = fail["kind"] in _RETRIED and fail.get("times", _TRIES) < _TRIES
    return fail["kind"], passes


def _answer(path: str, rule: Any, scope: Mapping[str, Any]) -> str:
    if isinstance(rule, str):
        return render(rule, scope)
    if "fail" in rule:
        kind, passes = _failure(rule["fail"])
        if kind == "nonsense":
            return "}{ colourless green {\"ideas\": sleep ,,, [furiously"
        if not passes:
            raise ModelError(f"{path} makes this call fail: {kind}")
    if rule.get("answers"):
        answers = rule["answers"]
        return _answer(path, answers[min(scope["step"], len(answers)) - 1], scope)
    if rule.get("tool_calls"):
        raise PlatformRequired(f"the tool call that {path} answers with")
    if "json" in rule:
        return json.dumps(render_tree(rule["json"], scope), ensure_ascii=False)
    if "say" not in rule:
        raise ModelError(f"a rule of {path} has no answer")
    return render(rule["say"], scope)
