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
    face = (provider, default_model)

    def make(model=None, model_name=None, **params):
        return ChatModel(face[0], model or model_name or face[1], params)
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
