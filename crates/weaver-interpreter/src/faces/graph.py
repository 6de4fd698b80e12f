# langgraph: types, runtime, store; agentweaver

class Send:
    def __init__(self, node, arg, timeout=None):
        self.node = node
        self.arg = arg
        if timeout is not None:
            self.timeout = timeout

    def __eq__(self, other):
        return type(other) is Send and self.node == other.node and self.arg == other.arg

    def __repr__(self):
        return "Send(node=" + repr(self.node) + ", arg=" + repr(self.arg) + ")"


class Command:
    PARENT = "__parent__"

    def __init__(self, graph=None, update=None, resume=None, goto=None):
        self.graph = graph
        self.update = update
        self.resume = resume
        self.goto = goto

    def __repr__(self):
        parts = []
        for key in ("graph", "update", "resume", "goto"):
            if getattr(self, key):
                parts.append(key + "=" + repr(getattr(self, key)))
        return "Command(" + ", ".join(parts) + ")"

    def __eq__(self, other):
        return type(other) is Command and repr(self) == repr(other)


class Overwrite:
    def __init__(self, value):
        self.value = value


class Interrupt:
    def __init__(self, value=None, id=None, **kw):
        self.value = value
        self.id = id

    def __repr__(self):
        return "Interrupt(value=" + repr(self.value) + ", id=" + repr(self.id) + ")"


def drop_tag(value):
    value.pop("$type")
    return value


makers["send"] = lambda v: Send(v["node"], v.get("arg"))
makers["command"] = lambda v: Command(v.get("graph"), v.get("update"), v.get("resume"), v.get("goto"))
makers["overwrite"] = lambda v: Overwrite(v.get("value"))
makers["interrupt"] = lambda v: Interrupt(v.get("value"), v.get("id"))


def interrupt(value=None):
    return host("interrupt", [], {"value": value})


class Policy:
    # RetryPolicy and its siblings: read by the compiler, only kept here.
    def __init__(self, *args, **kw):
        self.args = args
        self.options = kw


RetryPolicy = Policy
CachePolicy = Policy
TimeoutPolicy = Policy
InMemoryCache = Policy


def write_stream(value):
    host("writer", [], {"value": value})


def get_stream_writer():
    return write_stream


StreamWriter = write_stream
makers["writer"] = lambda v: write_stream


class Item:
    def __init__(self, namespace=(), key="", value=None, created_at=None, updated_at=None, score=None, **kw):
        self.namespace = tuple(namespace)
        self.key = key
        self.value = value
        self.created_at = created_at
        self.updated_at = updated_at
        self.score = score

    def __repr__(self):
        return "Item(namespace=" + repr(list(self.namespace)) + ", key=" + repr(self.key) + ", value=" + repr(self.value) + ")"

    def dict(self):
        return {"namespace": list(self.namespace), "key": self.key, "value": self.value, "created_at": self.created_at, "updated_at": self.updated_at}


def make_item(value):
    return None if value is None else Item(**value)


class BaseStore:
    def __init__(self, *args, **kw):
        pass

    def get(self, namespace, key, **kw):
        return make_item(host("store.get", [], {"namespace": list(namespace), "key": key}))

    def put(self, namespace, key, value, index=None, ttl=None, **kw):
        host("store.put", [], {"namespace": list(namespace), "key": key, "value": value, "index": index, "ttl": ttl})

    def delete(self, namespace, key):
        host("store.delete", [], {"namespace": list(namespace), "key": key})

    def search(self, namespace_prefix, query=None, filter=None, limit=10, offset=0, **kw):
        asked = {"namespace": list(namespace_prefix), "query": query, "filter": filter, "limit": limit, "offset": offset}
        return [make_item(item) for item in host("store.search", [], asked)]

    def list_namespaces(self, prefix=None, suffix=None, max_depth=None, limit=100, offset=0):
        asked = {"prefix": as_list(prefix), "suffix": as_list(suffix), "max_depth": max_depth, "limit": limit, "offset": offset}
        return [tuple(name) for name in host("store.list_namespaces", [], asked)]

    async def aget(self, namespace, key, **kw):
        return make_item(await host_async("store.get", [], {"namespace": list(namespace), "key": key}))

    async def aput(self, namespace, key, value, index=None, ttl=None, **kw):
        await host_async("store.put", [], {"namespace": list(namespace), "key": key, "value": value, "index": index, "ttl": ttl})

    async def adelete(self, namespace, key):
        await host_async("store.delete", [], {"namespace": list(namespace), "key": key})

    async def asearch(self, namespace_prefix, query=None, filter=None, limit=10, offset=0, **kw):
        asked = {"namespace": list(namespace_prefix), "query": query, "filter": filter, "limit": limit, "offset": offset}
        return [make_item(item) for item in await host_async("store.search", [], asked)]


InMemoryStore = BaseStore
the_store = BaseStore()


def get_store():
    return the_store


makers["store"] = lambda v: the_store


class Record:
    # Plain attributes.
    def __init__(self, **kw):
        self._names = list(kw)
        for key in kw:
            setattr(self, key, kw[key])

    def get(self, key, default=None):
        return getattr(self, key, default)

    def __getitem__(self, key):
        return getattr(self, key)

    def __repr__(self):
        return "(" + ", ".join([key + "=" + repr(getattr(self, key)) for key in self._names]) + ")"


class Document:
    _names = ["id", "metadata", "page_content"]

    def __init__(self, page_content, metadata=None, id=None, **kw):
        self.id = id
        self.metadata = metadata or {}
        self.page_content = page_content

    def __eq__(self, other):
        return type(other) is Document and fields_of(self) == fields_of(other)

    def __repr__(self):
        return "Document(metadata=" + repr(self.metadata) + ", page_content=" + repr(self.page_content) + ")"


class Runtime:
    def __init__(self, context=None, store=None, stream_writer=None, previous=None, execution_info=None, server_info=None, state=None, tool_call_id=None, config=None, **kw):
        self.state = state
        self.tool_call_id = tool_call_id
        self.config = config
        self.context = context
        self.store = the_store
        self.stream_writer = write_stream
        self.previous = previous
        self.execution_info = Record(**execution_info) if type(execution_info) is dict else execution_info
        self.server_info = server_info

    def __getitem__(self, item):
        return self

    def heartbeat(self):
        host("heartbeat", [], {})


the_runtime = Runtime()


def make_runtime(value):
    global the_runtime
    value.pop("$type")
    value.pop("store", None)
    value.pop("stream_writer", None)
    the_runtime = Runtime(**value)
    return the_runtime


makers["runtime"] = make_runtime


def get_runtime(schema=None):
    return host("runtime", [], {})


def get_config():
    return host("config", [], {})


class Graph:
    # A compiled graph of the file that a function calls.
    def __init__(self, name):
        self.name = name

    def invoke(self, input, config=None, **kw):
        return host("subgraph.invoke", [], {"graph": self.name, "input": input, "config": config, "options": kw})

    async def ainvoke(self, input, config=None, **kw):
        return await host_async("subgraph.invoke", [], {"graph": self.name, "input": input, "config": config, "options": kw})

    def stream(self, input, config=None, **kw):
        return host("subgraph.stream", [], {"graph": self.name, "input": input, "config": config, "options": kw})

    def batch(self, inputs, config=None, **kw):
        return [self.invoke(input, config, **kw) for input in inputs]

    def with_config(self, *args, **kw):
        return self


class Saver:
    def __init__(self, *args, **kw):
        pass


MemorySaver = Saver
InMemorySaver = Saver


# agentweaver

class Reply:
    def __init__(self, message):
        self.message = message
        self.text = text_of(message.content)
        self.usage = message.usage_metadata
        self.tool_calls = message.tool_calls

    def __str__(self):
        return self.text

    def __repr__(self):
        return "Reply(" + repr(self.text) + ")"


def llm_request(model, prompt, options):
    if prompt is None or type(prompt) is str:
        options["prompt"] = prompt
    else:
        options["messages"] = convert_to_messages(prompt)
    if "messages" in options:
        options["messages"] = convert_to_messages(options["messages"])
    if "tools" in options:
        options["tools"] = [tool_reference(t) for t in options["tools"]]
    options["model"] = model
    return options


def llm_reply(answer):
    if type(answer) is str:
        answer = AIMessage(answer)
    return Reply(answer)


def llm(model=None, prompt=None, **options):
    return llm_reply(host("llm", [], llm_request(model, prompt, options)))


async def allm(model=None, prompt=None, **options):
    return llm_reply(await host_async("llm", [], llm_request(model, prompt, options)))


def call_tool(name, **args):
    return host("tool", [], {"name": name, "args": args})


def registry_tool(name):
    def call(*args, **kwargs):
        if args:
            raise TypeError("tools take keyword arguments: tools." + name + "(name=value)")
        return host("tool", [], {"name": name, "args": kwargs})
    return call


class Registry:
    # `agentweaver.tools`; the compiler sets an attribute for each tool that the file names.
    def __init__(self):
        self.call = call_tool


def state_with(state, **changes):
    return {**state, **changes}
