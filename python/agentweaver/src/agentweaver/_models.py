"""``llm``: one call of a model, by name.

A name is resolved as the platform's gateway does it: ``provider/model``, a bare
name whose beginning tells the provider (``gpt-4o``, ``claude-…``), an address
(``http://host:port/v1#model``), or ``scripted[:FILE]``, the offline model. When
``AGENTWEAVER_MODEL`` is set to a scripted model, every call goes there.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._errors import ModelError
from ._scripted import answer_from_script

TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True)
class Reply:
    """What a model answered."""

    text: str
    model: str
    data: Any = None
    """The parsed object, when an output schema was given."""
    usage: Mapping[str, int] = field(default_factory=dict)
    """Tokens as ``input`` and ``output``, where the provider says."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class _Provider:
    base_url: str
    url_variables: tuple[str, ...]
    key_variables: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    key_optional: bool = False


_PROVIDERS: dict[str, _Provider] = {
    "openai": _Provider(
        "https://api.openai.com/v1",
        ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
        ("OPENAI_API_KEY",),
        ("gpt-", "chatgpt-", "o1", "o3", "o4"),
    ),
    "anthropic": _Provider(
        "https://api.anthropic.com/v1",
        ("ANTHROPIC_BASE_URL",),
        ("ANTHROPIC_API_KEY",),
        ("claude",),
    ),
    "google": _Provider(
        "https://generativelanguage.googleapis.com/v1beta/openai",
        ("GEMINI_BASE_URL", "GOOGLE_BASE_URL"),
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        ("gemini",),
    ),
    "ollama": _Provider(
        "http://127.0.0.1:11434/v1",
        ("OLLAMA_BASE_URL",),
        ("OLLAMA_API_KEY",),
        ("llama", "qwen", "gemma", "phi", "mistral", "gpt-oss"),
        key_optional=True,
    ),
}


def llm(
    model: str,
    prompt: str | Sequence[Mapping[str, str]],
    *,
    system: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    output_schema: Any = None,
    cache_seconds: int | None = None,
) -> Reply:
    """Asks a model and waits for the whole answer.

    ``prompt`` is the user's text, or messages as dicts with ``role`` and
    ``content``. ``output_schema`` is a JSON Schema dict or a pydantic model; the
    answer then is JSON and ``Reply.data`` holds it, unvalidated for a dict and as
    an instance for a pydantic model. ``cache_seconds`` lets the platform give an answer
    of that age to the same question again; plain Python always asks.
    """
    messages = _messages(prompt, system)
    schema = _schema(output_schema)
    target = _target(model)
    if target.startswith("scripted"):
        path = target.partition(":")[2]
        text = answer_from_script(path, model, messages, schema.get("title") if schema else None)
        reply = Reply(text, target)
    else:
        reply = _ask(target, messages, schema, temperature, max_tokens)
    if schema is None:
        return reply
    return Reply(reply.text, reply.model, _parse(reply.text, output_schema), reply.usage)


def _messages(
    prompt: str | Sequence[Mapping[str, str]], system: str | None
) -> list[dict[str, str]]:
    messages = [{"role": "system", "content": system}] if system else []
    if isinstance(prompt, str):
        return [*messages, {"role": "user", "content": prompt}]
    return [*messages, *({"role": m["role"], "content": m["content"]} for m in prompt)]


def _target(model: str) -> str:
    default = os.environ.get("AGENTWEAVER_MODEL", "")
    return default if default.partition(":")[0] == "scripted" else model or default


def _schema(output_schema: Any) -> dict[str, Any] | None:
    if output_schema is None:
        return None
    if isinstance(output_schema, Mapping):
        return dict(output_schema)
    schema: dict[str, Any] = output_schema.model_json_schema()
    return schema


def _parse(text: str, output_schema: Any) -> Any:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ModelError(f"the model's answer is not JSON: {text[:200]!r}") from error
    return data if isinstance(output_schema, Mapping) else output_schema.model_validate(data)


def _ask(
    name: str,
    messages: list[dict[str, str]],
    schema: dict[str, Any] | None,
    temperature: float | None,
    max_tokens: int | None,
) -> Reply:
    base_url, model, key = _address(name)
    body: dict[str, Any] = {"model": model, "messages": messages}
    if temperature is not None:
        body["temperature"] = temperature
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    if schema is not None:
        named = {"name": schema.get("title", "answer"), "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    request = urllib.request.Request(
        f"{base_url}/chat/completions", json.dumps(body).encode(), headers
    )
    answer = _send(request, name)
    try:
        text = answer["choices"][0]["message"]["content"]
    except (LookupError, TypeError) as error:
        raise ModelError(f"`{name}` answered without a message") from error
    usage = answer.get("usage") or {}
    tokens = {"input": usage.get("prompt_tokens"), "output": usage.get("completion_tokens")}
    return Reply(text or "", name, usage={k: v for k, v in tokens.items() if v is not None})


def _send(request: urllib.request.Request, name: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        words = error.read(2000).decode("utf-8", "replace")
        raise ModelError(f"`{name}` answered with status {error.code}: {words}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"`{name}` could not be asked: {error}") from error


def _address(name: str) -> tuple[str, str, str | None]:
    """Base address, model and key."""
    if name.startswith(("http://", "https://")):
        base_url, _, model = name.partition("#")
        if not model:
            raise ModelError(f"`{name}` names no model: write `{name}#MODEL`")
        return base_url.rstrip("/"), model, None
    head, slash, rest = name.partition("/")
    if slash and head in _PROVIDERS:
        provider, model = head, rest
    else:
        provider, model = _provider_of(name), name
    known = _PROVIDERS[provider]
    key = _first_set(known.key_variables)
    if key is None and not known.key_optional:
        raise ModelError(
            f"`{name}` needs a key: set {known.key_variables[0]}, "
            "or AGENTWEAVER_MODEL=scripted to run offline"
        )
    return (_first_set(known.url_variables) or known.base_url).rstrip("/"), model, key


def _provider_of(name: str) -> str:
    for provider, known in _PROVIDERS.items():
        if name.startswith(known.prefixes):
            return provider
    raise ModelError(
        f"`{name}` is no model that is known here: write `PROVIDER/MODEL` with "
        f"{', '.join(_PROVIDERS)}, or an address as in `http://127.0.0.1:8000/v1#MODEL`"
    )


def _first_set(variables: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in variables if os.environ.get(name)), None)
