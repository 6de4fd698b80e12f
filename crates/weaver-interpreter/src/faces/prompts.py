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
        given = {key: value() if is_function(value) else value for key, value in self.values.items()}
        values = {**given, **values}
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
