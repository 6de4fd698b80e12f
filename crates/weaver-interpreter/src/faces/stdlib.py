# Pieces of the standard library that the interpreter lacks, and what the
# imports of a file are bound to.

import asyncio
import base64
import binascii
import bisect
import collections
import copy
import csv
import dataclasses
import datetime
import decimal
import functools
import hashlib
import itertools
import json
import math
import os
import pathlib
import random
import re
import sys
import time
import tomllib
import unicodedata


class Namespace:
    def __init__(self, **kw):
        for key in kw:
            setattr(self, key, kw[key])


def itemgetter(*keys):
    if len(keys) == 1:
        return lambda x: x[keys[0]]
    return lambda x: tuple([x[key] for key in keys])


def attrgetter(name):
    return lambda x: getattr(x, name)


operator = Namespace(
    add=lambda a, b: a + b, sub=lambda a, b: a - b, mul=lambda a, b: a * b, truediv=lambda a, b: a / b,
    or_=lambda a, b: a | b, and_=lambda a, b: a & b, xor=lambda a, b: a ^ b, eq=lambda a, b: a == b,
    ne=lambda a, b: a != b, lt=lambda a, b: a < b, le=lambda a, b: a <= b, gt=lambda a, b: a > b,
    ge=lambda a, b: a >= b, neg=lambda a: -a, not_=lambda a: not a, contains=lambda a, b: b in a,
    concat=lambda a, b: a + b, getitem=lambda a, b: a[b], itemgetter=itemgetter, attrgetter=attrgetter,
    mod=lambda a, b: a % b, floordiv=lambda a, b: a // b, pow=lambda a, b: a**b, iadd=lambda a, b: a + b,
)


class UUID:
    def __init__(self, text):
        self.text = text
        self.hex = text.replace("-", "")

    def __str__(self):
        return self.text

    def __repr__(self):
        return "UUID('" + self.text + "')"

    def __eq__(self, other):
        return type(other) is UUID and self.text == other.text

    def __hash__(self):
        return hash(self.text)


def uuid4():
    return UUID(host("uuid", [], {}))


uuid = Namespace(uuid4=uuid4, uuid1=uuid4, uuid7=uuid4, UUID=UUID)

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class Logger:
    def __init__(self, name="root"):
        self.name = name
        self.level = 20

    def _log(self, level, text, args):
        if LEVELS[level] >= self.level:
            text = str(text)
            if args:
                text = text % (args[0] if len(args) == 1 and type(args[0]) is dict else args)
            print(level.upper() + ":" + self.name + ":" + text)

    def debug(self, text, *args, **kw):
        self._log("debug", text, args)

    def info(self, text, *args, **kw):
        self._log("info", text, args)

    def warning(self, text, *args, **kw):
        self._log("warning", text, args)

    def error(self, text, *args, **kw):
        self._log("error", text, args)

    def exception(self, text, *args, **kw):
        self._log("error", text, args)

    def critical(self, text, *args, **kw):
        self._log("critical", text, args)

    def setLevel(self, level):
        self.level = level if type(level) is int else LEVELS[level.lower()]

    def addHandler(self, handler):
        pass

    def isEnabledFor(self, level):
        return level >= self.level


root_logger = Logger()


def getLogger(name=None):
    return Logger(name) if name else root_logger


def ignore(*args, **kw):
    return None


logging = Namespace(
    getLogger=getLogger, basicConfig=ignore, debug=root_logger.debug, info=root_logger.info,
    warning=root_logger.warning, error=root_logger.error, exception=root_logger.exception, critical=root_logger.critical,
    DEBUG=10, INFO=20, WARNING=30, WARN=30, ERROR=40, CRITICAL=50, Logger=Logger, StreamHandler=ignore, Formatter=ignore,
)


def dedent(text):
    lines = text.split("\n")
    margin = None
    for line in lines:
        if line.strip():
            indent = line[: len(line) - len(line.lstrip())]
            if margin is None or margin.startswith(indent):
                margin = indent
            else:
                while not indent.startswith(margin):
                    margin = margin[:-1]
    size = len(margin or "")
    return "\n".join([line[size:] if line.strip() else "" for line in lines])


def indent(text, prefix):
    return "\n".join([prefix + line if line.strip() else line for line in text.split("\n")])


def shorten(text, width, placeholder=" [...]", **kw):
    text = " ".join(text.split())
    if len(text) <= width:
        return text
    words = []
    for word in text.split(" "):
        if len(" ".join(words + [word])) + len(placeholder) > width:
            break
        words.append(word)
    return " ".join(words) + placeholder


def wrap(text, width=70, **kw):
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = (lines[-1] + " " + word).strip()
    return [line for line in lines if line]


textwrap = Namespace(dedent=dedent, indent=indent, shorten=shorten, wrap=wrap, fill=lambda text, width=70, **kw: "\n".join(wrap(text, width)))


class Template:
    def __init__(self, template):
        self.template = template

    def substitute(self, values=None, **kw):
        values = {**(values or {}), **kw}
        return substitute(re, r"\$(?:\{(\w+)\}|(\w+)|(\$))", lambda m: "$" if m.group(3) else str(values[m.group(1) or m.group(2)]), self.template)

    def safe_substitute(self, values=None, **kw):
        values = {**(values or {}), **kw}
        return substitute(re, r"\$(?:\{(\w+)\}|(\w+)|(\$))", lambda m: "$" if m.group(3) else str(values.get(m.group(1) or m.group(2), m.group(0))), self.template)


string = Namespace(
    Template=Template, ascii_lowercase="abcdefghijklmnopqrstuvwxyz", ascii_uppercase="ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    ascii_letters="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", digits="0123456789",
    punctuation="!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", whitespace=" \t\n\r\x0b\x0c", hexdigits="0123456789abcdefABCDEF",
)


def replace(instance, **changes):
    return type(instance)(**{**fields_of(instance), **changes})


def asdict(instance):
    return plain(instance)


def astuple(instance):
    return tuple([plain(value) for value in fields_of(instance).values()])


def fields(x):
    return [Namespace(name=name) for name in list(getattr(x if hasattr(x, "__name__") else type(x), "__annotations__", getattr(x, "_names", [])))]


def mean(values):
    values = list(values)
    if not values:
        raise ValueError("mean requires at least one data point")
    total = sum(values)
    return total // len(values) if type(total) is int and total % len(values) == 0 else total / len(values)


def fmean(values):
    return float(mean(values))


def median(values):
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def variance(values):
    values = list(values)
    middle = mean(values)
    return sum([(x - middle) ** 2 for x in values]) / (len(values) - 1)


def mode(values):
    values = list(values)
    counts = {}
    for x in values:
        counts[x] = counts.get(x, 0) + 1
    return max(counts, key=lambda x: counts[x])


statistics = Namespace(
    mean=mean, fmean=fmean, median=median, mode=mode, variance=variance, stdev=lambda values: math.sqrt(variance(values)),
)


def nlargest(n, values, key=None):
    return sorted(values, key=key, reverse=True)[:n]


def nsmallest(n, values, key=None):
    return sorted(values, key=key)[:n]


def heappush(heap, item):
    heap.append(item)
    heap.sort()


heapq = Namespace(nlargest=nlargest, nsmallest=nsmallest, heappush=heappush, heappop=lambda heap: heap.pop(0), heapify=lambda heap: heap.sort())


def is_callable(x):
    if is_function(x) or repr(x).startswith("<built-in") or repr(x).startswith("<class"):
        return True
    return hasattr(type(x), "__call__")


def is_subclass(cls, parents):
    info = error_info(cls)
    for parent in parents if type(parents) is tuple else (parents,):
        wanted = error_info(parent)
        if cls is parent or parent is object or builds_on(cls, parent):
            return True
        if info is not None:
            if wanted is not None and wanted[0] in info[1]:
                return True
            if wanted is None and error_is_a(info, parent):
                return True
        elif wanted is not None:
            if wanted[0] == "UnicodeError" and cls in UNICODE_ERRORS:
                return True
        elif BUILTIN_ERRORS.get(function_name(cls)) is cls and BUILTIN_ERRORS.get(function_name(parent)) is parent:
            if isinstance(cls(), parent):
                return True
    return False


class Suppress:
    def __init__(self, *errors):
        self.errors = errors

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        return kind is not None and is_instance(caught(error), self.errors)


class NullContext:
    def __init__(self, value=None):
        self.value = value

    def __enter__(self):
        return self.value

    def __exit__(self, *args):
        return None


def copy_dict(*args, **kw):
    return dict(*args, **kw)


def same(x=None, *args, **kw):
    return x


def quote(text, safe="/"):
    keep = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~" + safe
    return "".join([c if c in keep else "".join(["%%%02X" % b for b in c.encode()]) for c in text])


class AnyType:
    # A name that is only good in annotations: `Annotated`, `TypedDict`, `TypeVar("T")` …
    def __init__(self, name):
        self.name = name

    def __getitem__(self, item):
        return self

    def __call__(self, *args, **kw):
        return kw if self.name == "TypedDict" else (args[1] if self.name == "cast" else self)

    def __or__(self, other):
        return self

    def __ror__(self, other):
        return self

    def __repr__(self):
        return self.name


ERRORS = {
    "ValidationError": ["ValueError"], "OutputParserException": ["ValueError"], "ToolException": [],
    "GraphRecursionError": ["RecursionError"], "GraphInterrupt": [], "NodeInterrupt": [], "InvalidUpdateError": [],
    "RateLimitError": [], "APIError": [], "APIConnectionError": [], "APITimeoutError": [], "APIStatusError": [],
    "BadRequestError": [], "AuthenticationError": [], "InternalServerError": [], "OpenAIError": [], "AnthropicError": [],
    "NodeTimeoutError": ["TimeoutError"], "LangChainException": [],
}

STDLIB = {
    "warnings": Namespace(warn=ignore, filterwarnings=ignore, simplefilter=ignore),
    "operator": operator, "uuid": uuid, "logging": logging, "textwrap": textwrap, "string": string, "statistics": statistics,
    "heapq": heapq,
    "contextlib": Namespace(suppress=Suppress, nullcontext=NullContext),
    "urllib": Namespace(parse=Namespace(quote=quote, quote_plus=lambda text: quote(text, "").replace("%20", "+"))),
    "urllib.parse": Namespace(quote=quote, quote_plus=lambda text: quote(text, "").replace("%20", "+")),
}
EXTRA = {
    ("functools", "wraps"): wraps, ("dataclasses", "asdict"): asdict, ("dataclasses", "replace"): replace,
    ("dataclasses", "astuple"): astuple, ("dataclasses", "fields"): fields, ("collections", "OrderedDict"): copy_dict,
    ("asyncio", "create_task"): same,
    ("langchain", "hub"): AnyType("hub"),
}
START = "__start__"
END = "__end__"
tool_registry = Registry()
agentweaver = Namespace(llm=llm, allm=allm, tools=tool_registry, tool=call_tool, Send=Send, Command=Command, interrupt=interrupt)


# Modules of the interpreter's own, for imports that are made by name.
NATIVE = {
    "functools": functools, "dataclasses": dataclasses, "collections": collections, "asyncio": asyncio, "json": json,
    "math": math, "random": random, "re": re, "time": time, "itertools": itertools, "copy": copy, "datetime": datetime,
    "binascii": binascii, "bisect": bisect, "csv": csv, "tomllib": tomllib, "unicodedata": unicodedata,
    "os": os, "hashlib": hashlib, "base64": base64, "sys": sys, "decimal": decimal, "pathlib": pathlib,
}


def native_name(module, name):
    return getattr(NATIVE[module], name)


def find_name(module, name):
    # What a name imported from a module is bound to.
    if module in NATIVE:
        if name is None:
            return NATIVE[module]
        if (module, name) not in EXTRA:
            return getattr(NATIVE[module], name)
    if name is None:
        if module in STDLIB:
            return STDLIB[module]
        if module.split(".")[0] == "agentweaver":
            return agentweaver
        return AnyModule(module)
    if module == "agentweaver" and name == "tool":
        return call_tool
    if module.startswith("agentweaver") and name == "tools":
        return tool_registry
    if (module, name) in EXTRA:
        return EXTRA[(module, name)]
    if module in STDLIB and hasattr(STDLIB[module], name):
        return getattr(STDLIB[module], name)
    if name in ERRORS:
        return error_class(name, ERRORS[name])
    if name in FACES:
        return FACES[name]
    return AnyType(name)


class AnyModule:
    # A module imported whole: names that faces know are its attributes.
    def __init__(self, name):
        self.name = name
        for key in FACES:
            setattr(self, key, FACES[key])


FACES = {
    "HumanMessage": HumanMessage, "AIMessage": AIMessage, "SystemMessage": SystemMessage, "ToolMessage": ToolMessage,
    "RemoveMessage": RemoveMessage, "AIMessageChunk": AIMessageChunk, "BaseMessage": BaseMessage, "AnyMessage": AnyMessage,
    "HumanMessageChunk": HumanMessage, "ToolCall": ToolCall, "trim_messages": trim_messages, "filter_messages": filter_messages,
    "get_buffer_string": get_buffer_string, "convert_to_messages": convert_to_messages, "merge_message_runs": merge_message_runs,
    "messages_to_dict": messages_to_dict, "count_tokens_approximately": count_tokens_approximately,
    "add_messages": add_messages, "REMOVE_ALL_MESSAGES": REMOVE_ALL_MESSAGES, "MessageLikeRepresentation": AnyType("Message"),
    "_agent_messages": agent_messages, "_agent_turn": agent_turn,
    "_agent_after_tools": agent_after_tools, "_tools_or_fallbacks": ToolsOrFallbacks,
    "Send": Send, "Command": Command, "Overwrite": Overwrite, "Interrupt": Interrupt, "interrupt": interrupt,
    "RetryPolicy": RetryPolicy, "CachePolicy": CachePolicy, "TimeoutPolicy": TimeoutPolicy, "InMemoryCache": InMemoryCache,
    "get_stream_writer": get_stream_writer, "StreamWriter": StreamWriter, "get_store": get_store, "BaseStore": BaseStore,
    "InMemoryStore": InMemoryStore, "get_runtime": get_runtime, "Runtime": Runtime, "get_config": get_config,
    "MemorySaver": MemorySaver, "InMemorySaver": InMemorySaver, "SqliteSaver": Saver, "PostgresSaver": Saver,
    "START": START, "END": END, "llm": llm, "allm": allm, "RunnableConfig": copy_dict, "MessagesState": copy_dict,
    "ChatOpenAI": ChatOpenAI, "AzureChatOpenAI": AzureChatOpenAI, "ChatAnthropic": ChatAnthropic,
    "ChatGoogleGenerativeAI": ChatGoogleGenerativeAI, "ChatVertexAI": ChatVertexAI, "ChatOllama": ChatOllama, "ChatGroq": ChatGroq,
    "ChatMistralAI": ChatMistralAI, "ChatDeepSeek": ChatDeepSeek, "init_chat_model": init_chat_model, "BaseChatModel": ChatModel,
    "RunnableLambda": RunnableLambda, "RunnableParallel": RunnableParallel, "RunnablePassthrough": RunnablePassthrough,
    "StrOutputParser": StrOutputParser, "JsonOutputParser": JsonOutputParser, "CommaSeparatedListOutputParser": CommaSeparatedListOutputParser, "PydanticOutputParser": PydanticOutputParser, "PydanticToolsParser": PydanticToolsParser,
    "ChatPromptTemplate": ChatPromptTemplate, "MessagesPlaceholder": MessagesPlaceholder, "PromptTemplate": PromptTemplate,
    "SystemMessagePromptTemplate": SystemMessagePromptTemplate, "HumanMessagePromptTemplate": HumanMessagePromptTemplate,
    "AIMessagePromptTemplate": AIMessagePromptTemplate,
    "TYPE_CHECKING": False, "NodeError": NodeError, "tool": tool, "Tool": Tool, "BaseTool": Tool, "StructuredTool": StructuredTool, "ToolNode": ToolNode,
    "tools_condition": tools_condition, "Field": Field, "Document": Document,
    "Enum": Enum, "StrEnum": StrEnum, "IntEnum": IntEnum, "auto": auto,
    "field_validator": field_validator, "model_validator": model_validator, "validator": validator,
}

# One instance of each class tells the outside what the class is.
classes = {
    "message": [HumanMessage(), AIMessage(), SystemMessage(), ToolMessage(), AIMessageChunk(), RemoveMessage()],
    "send": [Send("", None)], "command": [Command()], "overwrite": [Overwrite(None)], "interrupt": [Interrupt()],
    "value": [Member(None, "", "")],
    "refused": [ChatModel(""), Tool(host), ToolNode([]), Runtime(), the_store, Sequence([]), Runnable(None), Graph("")],
    "schema": [Document("")],
}
user_classes["Document"] = Document
