# Between Python's values and the tagged JSON of AgentWeaver.

import base64
import dataclasses
import datetime
import enum
import math
import re

TAG = "$type"
PERIOD = re.compile(r"^(-?)P(\d+)DT(\d+)(?:\.(\d{6}))?S$")
MESSAGE_PARTS = (
    "id", "name", "tool_calls", "tool_call_id", "status", "artifact", "usage_metadata",
    "response_metadata", "additional_kwargs", "invalid_tool_calls",
)


class NotData(Exception):
    pass


def encode(value, path="the value"):
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:
        return value if -(2**63) <= value < 2**63 else {TAG: "int", "value": str(value)}
    if type(value) is float:
        if math.isfinite(value):
            return value
        name = "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
        return {TAG: "float", "value": name}
    if isinstance(value, enum.Enum):
        return encode(value.value, path)
    if type(value) in (list, tuple):
        return [encode(item, f"{path}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict):
        return encode_dict(value, path)
    if isinstance(value, (set, frozenset)):
        items = [encode(item, path) for item in value]
        return {TAG: "set", "items": sorted(items, key=lambda item: (str(type(item)), str(item)))}
    if isinstance(value, (bytes, bytearray)):
        return {TAG: "bytes", "base64": base64.b64encode(bytes(value)).decode()}
    return encode_object(value, path)


def encode_dict(value, path):
    if all(isinstance(key, str) for key in value):
        return {str(key): encode(item, f"{path}[{key!r}]") for key, item in value.items()}
    pairs = [[encode(key, path), encode(item, path)] for key, item in value.items()]
    return {TAG: "dict", "items": pairs}


def encode_object(value, path):
    kind = type(value)
    # A datetime is a date too.
    for tag, known in (("datetime", datetime.datetime), ("date", datetime.date), ("time", datetime.time)):
        if isinstance(value, known):
            return {TAG: tag, "value": value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return {TAG: "timedelta", "value": encode_period(value)}
    if isinstance(value, (str, int, float)):
        for plain in (str, int, float):
            if isinstance(value, plain):
                return encode(plain(value), path)
    special = SPECIAL.get(kind.__name__)
    if special is not None and all(hasattr(value, name) for name in special[1]):
        parts = {name: encode(getattr(value, name), f"{path}.{name}") for name in special[1]}
        return {TAG: special[0], **parts}
    if hasattr(value, "content") and isinstance(getattr(value, "type", None), str):
        return encode_message(value, path)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {TAG: "object", "class": kind.__name__, "fields": encode(fields, path)}
    if hasattr(kind, "model_fields"):
        fields = {name: getattr(value, name) for name in kind.model_fields}
        return {TAG: "object", "class": kind.__name__, "fields": encode(fields, path)}
    # numpy and its like: numbers and arrays.
    for method in ("tolist", "item"):
        if hasattr(value, method) and hasattr(value, "dtype"):
            return encode(getattr(value, method)(), path)
    raise NotData(f"{path} is a {kind.__name__}, which is no data that the state can hold")


SPECIAL = {
    "Send": ("send", ("node", "arg")),
    "Command": ("command", ("update", "goto", "graph", "resume")),
    "Overwrite": ("overwrite", ("value",)),
}


def encode_message(message, path):
    kind = "ai" if message.type == "AIMessageChunk" else message.type
    out = {TAG: "message", "type": kind, "content": encode(message.content, f"{path}.content")}
    for name in MESSAGE_PARTS:
        part = getattr(message, name, None)
        if part not in (None, [], {}):
            out[name] = encode(part, f"{path}.{name}")
    return out


def encode_period(value):
    micros = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    rest = micros % 86_400_000_000
    fraction = f".{rest % 1_000_000:06}" if rest % 1_000_000 else ""
    return f"{sign}P{micros // 86_400_000_000}DT{rest // 1_000_000}{fraction}S"


def decode(value):
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag = value.get(TAG)
    make = DECODERS.get(tag) if isinstance(tag, str) else None
    if make is not None:
        return make(value)
    return {key: decode(item) for key, item in value.items()}


def decode_period(value):
    sign, days, seconds, micros = PERIOD.match(value["value"]).groups()
    period = datetime.timedelta(int(days), int(seconds), int(micros or 0))
    return -period if sign else period


def decode_object(value):
    fields = decode(value["fields"])
    cls = find_class(value["class"])
    return fields if cls is None else cls(**fields)


# The classes of the user's file; the driver replaces this.
def find_class(name):
    return None


DECODERS = {
    "float": lambda v: float(v["value"]),
    "int": lambda v: int(v["value"]),
    "bytes": lambda v: base64.b64decode(v["base64"]),
    "set": lambda v: {hashable(decode(item)) for item in v["items"]},
    "date": lambda v: datetime.date.fromisoformat(v["value"]),
    "datetime": lambda v: datetime.datetime.fromisoformat(v["value"].replace("Z", "+00:00")),
    "time": lambda v: datetime.time.fromisoformat(v["value"]),
    "timedelta": decode_period,
    "dict": lambda v: {hashable(decode(key)): decode(item) for key, item in v["items"]},
    "object": decode_object,
}


def hashable(value):
    return tuple(hashable(item) for item in value) if isinstance(value, list) else value
