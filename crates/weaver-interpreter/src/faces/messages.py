# langchain_core.messages

def text_of(content):
    if type(content) is str:
        return content
    parts = []
    for block in content or []:
        if type(block) is str:
            parts.append(block)
        elif type(block) is dict and type(block.get("text")) is str:
            parts.append(block["text"])
    return "".join(parts)


def text_property(x):
    # `x.text` where it is not called.
    return text_of(x.content) if isinstance(x, BaseMessage) else x.text


TITLES = {"human": "Human Message", "ai": "Ai Message", "system": "System Message", "tool": "Tool Message", "remove": "Remove Message"}
FIELDS = (
    "content", "id", "name", "tool_calls", "tool_call_id", "additional_kwargs", "response_metadata",
    "usage_metadata", "invalid_tool_calls", "status", "artifact", "example",
)


def set_extra(message, extra):
    for key in extra:
        setattr(message, key, extra[key])
    message._extra = list(extra)


def message_fields(message):
    names = list(FIELDS) + list(getattr(message, "_extra", []))
    return {name: getattr(message, name) for name in names if hasattr(message, name)}


def message_dict(message):
    out = {"type": message.type}
    out.update(message_fields(message))
    return out


def message_eq(a, b):
    return type(a) is type(b) and message_fields(a) == message_fields(b)


def message_repr(message):
    parts = []
    for key, value in message_fields(message).items():
        if value not in (None, [], {}) or key == "content":
            parts.append(key + "=" + repr(value))
    return type(message).__name__ + "(" + ", ".join(parts) + ")"


def title(text):
    text = " " + text + " "
    side = "=" * ((80 - len(text)) // 2)
    return side + text + side + ("=" if len(text) % 2 else "")


def pretty(message):
    lines = [title(TITLES[message.type])]
    if message.name:
        lines.append("Name: " + message.name)
    lines.append("")
    if message.type == "ai" and message.tool_calls:
        if message.content:
            lines.append(message.content if type(message.content) is str else str(message.content))
        lines.append("Tool Calls:")
        for call in message.tool_calls:
            lines.append("  " + str(call.get("name")) + " (" + str(call.get("id")) + ")")
            lines.append(" Call ID: " + str(call.get("id")))
            lines.append("  Args:")
            args = call.get("args")
            if type(args) is dict:
                for key in args:
                    lines.append("    " + key + ": " + str(args[key]))
            else:
                lines.append(str(args))
    else:
        lines.append(message.content if type(message.content) is str else str(message.content))
    return "\n".join(lines)



def copy_message(message, changes):
    values = message_fields(message)
    values.update(changes or {})
    return type(message)(**values)


class HumanMessage:
    type = "human"

    def __init__(self, content="", id=None, name=None, additional_kwargs=None, response_metadata=None, content_blocks=None, type=None, **extra):
        self.content = content if content_blocks is None else content_blocks
        self.id = id
        self.name = name
        self.additional_kwargs = {} if additional_kwargs is None else additional_kwargs
        self.response_metadata = {} if response_metadata is None else response_metadata
        if extra:
            set_extra(self, extra)

    def __eq__(self, other):
        return message_eq(self, other)

    def __repr__(self):
        return message_repr(self)

    def pretty_repr(self, html=False):
        return pretty(self)

    def pretty_print(self):
        print(pretty(self))

    def text(self):
        return text_of(self.content)

    def model_dump(self, **kw):
        return message_dict(self)

    def dict(self, **kw):
        return message_dict(self)

    def model_dump_json(self, **kw):
        return json.dumps(message_dict(self))

    def model_copy(self, update=None, deep=False):
        return copy_message(self, update)


class SystemMessage:
    type = "system"

    def __init__(self, content="", id=None, name=None, additional_kwargs=None, response_metadata=None, content_blocks=None, type=None, **extra):
        self.content = content if content_blocks is None else content_blocks
        self.id = id
        self.name = name
        self.additional_kwargs = {} if additional_kwargs is None else additional_kwargs
        self.response_metadata = {} if response_metadata is None else response_metadata
        if extra:
            set_extra(self, extra)


class AIMessage:
    type = "ai"

    def __init__(self, content="", id=None, name=None, tool_calls=None, usage_metadata=None, additional_kwargs=None, response_metadata=None, invalid_tool_calls=None, content_blocks=None, type=None, **extra):
        self.content = content if content_blocks is None else content_blocks
        self.id = id
        self.name = name
        self.tool_calls = [tool_call(call) for call in tool_calls] if tool_calls else []
        self.usage_metadata = usage_metadata
        self.additional_kwargs = {} if additional_kwargs is None else additional_kwargs
        self.response_metadata = {} if response_metadata is None else response_metadata
        self.invalid_tool_calls = [] if invalid_tool_calls is None else invalid_tool_calls
        if extra:
            set_extra(self, extra)


class AIMessageChunk:
    type = "ai"

    def __init__(self, content="", id=None, name=None, tool_calls=None, usage_metadata=None, additional_kwargs=None, response_metadata=None, invalid_tool_calls=None, type=None, **extra):
        self.content = content
        self.id = id
        self.name = name
        self.tool_calls = [tool_call(call) for call in tool_calls] if tool_calls else []
        self.usage_metadata = usage_metadata
        self.additional_kwargs = {} if additional_kwargs is None else additional_kwargs
        self.response_metadata = {} if response_metadata is None else response_metadata
        self.invalid_tool_calls = [] if invalid_tool_calls is None else invalid_tool_calls
        if extra:
            set_extra(self, extra)

    def __add__(self, other):
        content = self.content + other.content
        return AIMessageChunk(
            content, id=self.id or other.id, name=self.name, tool_calls=self.tool_calls + other.tool_calls,
            usage_metadata=other.usage_metadata or self.usage_metadata,
        )


class ToolMessage:
    type = "tool"

    def __init__(self, content="", tool_call_id=None, id=None, name=None, status="success", artifact=None, additional_kwargs=None, response_metadata=None, type=None, **extra):
        self.content = content if isinstance(content, (str, list)) else str(content)
        self.tool_call_id = tool_call_id
        self.id = id
        self.name = name
        self.status = status
        self.artifact = artifact
        self.additional_kwargs = {} if additional_kwargs is None else additional_kwargs
        self.response_metadata = {} if response_metadata is None else response_metadata
        if extra:
            set_extra(self, extra)


class RemoveMessage:
    type = "remove"

    def __init__(self, id=None, content="", name=None, type=None, **extra):
        self.content = content
        self.id = id
        self.name = name
        if extra:
            set_extra(self, extra)


# Classes cannot inherit here, so the others take the methods of the first.
for cls in (SystemMessage, AIMessage, AIMessageChunk, ToolMessage, RemoveMessage):
    cls.__eq__ = HumanMessage.__eq__
    cls.__repr__ = HumanMessage.__repr__
    cls.pretty_repr = HumanMessage.pretty_repr
    cls.pretty_print = HumanMessage.pretty_print
    cls.text = HumanMessage.text
    cls.model_dump = HumanMessage.model_dump
    cls.dict = HumanMessage.dict
    cls.model_dump_json = HumanMessage.model_dump_json
    cls.model_copy = HumanMessage.model_copy

BaseMessage = (HumanMessage, AIMessage, SystemMessage, ToolMessage, AIMessageChunk, RemoveMessage)
AnyMessage = BaseMessage
BY_TYPE = {
    "human": HumanMessage, "user": HumanMessage, "ai": AIMessage, "assistant": AIMessage, "system": SystemMessage,
    "developer": SystemMessage, "tool": ToolMessage, "remove": RemoveMessage, "AIMessageChunk": AIMessageChunk,
}


def tool_call(call):
    return {"name": call.get("name"), "args": call.get("args", {}), "id": call.get("id"), "type": "tool_call"}


def ToolCall(name=None, args=None, id=None, type="tool_call"):
    return {"name": name, "args": args, "id": id, "type": "tool_call"}


def make_message(value):
    cls = BY_TYPE[value["type"]]
    value.pop("$type")
    return cls(**value)


makers["message"] = make_message


def to_message(x):
    if isinstance(x, BaseMessage):
        return x
    if type(x) is str:
        return HumanMessage(x)
    if type(x) in (tuple, list) and len(x) == 2:
        return role_message(x[0], {"content": x[1]})
    if type(x) is dict:
        rest = dict(x)
        role = rest.pop("role", None) or rest.pop("type", None)
        rest.pop("type", None)
        calls = rest.get("tool_calls")
        if calls and type(calls[0]) is dict and "function" in calls[0]:
            rest["tool_calls"] = [openai_call(call) for call in calls]
        return role_message(role, rest)
    raise NotImplementedError("Unsupported message type: " + type(x).__name__)


def openai_call(call):
    args = call["function"].get("arguments") or "{}"
    return {"name": call["function"]["name"], "args": json.loads(args), "id": call.get("id")}


def role_message(role, values):
    cls = BY_TYPE.get(role)
    if cls is None:
        raise ValueError("Unexpected message type: '" + str(role) + "'. Use one of 'human', 'user', 'ai', 'assistant', 'system' or 'tool'.")
    return cls(**values)


def convert_to_messages(x):
    if hasattr(x, "to_messages"):
        return x.to_messages()
    if type(x) is str or type(x) is dict or isinstance(x, BaseMessage):
        x = [x]
    return [to_message(m) for m in x]


def get_buffer_string(messages, human_prefix="Human", ai_prefix="AI"):
    names = {"human": human_prefix, "ai": ai_prefix, "system": "System", "tool": "Tool"}
    lines = []
    for m in convert_to_messages(messages):
        line = names.get(m.type, m.type) + ": " + text_of(m.content)
        lines.append(line)
    return "\n".join(lines)


def matches_type(m, types):
    for t in types:
        if t == m.type or t is type(m) or (type(t) is str and t == type(m).__name__):
            return True
    return False


def as_list(x):
    if x is None:
        return []
    return list(x) if type(x) in (list, tuple) else [x]


def filter_messages(messages, include_names=None, exclude_names=None, include_types=None, exclude_types=None, include_ids=None, exclude_ids=None, exclude_tool_calls=None):
    out = []
    for m in convert_to_messages(messages):
        if exclude_names and m.name in exclude_names:
            continue
        if exclude_types and matches_type(m, exclude_types):
            continue
        if exclude_ids and m.id in exclude_ids:
            continue
        if not (include_names or include_types or include_ids):
            out.append(m)
        elif (include_names and m.name in include_names) or (include_types and matches_type(m, include_types)) or (include_ids and m.id in include_ids):
            out.append(m)
    return out


def count_tokens_approximately(messages, chars_per_token=4.0, extra_tokens_per_message=3.0):
    total = 0.0
    for m in convert_to_messages(messages):
        size = len(m.content) if type(m.content) is str else len(repr(m.content))
        if m.type == "ai" and m.tool_calls:
            size += len(repr(m.tool_calls))
        if m.type == "tool":
            size += len(m.tool_call_id or "")
        total += math.ceil((size + len(m.type)) / chars_per_token) + extra_tokens_per_message
    return math.ceil(total)


def trim_messages(messages, max_tokens=None, token_counter=None, strategy="last", allow_partial=False, end_on=None, start_on=None, include_system=False, text_splitter=None):
    if token_counter is len:
        count = len
    elif token_counter is None or token_counter == "approximate" or not is_function(token_counter):
        count = count_tokens_approximately
    else:
        count = token_counter
    messages = convert_to_messages(messages)
    system = []
    if strategy == "last" and include_system and messages and messages[0].type == "system":
        system = messages[:1]
        messages = messages[1:]
    if end_on:
        while messages and not matches_type(messages[-1], as_list(end_on)):
            messages = messages[:-1]
    if strategy == "first":
        kept = []
        for m in messages:
            if count(kept + [m]) > max_tokens:
                break
            kept.append(m)
        return kept
    kept = []
    for m in reversed(messages):
        if count(system + [m] + kept) > max_tokens:
            break
        kept.insert(0, m)
    if start_on:
        while kept and not matches_type(kept[0], as_list(start_on)):
            kept = kept[1:]
    return system + kept


def merge_message_runs(messages, chunk_separator="\n"):
    out = []
    for m in convert_to_messages(messages):
        if out and type(out[-1]) is type(m) and m.type != "tool" and type(m.content) is str and type(out[-1].content) is str:
            out[-1] = copy_message(out[-1], {"content": out[-1].content + chunk_separator + m.content})
        else:
            out.append(m)
    return out


REMOVE_ALL_MESSAGES = "__remove_all__"


def add_messages(left=None, right=None, **kw):
    left = [with_id(m) for m in convert_to_messages(left if type(left) is list else as_list(left))]
    right = [with_id(m) for m in convert_to_messages(right if type(right) is list else as_list(right))]
    for index, m in enumerate(right):
        if m.type == "remove" and m.id == REMOVE_ALL_MESSAGES:
            return right[index + 1:]
    merged = list(left)
    places = {m.id: i for i, m in enumerate(merged)}
    removed = set()
    for m in right:
        if m.id in places:
            if m.type == "remove":
                removed.add(m.id)
            else:
                removed.discard(m.id)
                merged[places[m.id]] = m
        else:
            if m.type == "remove":
                raise ValueError("Attempting to delete a message with an ID that doesn't exist ('" + str(m.id) + "')")
            places[m.id] = len(merged)
            merged.append(m)
    return [m for m in merged if m.id not in removed]


def with_id(m):
    if m.id is None:
        m.id = host("uuid", [], {})
    return m


def messages_to_dict(messages):
    return [{"type": m.type, "data": message_dict(m)} for m in messages]
