"""Typed nodes as functions over the state.

Each function here takes the keyword arguments of its typed node and gives a
node function for ``add_node``. Texts are Jinja templates over the state where the
reference of typed nodes says so; ``into`` names the state key that is written.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from . import _tools
from ._errors import PlatformRequired, SettingError, ToolError
from ._models import llm as ask
from ._templates import evaluate, render, render_tree

Node: TypeAlias = Callable[[Any], Any]
"""A node function: takes the state, gives an update or a ``Command``."""

END = "__end__"

TIMED_OUT: dict[str, Any] = {"$type": "timeout"}
"""Resume a `wait` node with this to say that nobody answered within its deadline."""


def llm(
    *,
    model: str,
    prompt: str | None = None,
    system: str | None = None,
    messages_key: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    tools: Sequence[Any] = (),
    max_tool_rounds: int = 10,
    output_schema: Any = None,
    into: str | None = None,
) -> Node:
    """Asks a model. Writes the text, or with ``output_schema`` the object: an instance where that is a class."""
    if prompt is None and messages_key is None:
        raise SettingError("an llm node needs `prompt` or `messages_key`")

    def node(state: Any) -> dict[str, Any]:
        if tools:
            raise PlatformRequired("an llm node with tools")
        scope = scope_of(state)
        messages = [_plain_message(m) for m in scope[messages_key]] if messages_key else []
        if prompt is not None:
            messages.append({"role": "user", "content": render(prompt, scope)})
        reply = ask(
            model,
            messages,
            system=render(system, scope) if system else None,
            temperature=temperature,
            max_tokens=max_tokens,
            output_schema=output_schema,
        )
        return _answer(into, reply.text if output_schema is None else reply.data)

    return node


def intent(
    *,
    model: str,
    text: str,
    intents: Mapping[str, Any] | Sequence[Mapping[str, str]],
    fallback: str = END,
    into: str | None = None,
) -> Node:
    """Lets a model choose one of several intents and goes to its route.

    ``intents`` is ``{name: {"description", "goto"}}``, ``{name: description}`` where
    the route is the node of that name, or a list of ``{"name", "description", "goto"}``.
    """
    routes = _routes(intents)

    names = [*routes, "none"]
    schema = {
        "title": "intent",
        "type": "object",
        "properties": {"intent": {"type": "string", "enum": names}},
        "required": ["intent"],
        "additionalProperties": False,
    }
    listing = "\n".join(f"- {name}: {what}" for name, (what, _) in routes.items())

    def node(state: Any) -> Any:
        reply = ask(
            model,
            render(text, scope_of(state)),
            system="Choose the one intent that the text has. "
            f"Answer `none` when it has none of them.\n\nIntents:\n{listing}",
            temperature=0,
            output_schema=schema,
        )
        name = reply.data.get("intent") if isinstance(reply.data, Mapping) else None
        chosen = name if name in routes else "none"
        update = {into: chosen} if into else None
        return _command(goto=routes[chosen][1] if chosen in routes else fallback, update=update)

    return node


def condition(*, rules: Sequence[Mapping[str, str]], default: str = END) -> Node:
    """Goes to the ``goto`` of the first rule whose expression ``if`` is true."""

    def node(state: Any) -> Any:
        scope = scope_of(state)
        for rule in rules:
            if evaluate(rule["if"], scope):
                return _command(goto=rule["goto"])
        return _command(goto=default)

    return node


def http(
    *,
    url: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    json: Any = None,
    body: str | None = None,
    timeout: float = 30,
    allow_status: Sequence[int] = (),
    result: Literal["auto", "json", "text", "response"] = "auto",
    into: str | None = None,
) -> Node:
    """An HTTP call. A status from 400 on fails the node, if it is not allowed."""

    def node(state: Any) -> dict[str, Any]:
        scope = scope_of(state)
        response = _tools.http_request(
            method,
            render(url, scope),
            params=render_tree(params, scope),
            headers=render_tree(headers, scope),
            body=render(body, scope) if body is not None else None,
            json_body=render_tree(json, scope),
            timeout=timeout,
        )
        if response.status >= 400 and response.status not in allow_status:
            raise ToolError(f"{method} {render(url, scope)}: status {response.status}")
        return {into: response.value(result)} if into else {}

    return node


def file(
    *,
    op: Literal["read", "write", "append", "list", "delete", "exists"],
    path: str,
    content: str | None = None,
    into: str | None = None,
) -> Node:
    """Reads or writes a file below the current directory."""

    def node(state: Any) -> dict[str, Any]:
        scope = scope_of(state)
        text = render(content, scope) if content is not None else None
        result = _tools.use_file(op, render(path, scope), text)
        return {into: result} if into else {}

    return node


def database(
    *,
    path: str,
    query: str,
    params: Sequence[Any] | Mapping[str, Any] = (),
    write: bool = False,
    rows_max: int = 1000,
    into: str | None = None,
) -> Node:
    """One statement on a SQLite file below the current directory."""

    def node(state: Any) -> dict[str, Any]:
        scope = scope_of(state)
        rendered = render_tree(params, scope)
        file = render(path, scope)
        result = _tools.query_sqlite(file, query, rendered, write=write, rows_max=rows_max)
        return {into: result} if into else {}

    return node


def code(
    *,
    code: str,
    inputs: Mapping[str, str] | None = None,
    cpu_seconds: float = 2,
    memory_mb: int = 64,
    into: str | None = None,
) -> Node:
    """Python statements; what they assign to ``result`` is written, or without
    ``into`` is the update. The limits hold on the platform only."""
    compiled = compile(code, "<code node>", "exec")

    def node(state: Any) -> dict[str, Any]:
        scope = scope_of(state)
        variables = {name: evaluate(e, scope) for name, e in (inputs or {}).items()}
        exec(compiled, variables)  # the file's own code, with the rights of the file
        result = variables.get("result")
        if into is not None:
            return {into: result}
        if result is not None and not isinstance(result, Mapping):
            raise SettingError("a code node without `into` must assign a dict to `result`")
        return dict(result or {})

    return node


def wait(
    *,
    message: str,
    form: Mapping[str, Any] | None = None,
    schema: Any = None,
    deadline: float | None = None,
    on_timeout: str | None = None,
    goto: str | None = None,
    into: str | None = None,
) -> Node:
    """Waits for a person. The answer is written.

    The question says ``deadline_seconds``. The platform keeps that time; here whoever
    runs the graph does, and resumes with `TIMED_OUT` when it is over.
    """

    def node(state: Any) -> Any:
        answer = _ask_person(message, form, schema, scope_of(state), deadline)
        if answer == TIMED_OUT:
            if on_timeout is None:
                raise TimeoutError("nobody answered in time, and the node has no `on_timeout`")
            return _command(goto=on_timeout)
        update = {into: answer} if into else {}
        return _command(goto=goto, update=update) if goto else update

    return node


def user_input(
    *,
    message: str = "Please answer.",
    fields: Mapping[str, Any] | None = None,
    schema: Any = None,
    into: str | None = None,
) -> Node:
    """Asks the person who runs the graph. Without ``into`` each field of the answer
    goes to the key of its name."""

    def node(state: Any) -> dict[str, Any]:
        answer = _ask_person(message, fields, schema, scope_of(state))
        if into is None and not isinstance(answer, Mapping):
            raise SettingError("the answer must be a dict: the node has no `into`")
        return {into: answer} if into else dict(answer)

    return node


def response(*, text: str, into: str | None = None) -> Node:
    """Answers the user."""
    return lambda state: _answer(into, render(text, scope_of(state)))


def store(
    *,
    op: Literal["put", "get", "delete", "search"],
    namespace: Sequence[str],
    key: str | None = None,
    value: Any = None,
    query: str | None = None,
    limit: int = 10,
    into: str | None = None,
) -> Node:
    """Long-term memory: the store that the graph was compiled with."""
    if op != "search" and key is None:
        raise SettingError(f"a store node that shall `{op}` needs `key`")

    def node(state: Any) -> dict[str, Any]:
        from langgraph.config import get_store

        scope = scope_of(state)
        memory = get_store()
        place = tuple(render(part, scope) for part in namespace)
        name = render(key or "", scope)
        if op == "put":
            kept = render_tree(value, scope)
            memory.put(place, name, kept if isinstance(kept, dict) else {"value": kept})
            return {}
        if op == "delete":
            memory.delete(place, name)
            return {}
        if op == "search":
            words = render(query or "", scope).lower().split()
            found = [(i.key, i.value) for i in memory.search(place, limit=limit)]
            result: Any = [
                {"key": key, "value": _remembered(value)}
                for key, value in found
                if all(word in str(value).lower() for word in words)
            ]
        else:
            item = memory.get(place, name)
            result = _remembered(item.value) if item else None
        return {into: result} if into else {}

    return node


def _platform_only(name: str) -> Callable[..., Node]:
    def factory(**settings: Any) -> Node:
        def node(state: Any) -> Any:
            raise PlatformRequired(f"the typed node `{name}`")

        return node

    factory.__name__ = factory.__qualname__ = name
    factory.__doc__ = f"The typed node `{name}`: runs on the platform only."
    return factory


def loop(
    *,
    body: str,
    exit: str = END,
    while_: str | None = None,
    items: str | None = None,
    item_key: str = "item",
    index_key: str | None = None,
    limit: int = 100,
) -> Node:
    """Repeats a body, whose last node has an edge back to the loop.

    Here the rounds are counted in ``index_key``, a key of the state: the hidden
    counter of the platform does not exist. A loop over items therefore needs it, and
    without it a loop with ``while_`` is ended by langgraph's recursion limit only.
    """

    def node(state: Any) -> Any:
        scope = scope_of(state)
        if items is not None and index_key is None:
            raise PlatformRequired("a loop over items without `index_key`")
        last = scope.get(index_key) if index_key else None
        index = 0 if last is None else last + 1
        update: dict[str, Any] = {index_key: index} if index_key else {}
        if items is not None:
            all_items = evaluate(items, scope)
            goes_on = index < len(all_items)
            if goes_on:
                update[item_key] = all_items[index]
        else:
            goes_on = bool(evaluate(while_ or "false", scope))
        if goes_on and index < limit:
            return _command(goto=body, update=update)
        return _command(goto=exit, update={index_key: None} if index_key else None)

    return node


parallel = _platform_only("parallel")
workflow = _platform_only("workflow")
webhook = _platform_only("webhook")
schedule = _platform_only("schedule")
rag = _platform_only("rag")
agent_call = _platform_only("agent_call")
mcp = _platform_only("mcp")
notify = _platform_only("notify")


def scope_of(state: Any) -> dict[str, Any]:
    """The state as a dict, whatever its schema is made with."""
    if isinstance(state, Mapping):
        return dict(state)
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        return {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
    fields = getattr(type(state), "model_fields", None)
    if fields is not None:
        return {name: getattr(state, name) for name in fields}
    raise SettingError(f"a state of type {type(state).__name__} cannot be read")


def _answer(into: str | None, value: Any) -> dict[str, Any]:
    if into == "messages":
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return {"messages": [{"role": "assistant", "content": text}]}
    return {into: value} if into else {}


def _plain_message(message: Any) -> dict[str, str]:
    """A message of langchain_core, or a dict, as role and content."""
    if isinstance(message, Mapping):
        return {"role": message["role"], "content": message["content"]}
    roles = {"human": "user", "ai": "assistant"}
    return {"role": roles.get(message.type, message.type), "content": message.text}


def _routes(
    intents: Mapping[str, Any] | Sequence[Mapping[str, str]],
) -> dict[str, tuple[str, str]]:
    """Description and route by name."""
    routes = {}
    entries = (
        [{"name": name, **_intent(value)} for name, value in intents.items()]
        if isinstance(intents, Mapping)
        else intents
    )
    for entry in entries:
        name = entry["name"]
        routes[name] = (entry.get("description", ""), entry.get("goto", name))
    return routes


def _intent(value: Any) -> dict[str, str]:
    return dict(value) if isinstance(value, Mapping) else {"description": value}


def _remembered(value: dict[str, Any]) -> Any:
    """A plain value is kept under one name, because a memory is a dict."""
    return value["value"] if value.keys() == {"value"} else value


def _ask_person(
    message: str,
    form: Any,
    schema: Any,
    scope: Mapping[str, Any],
    deadline: float | None = None,
) -> Any:
    from langgraph.types import interrupt

    question = {
        "message": render(message, scope),
        "schema": _form_schema(form, schema),
        "deadline_seconds": deadline,
    }
    return interrupt({key: value for key, value in question.items() if value is not None})


def _form_schema(form: Mapping[str, Any] | None, schema: Any) -> Any:
    """JSON Schema of an answer: a JSON Schema, a pydantic model, or fields with types."""
    if schema is not None:
        return schema if isinstance(schema, Mapping) else schema.model_json_schema()
    if form is None or form.get("type") == "object":
        return form
    types = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}

    def field(kind: Any) -> Any:
        if not isinstance(kind, str):
            return kind
        return {"type": types[kind]} if kind in types else {"type": "string", "title": kind}

    properties = {name: field(kind) for name, kind in form.items()}
    return {"type": "object", "properties": properties, "required": list(form)}


def _command(*, goto: str, update: dict[str, Any] | None = None) -> Any:
    from langgraph.types import Command

    return Command(goto=goto, update=update)
