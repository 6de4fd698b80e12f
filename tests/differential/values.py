"""Python values to and from the JSON form that `weaver_core::Value` documents."""

import base64
import dataclasses
import datetime
import enum
import json
import math
import uuid

from langchain_core.messages import BaseMessage, RemoveMessage, convert_to_messages
from langgraph.types import Command, Interrupt, Overwrite, Send
from pydantic import BaseModel


def encode(value):
    """JSON form of a value of graph state."""
    if value is None or isinstance(value, (bool, str)) and not isinstance(value, enum.Enum):
        return value
    if isinstance(value, enum.Enum):
        return encode(value.value)
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else _tag("int", value=str(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else _tag("float", value=str(value))
    if isinstance(value, bytes):
        return _tag("bytes", base64=base64.b64encode(value).decode())
    if isinstance(value, (set, frozenset)):
        return _tag("set", items=sorted((encode(item) for item in value), key=json.dumps))
    if isinstance(value, BaseMessage):
        return _message(value)
    if isinstance(value, Interrupt):
        return {"id": value.id, "value": encode(value.value)}
    if isinstance(value, Send):
        return _tag("send", node=value.node, arg=encode(value.arg))
    if isinstance(value, Command):
        fields = {"update": value.update, "goto": value.goto, "graph": value.graph, "resume": value.resume}
        return _tag("command", **{key: encode(item) for key, item in fields.items() if item})
    if isinstance(value, Overwrite):
        return _tag("overwrite", value=encode(value.value))
    if isinstance(value, BaseException):
        return {"class": type(value).__name__, "message": str(value)}
    if isinstance(value, (datetime.date, datetime.time)):
        return _tag(type(value).__name__, value=value.isoformat())
    if isinstance(value, BaseModel):
        fields = {name: encode(getattr(value, name)) for name in type(value).model_fields}
        return _tag("object", **{"class": type(value).__name__, "fields": fields})
    if dataclasses.is_dataclass(value):
        fields = {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return _tag("object", **{"class": type(value).__name__, "fields": fields})
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: encode(item) for key, item in value.items()}
        return _tag("dict", items=[[encode(key), encode(item)] for key, item in value.items()])
    if isinstance(value, (list, tuple)) or hasattr(value, "__iter__"):
        return [encode(item) for item in value]
    raise TypeError(f"no JSON form for {type(value).__name__}: {value!r}")


def decode(value, module):
    """A value of a scenario: tags become the objects they stand for."""
    if isinstance(value, list):
        return [decode(item, module) for item in value]
    if not isinstance(value, dict):
        return value
    tag = value.get("$type")
    if tag is None:
        return {key: decode(item, module) for key, item in value.items()}
    if tag == "message":
        fields = {key: decode(item, module) for key, item in value.items() if key != "$type"}
        if fields["type"] == "remove":
            return RemoveMessage(id=fields["id"])
        return convert_to_messages([fields])[0]
    if tag == "send":
        return Send(value["node"], decode(value["arg"], module))
    if tag == "overwrite":
        return Overwrite(decode(value["value"], module))
    if tag == "set":
        return set(decode(value["items"], module))
    if tag == "object":
        return getattr(module, value["class"])(**decode(value["fields"], module))
    raise ValueError(f"unknown tag {tag!r} in the scenario")


def _tag(kind, **entries):
    return {"$type": kind, **entries}


def _message(message):
    """Type, content, name, tool calls; the id only when somebody gave it."""
    kind = {"AIMessageChunk": "ai", "HumanMessageChunk": "human"}.get(message.type, message.type)
    entries = {"type": kind, "content": encode(message.content)}
    if message.id is not None and not _generated(message.id):
        entries["id"] = message.id
    if message.name is not None:
        entries["name"] = message.name
    if calls := getattr(message, "tool_calls", None):
        entries["tool_calls"] = [
            {"name": call["name"], "args": encode(call["args"]), "id": call["id"]} for call in calls
        ]
    if kind == "tool":
        entries["tool_call_id"] = message.tool_call_id
        if message.status != "success":
            entries["status"] = message.status
    return _tag("message", **entries)


def _generated(text):
    try:
        uuid.UUID(text.removeprefix("run-").removeprefix("lc_run--"))
    except ValueError:
        return False
    return True
