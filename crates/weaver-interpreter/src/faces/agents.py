# Prebuilt agents: what the nodes of their graphs run.

def state_key(state, key):
    return state.get(key) if type(state) is dict else getattr(state, key, None)


def agent_messages(state, prompt, whole=False):
    # What the model is asked: what a hook left for it, else all messages.
    messages = None if whole else state_key(state, "llm_input_messages")
    messages = list(messages or state_key(state, "messages") or [])
    if prompt is None:
        return messages
    return [SystemMessage(prompt) if type(prompt) is str else prompt] + messages


async def agent_turn(model, messages, name, schema):
    if type(messages) is coroutine:
        messages = await messages
    if type(model) is coroutine:
        model = await model
    update = {}
    if schema is None:
        answer = model.invoke(messages)
    else:
        out = model.with_structured_output(schema, include_raw=True).invoke(messages)
        answer = out["raw"]
        if not answer.tool_calls:
            if out["parsing_error"] is not None:
                raise_named("StructuredOutputValidationError", ["ValueError"], out["parsing_error"])
            update["structured_response"] = out["parsed"]
    if name is not None:
        answer.name = name
    update["messages"] = [answer]
    return update


def agent_after_tools(state, direct, all_of_them, entry):
    # Tools with `return_direct` end the run: one of the last turn's calls, or all of them.
    messages = state_key(state, "messages")
    asked = [m for m in messages if isinstance(m, AIMessage)]
    called = [call["name"] in direct for call in asked[-1].tool_calls] if asked else []
    ends = (called and False not in called) if all_of_them else True in called
    return "__end__" if ends else entry


class ToolsOrFallbacks:
    # A node of tools; when a call fails, the first handler that does not.
    def __init__(self, tools, fallbacks, key):
        self.node = ToolNode(tools, handle_tool_errors=False)
        self.fallbacks = fallbacks
        self.key = key

    async def __call__(self, state):
        try:
            return await self.node.ainvoke(state)
        except Exception as error:
            problem = caught(error)
        given = state if self.key is None else {**state, self.key: problem}
        for handler in self.fallbacks:
            try:
                update = calls(handler, given)
                return await update if type(update) is coroutine else update
            except Exception as error:
                problem = error
        raise problem
