# Chat models and what chains with them.

def tool_reference(t):
    if type(t) is str or type(t) is dict:
        return t
    if type(t) is Tool:
        return t.name if t._known else {"name": t.name, "description": t.description, "parameters": t.args_json}
    name = schema_name(t)
    if name is not None:
        spec = schemas[name]
        return {"name": name, "description": spec["doc"] or "", "parameters": spec["schema"]}
    return function_name(t)


def prompt_messages(x):
    if type(x) is list or type(x) is tuple:
        return convert_to_messages(list(x))
    return convert_to_messages(x)


class ChatModel:
    def __init__(self, provider, model=None, params=None, tools=None, tool_choice=None, output=None):
        self.provider = provider
        self.model = model
        self.model_name = model
        self.params = params or {}
        self.tools = tools
        self.tool_choice = tool_choice
        self.output = output

    def _with(self, **changes):
        values = {"provider": self.provider, "model": self.model, "params": self.params, "tools": self.tools, "tool_choice": self.tool_choice, "output": self.output}
        values.update(changes)
        return ChatModel(**values)

    def _request(self, input, config, kw):
        params = dict(self.params)
        tool_choice = kw.pop("tool_choice", self.tool_choice)
        tools = kw.pop("tools", None)
        params.update(kw)
        return {
            "provider": self.provider,
            "model": params.pop("model", self.model),
            "params": params,
            "tools": [tool_reference(t) for t in tools] if tools else self.tools,
            "tool_choice": tool_choice,
            "schema": self.output["schema"] if self.output else None,
            "messages": prompt_messages(input),
            "config": config,
        }

    def invoke(self, input, config=None, stop=None, **kw):
        if stop is not None:
            kw["stop"] = stop
        return self._result(host("model.invoke", [], self._request(input, config, kw)))

    async def ainvoke(self, input, config=None, stop=None, **kw):
        if stop is not None:
            kw["stop"] = stop
        return self._result(await host_async("model.invoke", [], self._request(input, config, kw)))

    def __call__(self, input, **kw):
        return self.invoke(input, **kw)

    def stream(self, input, config=None, **kw):
        return [as_chunk(m) for m in host("model.stream", [], self._request(input, config, kw))]

    def astream(self, input, config=None, **kw):
        return self.stream(input, config, **kw)

    def batch(self, inputs, config=None, **kw):
        return [self.invoke(input, config, **kw) for input in inputs]

    async def abatch(self, inputs, config=None, **kw):
        return await asyncio.gather(*[self.ainvoke(input, config, **kw) for input in inputs])

    def predict(self, text, **kw):
        return text_of(self.invoke(text, **kw).content)

    def get_num_tokens(self, text):
        return count_tokens_approximately([text])

    def get_num_tokens_from_messages(self, messages, **kw):
        return count_tokens_approximately(messages)

    def bind_tools(self, tools, tool_choice=None, **kw):
        params = {**self.params, **kw}
        return self._with(tools=[tool_reference(t) for t in tools], tool_choice=tool_choice, params=params)

    def bind(self, **kw):
        if "tools" in kw:
            kw["tools"] = [tool_reference(t) for t in kw["tools"]]
            return self._with(tools=kw.pop("tools"), params={**self.params, **kw})
        return self._with(params={**self.params, **kw})

    def with_config(self, config=None, **kw):
        model = (config or kw).get("configurable", {}).get("model") if type(config or kw) is dict else None
        return self._with(model=model) if model else self

    def with_structured_output(self, schema, include_raw=False, method=None, strict=None, **kw):
        name = None if type(schema) is dict else schema_name(schema)
        if type(schema) is dict:
            wire = {"name": schema.get("title") or schema.get("name") or "output", "schema": schema.get("parameters", schema)}
        elif name is not None:
            wire = {"name": name, "schema": schemas[name]["schema"], "description": schemas[name]["doc"]}
        else:
            raise TypeError("with_structured_output needs a schema class of this file or a JSON schema, not " + repr(schema))
        if method is not None:
            wire["method"] = method
        if strict is not None:
            wire["strict"] = strict
        return self._with(output={"schema": wire, "name": name, "raw": include_raw})

    def with_retry(self, stop_after_attempt=3, **kw):
        return Retrying(self, stop_after_attempt)

    def with_fallbacks(self, fallbacks, **kw):
        return Falling([self] + list(fallbacks))

    def __or__(self, other):
        return chain(self, other)

    def __ror__(self, other):
        return chain(other, self)

    def __repr__(self):
        return "ChatModel(provider=" + repr(self.provider) + ", model=" + repr(self.model) + ")"

    def _result(self, message):
        if type(message) is str:
            message = AIMessage(message)
        if self.output is None:
            return message
        problem = None
        parsed = None
        try:
            parsed = structured(self.output, message)
        except Exception as error:
            problem = error
        if self.output["raw"]:
            return {"raw": message, "parsed": parsed, "parsing_error": None if problem is None else caught_text(problem)}
        if problem is not None:
            raise problem
        return parsed


def caught_text(error):
    return str(caught(error))


def as_chunk(m):
    if type(m) is AIMessage:
        return AIMessageChunk(**message_fields(m))
    if type(m) is str:
        return AIMessageChunk(m)
    return m


def structured(output, message):
    if message.tool_calls:
        value = message.tool_calls[0]["args"]
    else:
        value = parse_json(text_of(message.content))
    if output["name"] is None:
        return value
    return from_fields(output["name"], value)


def parse_json(text):
    text = text.strip()
    if "```" in text:
        text = text.split("```")[1]
        if text.startswith("json"):
            text = text[4:]
        text = text.strip()
    try:
        return json.loads(text)
    except ValueError:
        raise_named("OutputParserException", ["ValueError"], "Invalid json output: " + text)


def model_face(provider, default_model):
    def make(model=None, model_name=None, **params):
        return ChatModel(provider, model or model_name or default_model, params)
    return make


ChatOpenAI = model_face("openai", "gpt-4o-mini")
AzureChatOpenAI = model_face("azure", None)
ChatAnthropic = model_face("anthropic", None)
ChatGoogleGenerativeAI = model_face("google", None)
ChatVertexAI = model_face("google", None)
ChatOllama = model_face("ollama", None)
ChatGroq = model_face("groq", None)
ChatMistralAI = model_face("mistral", None)
ChatDeepSeek = model_face("deepseek", None)

PROVIDERS = {"google_genai": "google", "google_vertexai": "google", "mistralai": "mistral", "azure_openai": "azure"}


def init_chat_model(model=None, model_provider=None, configurable_fields=None, config_prefix=None, **params):
    provider = model_provider
    if provider is None and model is not None and ":" in model:
        provider, model = model.split(":", 1)
    if provider is None and model is not None:
        name = model.lower()
        if name.startswith("gpt") or name.startswith("o1") or name.startswith("o3") or name.startswith("o4"):
            provider = "openai"
        elif name.startswith("claude"):
            provider = "anthropic"
        elif name.startswith("gemini"):
            provider = "google"
        elif name.startswith("deepseek"):
            provider = "deepseek"
        elif name.startswith("mistral"):
            provider = "mistral"
    return ChatModel(PROVIDERS.get(provider, provider), model, params)


# Runnables: as much of `|` as prompts, models, parsers and functions need.

class Runnable:
    def __init__(self, run):
        self.run = run

    def invoke(self, input, config=None, **kw):
        return self.run(input)

    async def ainvoke(self, input, config=None, **kw):
        out = self.run(input)
        if type(out) is coroutine:
            out = await out
        return out

    def batch(self, inputs, config=None, **kw):
        return [self.invoke(input) for input in inputs]

    def stream(self, input, config=None, **kw):
        return [self.invoke(input)]

    def __call__(self, input):
        return self.invoke(input)

    def with_config(self, *args, **kw):
        return self

    def with_retry(self, stop_after_attempt=3, **kw):
        return Retrying(self, stop_after_attempt)

    def with_fallbacks(self, fallbacks, **kw):
        return Falling([self] + list(fallbacks))

    def __or__(self, other):
        return chain(self, other)

    def __ror__(self, other):
        return chain(other, self)


async def nothing():
    pass


coroutine = type(nothing())


class Sequence:
    def __init__(self, steps):
        self.steps = steps

    def invoke(self, input, config=None, **kw):
        for step in self.steps:
            input = step.invoke(input)
        return input

    async def ainvoke(self, input, config=None, **kw):
        for step in self.steps:
            input = await step.ainvoke(input)
        return input


class Retrying:
    def __init__(self, inner, attempts):
        self.inner = inner
        self.attempts = attempts

    def invoke(self, input, config=None, **kw):
        for attempt in range(self.attempts):
            try:
                return self.inner.invoke(input, config, **kw)
            except Exception as error:
                problem = error
        raise problem

    async def ainvoke(self, input, config=None, **kw):
        for attempt in range(self.attempts):
            try:
                return await self.inner.ainvoke(input, config, **kw)
            except Exception as error:
                problem = error
        raise problem


class Falling:
    def __init__(self, options):
        self.options = options

    def invoke(self, input, config=None, **kw):
        for option in self.options:
            try:
                return option.invoke(input, config, **kw)
            except Exception as error:
                problem = error
        raise problem

    async def ainvoke(self, input, config=None, **kw):
        for option in self.options:
            try:
                return await option.ainvoke(input, config, **kw)
            except Exception as error:
                problem = error
        raise problem

    def bind_tools(self, tools, **kw):
        return Falling([option.bind_tools(tools, **kw) for option in self.options])


for cls in (Sequence, Retrying, Falling):
    cls.batch = Runnable.batch
    cls.stream = Runnable.stream
    cls.__call__ = Runnable.__call__
    cls.with_config = Runnable.with_config
    cls.with_retry = Runnable.with_retry
    cls.with_fallbacks = Runnable.with_fallbacks
    cls.__or__ = Runnable.__or__
    cls.__ror__ = Runnable.__ror__


def runnable(x):
    if hasattr(x, "invoke"):
        return x
    if type(x) is dict:
        return Parallel(x)
    return Runnable(x)


def chain(left, right):
    steps = left.steps if type(left) is Sequence else [runnable(left)]
    more = right.steps if type(right) is Sequence else [runnable(right)]
    return Sequence(steps + more)


def Parallel(steps=None, **kw):
    parts = {key: runnable(step) for key, step in (steps or kw).items()}
    return Runnable(lambda input: {key: step.invoke(input) for key, step in parts.items()})


def RunnableLambda(func=None, afunc=None, **kw):
    return Runnable(func or afunc)


RunnableParallel = Parallel


def RunnablePassthrough(func=None):
    return Runnable(lambda input: input)


def passthrough_assign(**kw):
    parts = {key: runnable(step) for key, step in kw.items()}
    return Runnable(lambda input: {**input, **{key: step.invoke(input) for key, step in parts.items()}})


def StrOutputParser():
    return Runnable(lambda x: x if type(x) is str else text_of(x.content))


def JsonOutputParser(pydantic_object=None, **kw):
    return Runnable(lambda x: parse_json(x if type(x) is str else text_of(x.content)))


def PydanticOutputParser(pydantic_object=None, **kw):
    name = schema_name(pydantic_object)
    parser = Runnable(lambda x: from_fields(name, parse_json(x if type(x) is str else text_of(x.content))))
    parser.get_format_instructions = lambda: "Answer with JSON that fits this schema:\n" + json.dumps(schemas[name]["schema"])
    parser.parse = lambda text: from_fields(name, parse_json(text))
    return parser


# Prompts

def format_template(template, values, template_format="f-string"):
    if type(template) is not str:
        return [dict(block, text=format_template(block["text"], values)) if type(block) is dict and "text" in block else block for block in template]
    try:
        return template.format(**values)
    except KeyError as error:
        raise KeyError("Input to ChatPromptTemplate is missing variables {" + str(error) + "}. Expected: the variables of the template; received: " + str(list(values)))


class MessagesPlaceholder:
    def __init__(self, variable_name, optional=False, **kw):
        self.variable_name = variable_name
        self.optional = optional


class PromptValue:
    def __init__(self, messages, text=None):
        self.messages = messages
        self.text = text

    def to_messages(self):
        return self.messages

    def to_string(self):
        return self.text if self.text is not None else get_buffer_string(self.messages)


class ChatPrompt:
    def __init__(self, messages, values=None, **kw):
        self.messages = list(messages)
        self.values = values or {}

    def format_messages(self, **values):
        values = {**self.values, **values}
        out = []
        for m in self.messages:
            if type(m) is MessagesPlaceholder or (type(m) in (tuple, list) and m[0] == "placeholder"):
                key = m.variable_name if type(m) is MessagesPlaceholder else m[1].strip("{}")
                optional = type(m) is not MessagesPlaceholder or m.optional
                if key not in values and not optional:
                    raise KeyError("Input to ChatPromptTemplate is missing variables {'" + key + "'}.")
                out.extend(convert_to_messages(values.get(key, [])))
            elif type(m) in (tuple, list):
                out.append(role_message(m[0], {"content": format_template(m[1], values)}))
            elif type(m) is str:
                out.append(HumanMessage(format_template(m, values)))
            elif type(m) is RolePrompt:
                out.append(role_message(m.role, {"content": format_template(m.template, values)}))
            else:
                out.append(m)
        return out

    def invoke(self, input=None, config=None, **kw):
        if input is not None and type(input) is not dict:
            names = self.input_names()
            input = {names[0]: input} if len(names) == 1 else {"input": input}
        return PromptValue(self.format_messages(**(input or {})))

    async def ainvoke(self, input=None, config=None, **kw):
        return self.invoke(input)

    def format(self, **values):
        return get_buffer_string(self.format_messages(**values))

    def format_prompt(self, **values):
        return self.invoke(values)

    def partial(self, **values):
        return ChatPrompt(self.messages, {**self.values, **values})

    def input_names(self):
        names = []
        for m in self.messages:
            text = m[1] if type(m) in (tuple, list) else getattr(m, "template", m)
            if type(m) is MessagesPlaceholder:
                names.append(m.variable_name)
            elif type(text) is str:
                for name in re.findall(r"\{(\w+)\}", text):
                    if name not in names:
                        names.append(name)
        return names

    def __or__(self, other):
        return chain(self, other)

    def __ror__(self, other):
        return chain(other, self)

    def __add__(self, other):
        return ChatPrompt(self.messages + as_list(getattr(other, "messages", other)))


class ChatPromptFace:
    # ChatPromptTemplate([...]) and its two alternative constructors.
    def __call__(self, messages, **kw):
        return ChatPrompt(messages)

    def from_messages(self, messages, **kw):
        return ChatPrompt(messages)

    def from_template(self, template, **kw):
        return ChatPrompt([("human", template)])


ChatPromptTemplate = ChatPromptFace()


class RolePrompt:
    def __init__(self, role, template):
        self.role = role
        self.template = template


class RolePromptFace:
    def __init__(self, role):
        self.role = role

    def from_template(self, template, **kw):
        return RolePrompt(self.role, template)


SystemMessagePromptTemplate = RolePromptFace("system")
HumanMessagePromptTemplate = RolePromptFace("human")
AIMessagePromptTemplate = RolePromptFace("ai")


class TextPrompt:
    def __init__(self, template, values=None, **kw):
        self.template = template
        self.values = values or {}

    def format(self, **values):
        return format_template(self.template, {**self.values, **values})

    def invoke(self, input=None, config=None, **kw):
        text = self.format(**(input if type(input) is dict else {}))
        return PromptValue([HumanMessage(text)], text)

    async def ainvoke(self, input=None, config=None, **kw):
        return self.invoke(input)

    def partial(self, **values):
        return TextPrompt(self.template, {**self.values, **values})

    def __or__(self, other):
        return chain(self, other)


class PromptFace:
    def __call__(self, template=None, input_variables=None, partial_variables=None, **kw):
        return TextPrompt(template, partial_variables)

    def from_template(self, template, **kw):
        return TextPrompt(template)


PromptTemplate = PromptFace()


# Tools

class Tool:
    def __init__(self, function, name=None, description=None, args_schema=None, return_direct=False, response_format="content"):
        own = function_name(function)
        spec = tool_specs.get(own)
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
        return self._output(call, self.func(**args) if type(args) is dict else self.func(args))

    async def ainvoke(self, input, config=None, **kw):
        call, args = tool_input(input)
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
    return lambda function: Tool(function, name, description, args_schema, return_direct, response_format)


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
                out.append(t.invoke({**call, "type": "tool_call"}))
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
                out.append(await t.ainvoke({**call, "type": "tool_call"}))
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
