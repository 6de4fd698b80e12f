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


def runs_like_a_runnable(cls):
    cls.batch = Runnable.batch
    cls.stream = Runnable.stream
    cls.__call__ = Runnable.__call__
    cls.with_config = Runnable.with_config
    cls.with_retry = Runnable.with_retry
    cls.with_fallbacks = Runnable.with_fallbacks
    cls.__or__ = Runnable.__or__
    cls.__ror__ = Runnable.__ror__
    cls.assign = lambda self, **kw: chain(self, passthrough_assign(**kw))
    cls.pick = lambda self, keys: chain(self, pick(keys))


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


class RunnablePassthrough:
    def __init__(self, func=None, **kw):
        self.func = func

    def invoke(self, input, config=None, **kw):
        if self.func is not None:
            self.func(input)
        return input

    async def ainvoke(self, input, config=None, **kw):
        return self.invoke(input)


def passthrough_assign(*instance, **kw):
    parts = {key: runnable(step) for key, step in kw.items()}
    return Runnable(lambda input: {**input, **{key: step.invoke(input) for key, step in parts.items()}})


def pick(keys):
    if type(keys) is str:
        return Runnable(lambda input: input[keys])
    return Runnable(lambda input: {key: input[key] for key in keys if key in input})


for cls in (Runnable, Sequence, Retrying, Falling, RunnablePassthrough):
    runs_like_a_runnable(cls)
# Of the class itself it takes what it is given, as it does of an instance.
RunnablePassthrough.assign = passthrough_assign


def CommaSeparatedListOutputParser():
    return Runnable(lambda x: [part.strip() for part in (x if type(x) is str else text_of(x.content)).split(",")])


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


def PydanticToolsParser(tools=(), first_tool_only=False, **kw):
    # Captured as one: see `define_schema`.
    wanted = ([schema_name(made) for made in tools], first_tool_only)

    def parse(message):
        made = [from_fields(call["name"], call["args"]) for call in message.tool_calls if call["name"] in wanted[0]]
        return (made[0] if made else None) if wanted[1] else made
    return Runnable(parse)


def with_fields(self, **values):
    for key in values:
        setattr(self, key, values[key])


def define_retriever(cls, has_init, takes_manager):
    # A class of the file that builds on `BaseRetriever`.
    manager = {"run_manager": None} if takes_manager else {}

    def find(self, input, config=None, **kw):
        return self._get_relevant_documents(input, **manager)

    async def find_later(self, input, config=None, **kw):
        return self._get_relevant_documents(input, **manager)

    runs_like_a_runnable(cls)
    cls.invoke = find
    cls.get_relevant_documents = find
    cls.ainvoke = find_later
    if not has_init:
        cls.__init__ = with_fields
