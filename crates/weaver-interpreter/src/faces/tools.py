# Tools

class Tool:
    def __init__(self, function, name=None, description=None, args_schema=None, return_direct=False, response_format="content"):
        own = function_name(function)
        spec = named_tools.get(name) if name else tool_specs.get(own)
        self.func = function
        self.coroutine = None
        self._known = spec is not None
        self.name = name or (spec["name"] if spec else own)
        self.description = description or (spec["description"] if spec else "")
        self.args_schema = args_schema
        self.args_json = spec["parameters"] if spec else (schemas[schema_name(args_schema)]["schema"] if args_schema and schema_name(args_schema) else {"type": "object", "properties": {}})
        self.args = self.args_json.get("properties", {})
        self.return_direct = return_direct
        self.response_format = response_format

    def __call__(self, *args, **kwargs):
        return self.func(*args, **kwargs)

    def _output(self, call, out):
        artifact = None
        if self.response_format == "content_and_artifact":
            out, artifact = out
        if call is None:
            return out
        if isinstance(out, (ToolMessage, Command)):
            return out
        return ToolMessage(tool_text(out), tool_call_id=call.get("id"), name=self.name, artifact=artifact)

    def invoke(self, input, config=None, **kw):
        call, args = tool_input(input)
        args = from_host(self, args)
        return self._output(call, self.func(**args) if type(args) is dict else self.func(args))

    async def ainvoke(self, input, config=None, **kw):
        call, args = tool_input(input)
        args = from_host(self, args)
        out = self.func(**args) if type(args) is dict else self.func(args)
        if type(out) is coroutine:
            out = await out
        return self._output(call, out)

    def run(self, input, **kw):
        return self.invoke(input)

    async def arun(self, input, **kw):
        return await self.ainvoke(input)

    def __repr__(self):
        return "Tool(name=" + repr(self.name) + ")"


def tool_input(input):
    if type(input) is dict and input.get("type") == "tool_call" and "args" in input:
        return input, input["args"]
    return None, input


# Parameters by function that are filled from the state: name, what, field.
injected = {}


def from_host(tool, args):
    # What a tool is given that neither the model nor the state has.
    if type(args) is not dict:
        return args
    given = {}
    for name, what, field in injected.get(function_name(tool.func), ()):
        if what == "store":
            given[name] = the_store
        elif what == "config":
            given[name] = get_config()
        elif what == "runtime":
            given[name] = get_runtime()
    return {**given, **{name: typed_argument(tool, name, args[name]) for name in args}}


def typed_argument(tool, name, value):
    # A whole number where the tool takes a float.
    if type(value) is int and (tool.args.get(name) or {}).get("type") == "number":
        return float(value)
    return value


def filled(tool, call, input, messages_key):
    args = dict(call["args"])
    for name, what, field in injected.get(function_name(tool.func), ()):
        if what == "id":
            args[name] = call["id"]
        elif what == "runtime":
            runtime = get_runtime()
            state = {messages_key: input} if type(input) is list else input
            args[name] = Runtime(context=runtime.context, execution_info=runtime.execution_info, state=state, tool_call_id=call["id"], config=get_config())
        elif what == "state":
            state = {messages_key: input} if type(input) is list else input
            args[name] = state if field is None else (state[field] if type(state) is dict else getattr(state, field))
    return {**call, "args": args, "type": "tool_call"}


def tool_text(out):
    if type(out) is str:
        return out
    if type(out) in (dict, list):
        try:
            return json.dumps(plain(out), ensure_ascii=False)
        except Exception:
            return str(out)
    return str(out)


def tool(*args, description=None, return_direct=False, args_schema=None, parse_docstring=False, response_format="content", infer_schema=True, **kw):
    if args and (is_function(args[0]) or not type(args[0]) is str):
        return Tool(args[0], None, description, args_schema, return_direct, response_format)
    name = args[0] if args else None
    if len(args) > 1:
        return Tool(args[1], name, description, args_schema, return_direct, response_format)
    options = (name, description, args_schema, return_direct, response_format)
    return lambda function: Tool(function, *options)


class StructuredToolFace:
    def from_function(self, func=None, coroutine=None, name=None, description=None, args_schema=None, **kw):
        return Tool(func or coroutine, name, description, args_schema)


StructuredTool = StructuredToolFace()


class ToolNode:
    def __init__(self, tools, name="tools", handle_tool_errors=True, messages_key="messages", **kw):
        self.tools = [t if type(t) is Tool else Tool(t) for t in tools]
        self.tools_by_name = {t.name: t for t in self.tools}
        self.handle_tool_errors = handle_tool_errors
        self.messages_key = messages_key
        self.name = name

    def _calls(self, input):
        if type(input) is list and input and type(input[0]) is dict and input[0].get("type") == "tool_call":
            return input
        messages = input if type(input) is list else (input[self.messages_key] if type(input) is dict else getattr(input, self.messages_key))
        return messages[-1].tool_calls

    def _failed(self, call, error):
        text = "Error: " + repr(error) + "\n Please fix your mistakes."
        return ToolMessage(text, tool_call_id=call["id"], name=call["name"], status="error")

    def _unknown(self, call):
        text = "Error: " + call["name"] + " is not a valid tool, try one of [" + ", ".join(list(self.tools_by_name)) + "]."
        return ToolMessage(text, tool_call_id=call["id"], name=call["name"], status="error")

    def _out(self, input, messages):
        if type(input) is list:
            return messages
        if [m for m in messages if type(m) is Command]:
            return [m if type(m) is Command else {self.messages_key: [m]} for m in messages]
        return {self.messages_key: messages}

    def invoke(self, input, config=None, **kw):
        out = []
        for call in self._calls(input):
            t = self.tools_by_name.get(call["name"])
            if t is None:
                out.append(self._unknown(call))
                continue
            try:
                out.append(t.invoke(filled(t, call, input, self.messages_key)))
            except Exception as error:
                if not self.handle_tool_errors:
                    raise
                out.append(self._failed(call, caught(error)))
        return self._out(input, out)

    async def ainvoke(self, input, config=None, **kw):
        out = []
        for call in self._calls(input):
            t = self.tools_by_name.get(call["name"])
            if t is None:
                out.append(self._unknown(call))
                continue
            try:
                out.append(await t.ainvoke(filled(t, call, input, self.messages_key)))
            except Exception as error:
                if not self.handle_tool_errors:
                    raise
                out.append(self._failed(call, caught(error)))
        return self._out(input, out)

    def __call__(self, input, config=None):
        return self.invoke(input)


def tools_condition(state, messages_key="messages"):
    messages = state if type(state) is list else (state[messages_key] if type(state) is dict else getattr(state, messages_key))
    last = messages[-1]
    return "tools" if getattr(last, "tool_calls", None) else "__end__"
