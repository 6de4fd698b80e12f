# Classes of the file: what bases and decorators of methods mean here.

class StaticMethod:
    def __init__(self, function):
        self.function = function

    def __call__(self, *args, **kw):
        return self.function(*args, **kw)


class ClassMethod:
    def __init__(self, cls, function):
        self.cls = cls
        self.function = function

    def __call__(self, *args, **kw):
        return self.function(self.cls, *args, **kw)


def define_static(cls, name):
    setattr(cls, name, StaticMethod(getattr(cls, name)))


def define_class_method(cls, name):
    setattr(cls, name, ClassMethod(cls, getattr(cls, name)))


def define_property(cls, name, function=None):
    table = dict(getattr(cls, "_aw_properties", {}))
    table[name] = function or getattr(cls, name)
    cls._aw_properties = table


def property_reader(name):
    # Reads an attribute that is a property of some class of the file.
    def read(x):
        cls = x._cls if type(x) is Member else type(x)
        table = getattr(cls, "_aw_properties", None)
        if table is not None and name in table:
            return table[name](x)
        return text_property(x) if name == "text" else getattr(x, name)
    return read


def inherit(cls, base, name):
    value = getattr(base, name)
    setattr(cls, name, ClassMethod(cls, value.function) if type(value) is ClassMethod else value)
    table = getattr(base, "_aw_properties", {})
    if name in table:
        define_property(cls, name, table[name])


def builds_on(cls, wanted):
    for base in getattr(cls, "_aw_bases", ()):
        if base is wanted or builds_on(base, wanted):
            return True
    return False


class FieldInfo:
    def __init__(self, default, factory):
        self.default = default
        self.factory = factory


def Field(default=..., default_factory=None, **kw):
    return FieldInfo(default, default_factory)


def field_validator(*fields, mode="after", **kw):
    return ("field", fields, mode)


def validator(*fields, pre=False, **kw):
    return ("field", fields, "before" if pre else "after")


def model_validator(mode="after", **kw):
    return ("model", (), mode)


def graft(cls, name, own, checks, parents):
    # The class that the host made for a schema, with the methods, validators and
    # computed defaults of the file's own.
    spec = schemas[name]
    made = spec["class"]
    fields = [field[0] for field in spec["fields"]]
    for member in own:
        if member not in fields:
            setattr(made, member, getattr(cls, member))
    known = {}
    grafted = [member for member in own if member not in fields]
    spec["checks"] = []
    for parent in parents:
        for member in getattr(parent, "_aw_grafted", ()):
            if member not in grafted:
                inherit(made, parent, member)
                grafted.append(member)
        parent_spec = schemas.get(function_name(parent))
        if parent_spec is not None:
            known.update({field[0]: field for field in parent_spec["fields"]})
            spec["checks"].extend([check for check in parent_spec.get("checks", ()) if check[0] not in own])
    spec["checks"].extend(checks)
    made._aw_grafted = grafted
    made._aw_bases = parents
    spec["fields"] = [with_default(cls, field, known.get(field[0])) for field in spec["fields"]]
    return made


def with_default(cls, field, inherited):
    name, annotation, required, has_default, default = field
    if required or has_default:
        return field
    value = getattr(cls, name, inherited[4] if inherited is not None else None)
    if type(value) is FieldInfo and value.factory is None:
        value = None if value.default is ... else value.default
    return (name, annotation, False, True, value)


def adopt(cls, name):
    # A dataclass that the interpreter makes itself.
    if name in schemas:
        schemas[name]["class"] = cls


def run_check(check, cls, value, data, field):
    method, rule, parameters = check
    function = getattr(cls, method)
    if type(function) is ClassMethod:
        function = function.function
    if parameters > 2:
        return function(cls, value, Record(data=data, field_name=field, mode=rule[2], config={}, context=None))
    return function(cls, value)


async def all_of(items):
    # What `async for` goes over: an asynchronous generator is made at once.
    if type(items) is coroutine:
        items = await items
    return items
