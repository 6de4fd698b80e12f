# What workflow files import and this Python may not have installed: names of LangGraph
# and LangChain that functions use, and `agentweaver`, whose calls go to the server.
# An installed package always comes first.

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import types
import typing


class Anything:
    # Stands for a name that functions do not use: a graph's builder, its nodes.
    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        only = len(args) == 1 and not kwargs and isinstance(args[0], types.FunctionType)
        return args[0] if only else Anything()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __getitem__(self, key):
        return self

    def __or__(self, other):
        return Anything()

    __ror__ = __or__

    def __class_getitem__(cls, key):
        return cls


class Message:
    type = ""

    def __init__(self, content="", **parts):
        self.content = content
        self.id = self.name = None
        self.additional_kwargs, self.response_metadata = {}, {}
        parts.pop("type", None)
        self.__dict__.update(parts)

    @property
    def text(self):
        if isinstance(self.content, str):
            return self.content
        return "".join(part if isinstance(part, str) else part.get("text", "") for part in self.content)

    def __eq__(self, other):
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __repr__(self):
        return f"{type(self).__name__}(content={self.content!r})"


class HumanMessage(Message):
    type = "human"


class SystemMessage(Message):
    type = "system"


class AIMessage(Message):
    type = "ai"

    def __init__(self, content="", tool_calls=None, usage_metadata=None, **parts):
        super().__init__(content, tool_calls=tool_calls or [], usage_metadata=usage_metadata, **parts)


class ToolMessage(Message):
    type = "tool"

    def __init__(self, content="", tool_call_id=None, status="success", **parts):
        super().__init__(content, tool_call_id=tool_call_id, status=status, **parts)


class RemoveMessage(Message):
    type = "remove"

    def __init__(self, id=None, **parts):
        super().__init__(id=id, **parts)


class Send:
    def __init__(self, node, arg):
        self.node, self.arg = node, arg


class Command:
    PARENT = "__parent__"

    def __init__(self, *, graph=None, update=None, resume=None, goto=()):
        self.graph, self.update, self.resume, self.goto = graph, update, resume, goto

    def __class_getitem__(cls, key):
        return cls


class Overwrite:
    def __init__(self, value):
        self.value = value


class NodeError:
    def __init__(self, node, error):
        self.node, self.error = node, error


class Record:
    def __init__(self, **parts):
        self.__dict__.update(parts)

    def __class_getitem__(cls, key):
        return cls


class Runtime(Record):
    def heartbeat(self):
        pass


class ToolFunction:
    # `@tool`
    def __init__(self, function, name=None):
        self.func = self.function = function
        self.name = name or function.__name__
        self.description = function.__doc__ or ""

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)

    def invoke(self, input, config=None):
        args = input.get("args", input) if isinstance(input, dict) else {"input": input}
        return self.function(**args)


def make_tool(*args, **kwargs):
    if args and callable(args[0]):
        return ToolFunction(args[0])
    name = args[0] if args else kwargs.get("name")
    return lambda function: ToolFunction(function, name)


class Store:
    # The long-term memory, which is on the server.
    def get(self, namespace, key, **_):
        return item(call_server("store.get", namespace=list(namespace), key=key))

    def put(self, namespace, key, value, index=None, ttl=None):
        call_server("store.put", namespace=list(namespace), key=key, value=value, index=index, ttl=ttl)

    def delete(self, namespace, key):
        call_server("store.delete", namespace=list(namespace), key=key)

    def search(self, namespace_prefix, query=None, filter=None, limit=10, offset=0, **_):
        found = call_server(
            "store.search", namespace=list(namespace_prefix), query=query, filter=filter, limit=limit, offset=offset
        )
        return [item(one) for one in found]

    async def aget(self, *args, **kwargs):
        return self.get(*args, **kwargs)

    async def aput(self, *args, **kwargs):
        return self.put(*args, **kwargs)

    async def adelete(self, *args, **kwargs):
        return self.delete(*args, **kwargs)

    async def asearch(self, *args, **kwargs):
        return self.search(*args, **kwargs)


def item(found):
    if isinstance(found, dict):
        found["namespace"] = tuple(found.get("namespace", ()))
        return Record(**found)
    return found


class Reply:
    def __init__(self, message):
        self.message = message
        self.text = message.text if isinstance(message.text, str) else message.text()
        self.usage = message.usage_metadata
        self.tool_calls = message.tool_calls

    def __str__(self):
        return self.text


def llm(model=None, prompt=None, **options):
    options["prompt" if prompt is None or isinstance(prompt, str) else "messages"] = prompt
    return Reply(call_server("llm", model=model, **options))


async def allm(model=None, prompt=None, **options):
    return llm(model, prompt, **options)


def call_tool(name, /, **args):
    return call_server("tool", name=name, args=args)


class Tools:
    call = staticmethod(call_tool)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda **args: call_tool(name, **args)


class ChatModel:
    # A chat model of a package that is not installed: the server asks the model.
    provider = None

    def __init__(self, model=None, **params):
        provider = params.pop("model_provider", None)
        if provider is not None:
            self.provider = provider
        self.model, self.params = params.pop("model_name", model), params

    def invoke(self, input, config=None, **params):
        messages = input if isinstance(input, (str, list)) else getattr(input, "to_messages", lambda: input)()
        if isinstance(messages, str):
            messages = [HumanMessage(messages)]
        params = {**self.params, **params}
        return call_server(
            "model.invoke", provider=self.provider, model=self.model, params=params, messages=messages
        )

    async def ainvoke(self, input, config=None, **params):
        return self.invoke(input, config, **params)


def chat_model(name, provider):
    return type(name, (ChatModel,), {"provider": provider})


def set_writer(value):
    tell({"custom": encode(value)})


def state_with(state, **changes):
    return {**state, **changes}


class MessagesState(typing.TypedDict, total=False):
    messages: list


CHAT_MODELS = {
    "AzureChatOpenAI": "openai", "ChatAnthropic": "anthropic", "ChatDeepSeek": "deepseek",
    "ChatGoogleGenerativeAI": "google", "ChatGroq": "groq", "ChatMistralAI": "mistral",
    "ChatOllama": "ollama", "ChatOpenAI": "openai", "ChatVertexAI": "google",
}
STORE, TOOLS = Store(), Tools()
NAMES = {
    "START": "__start__", "END": "__end__", "MessagesState": MessagesState,
    "HumanMessage": HumanMessage, "AIMessage": AIMessage, "AIMessageChunk": AIMessage,
    "SystemMessage": SystemMessage, "ToolMessage": ToolMessage, "RemoveMessage": RemoveMessage,
    "BaseMessage": Message, "AnyMessage": Message, "Send": Send, "Command": Command,
    "Overwrite": Overwrite, "NodeError": NodeError, "Runtime": Runtime, "tool": make_tool,
    "init_chat_model": ChatModel, "get_stream_writer": lambda: set_writer,
    "get_store": lambda: STORE, "get_config": lambda: call_server("config"),
    "get_runtime": lambda schema=None: call_server("runtime"),
    "Annotated": typing.Annotated, "TypedDict": typing.TypedDict,
    "NotRequired": getattr(typing, "NotRequired", typing.Optional),
    "Literal": typing.Literal,
    **{name: chat_model(name, provider) for name, provider in CHAT_MODELS.items()},
}
OURS = {"llm": llm, "allm": allm, "tool": call_tool, "tools": TOOLS, "Reply": Reply, "state_with": state_with}


class StandIn(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        known = OURS if self.__name__.split(".")[0] == "agentweaver" else NAMES
        return known[name] if name in known else type(name, (Anything,), {})


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, is_answered):
        self.is_answered = is_answered

    def find_spec(self, name, path=None, target=None):
        if self.is_answered(name.split(".")[0]):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return StandIn(spec.name)

    def exec_module(self, module):
        pass


def install():
    # `agentweaver` is ours even where it is installed: its calls belong in the log.
    sys.meta_path.insert(0, Finder(lambda top: top == "agentweaver"))
    families = ("langgraph", "langchain", "langchain_")
    missing = lambda top: top in families or top.startswith("langchain_")
    sys.meta_path.append(Finder(missing))
    replaced = ("get_stream_writer", "get_store", "get_config", "get_runtime")
    NAMES["interrupt"] = interrupt
    for module, names in {
        "langgraph.types": ("interrupt",),
        "langgraph.config": replaced[:3],
        "langgraph.runtime": replaced[3:],
    }.items():
        try:
            found = importlib.import_module(module)
        except ImportError:
            continue
        for name in names:
            if not isinstance(found, StandIn) and hasattr(found, name):
                setattr(found, name, NAMES[name])


def message_class(kind):
    name = {
        "human": "HumanMessage", "ai": "AIMessage", "system": "SystemMessage", "tool": "ToolMessage",
        "remove": "RemoveMessage",
    }[kind]
    return getattr(importlib.import_module("langchain_core.messages"), name)


def decode_message(value):
    parts = {key: decode(part) for key, part in value.items() if key not in (TAG, "type")}
    return message_class(value["type"])(**parts)


def of_types(name):
    return getattr(importlib.import_module("langgraph.types"), name)


def decode_exception(value):
    import builtins

    cls = find_class(value["class"]) or getattr(builtins, value["class"], None)
    if not (isinstance(cls, type) and issubclass(cls, BaseException)):
        cls = type(value["class"], (Exception,), {})
    try:
        return cls(value.get("message", ""))
    except Exception:
        return Exception(value.get("message", ""))


def decode_runtime(value):
    context = decode(value.get("context"))
    info = value.get("execution_info")
    return Runtime(
        context=context, store=STORE, stream_writer=set_writer, previous=decode(value.get("previous")),
        execution_info=Record(**info) if isinstance(info, dict) else info, server_info=None,
    )


DECODERS.update(
    message=decode_message,
    send=lambda v: of_types("Send")(v["node"], decode(v.get("arg"))),
    command=lambda v: of_types("Command")(
        graph=v.get("graph"), update=decode(v.get("update")), goto=decode(v.get("goto")) or ()
    ),
    overwrite=lambda v: of_types("Overwrite")(decode(v.get("value"))),
    exception=decode_exception,
    node_error=lambda v: NodeError(v["node"], decode(v["error"])),
    runtime=decode_runtime,
    store=lambda v: STORE,
    writer=lambda v: set_writer,
)
