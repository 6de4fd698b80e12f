# Classes of the file's schemas: pydantic models, dataclasses, TypedDicts, enums.

def define_schema(cls, name, kind, fields, json_schema, doc):
    # fields: (name, annotation, required, has default, default)
    cls._names = [f[0] for f in fields]
    cls._specs = fields
    cls._kind = kind
    cls.__doc__ = doc
    spec = {"class": cls, "name": name, "schema": json_schema, "doc": doc, "fields": fields, "kind": kind}
    schemas[name] = spec

    # These capture one variable only: the interpreter orders several at random,
    # and the state of a fresh module must be the same in every process.
    def validate(value, **kw):
        return from_fields(spec["name"], value)

    def validate_json(text, **kw):
        return from_fields(spec["name"], json.loads(text))

    def schema(**kw):
        return spec["schema"]

    def construct(**values):
        return spec["class"](**values)

    cls.model_validate = validate
    cls.parse_obj = validate
    cls.model_validate_json = validate_json
    cls.parse_raw = validate_json
    cls.model_json_schema = schema
    cls.schema = schema
    cls.model_construct = construct
    cls.model_fields = {f[0]: f[1] for f in fields}
    cls.__eq__ = same_fields
    cls.__repr__ = show_fields
    cls.model_dump = dump_fields
    cls.dict = dump_fields
    cls.model_dump_json = dump_json
    cls.json = dump_json
    cls.model_copy = copy_fields
    cls.copy = copy_fields


def same_fields(self, other):
    return type(self) is type(other) and fields_of(self) == fields_of(other)


def show_fields(self):
    parts = [key + "=" + repr(value) for key, value in fields_of(self).items()]
    return type(self).__name__ + "(" + ", ".join(parts) + ")"


def plain(value):
    if type(value) in (list, tuple):
        return [plain(item) for item in value]
    if type(value) is dict:
        return {key: plain(item) for key, item in value.items()}
    if hasattr(type(value), "_specs"):
        return {key: plain(item) for key, item in fields_of(value).items()}
    if isinstance(value, BaseMessage):
        return message_dict(value)
    if hasattr(type(value), "__annotations__") and not isinstance(value, (int, str, float, bool)):
        return {key: plain(item) for key, item in fields_of(value).items()}
    return value


def dump_fields(self, exclude=None, include=None, exclude_none=False, exclude_unset=False, mode="python", by_alias=False, **kw):
    out = {}
    for key, value in fields_of(self).items():
        if (exclude and key in exclude) or (include and key not in include) or (exclude_none and value is None):
            continue
        out[key] = plain(value)
    return out


def dump_json(self, indent=None, **kw):
    values = dump_fields(self, **kw)
    if indent is None:
        return json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    return json.dumps(values, indent=indent, ensure_ascii=False)


def copy_fields(self, update=None, deep=False):
    values = fields_of(self)
    values.update(update or {})
    return type(self)(**values)


def fill(self, name, args, values):
    if "_aw_probe" in values:
        return
    spec = schemas[name]
    fields = spec["fields"]
    checked = spec["kind"] == "pydantic"
    for index, value in enumerate(args):
        if index >= len(fields):
            raise TypeError(name + "() takes " + str(len(fields)) + " positional arguments but " + str(len(args)) + " were given")
        values[fields[index][0]] = value
    problems = []
    checks = spec.get("checks", ())
    for check in checks:
        if check[1][0] == "model" and check[1][2] == "before":
            try:
                values = dict(run_check(check, type(self), values, {}, None))
            except (ValueError, AssertionError) as error:
                problems.append("  Value error, " + caught_text(error))
    for field, annotation, required, has_default, default in fields:
        if field in values:
            value = values.pop(field)
            if checked:
                try:
                    value = checked_field(self, checks, "before", field, value)
                    value = coerce(annotation, value)
                    check_limits(spec["schema"], field, value)
                    value = checked_field(self, checks, "after", field, value)
                except (ValueError, TypeError, AssertionError) as error:
                    problems.extend(problems_of(field, caught_text(error)))
        elif required:
            problems.append(field + "\n  Field required [type=missing]")
            continue
        else:
            value = fresh(annotation, has_default, default)
        setattr(self, field, value)
    if values and not checked:
        raise TypeError(name + ".__init__() got an unexpected keyword argument '" + list(values)[0] + "'")
    if problems and checked:
        count = str(len(problems)) + " validation error" + ("s" if len(problems) > 1 else "")
        raise_named("ValidationError", ["ValueError"], count + " for " + name + "\n" + "\n".join(problems))
    if problems:
        missing = [p.split("\n")[0] for p in problems]
        raise TypeError(name + ".__init__() missing " + str(len(missing)) + " required positional argument" + ("s" if len(missing) > 1 else "") + ": " + " and ".join(["'" + m + "'" for m in missing]))
    for check in checks:
        if check[1][0] == "model" and check[1][2] == "after":
            try:
                getattr(self, check[0])()
            except (ValueError, AssertionError) as error:
                raise_named("ValidationError", ["ValueError"], "1 validation error for " + name + "\n  Value error, " + caught_text(error))
    for hook in ("__post_init__", "model_post_init"):
        if hasattr(self, hook):
            if hook == "__post_init__":
                self.__post_init__()
            else:
                self.model_post_init(None)


def problems_of(field, text):
    # One problem of a field, or those of the model inside it by their own places.
    lines = text.split("\n")
    if " validation error" not in lines[0]:
        return [field + "\n  " + text]
    problems = []
    for line in lines[1:]:
        if not line.startswith("  "):
            problems.append(field + "." + line)
        elif problems:
            problems[-1] += "\n" + line
        else:
            problems.append(field + "\n" + line)
    return problems


def validation_errors(self, **kw):
    # `ValidationError.errors()`: what the text says, in parts.
    found = []
    for line in str(self).split("\n")[1:]:
        if not line.startswith("  "):
            place = tuple([int(part) if part.isdigit() else part for part in line.split(".")])
            found.append({"type": "value_error", "loc": place, "msg": ""})
            continue
        if not found:
            found.append({"type": "value_error", "loc": (), "msg": ""})
        message, _, kind = line.strip().partition(" [type=")
        found[-1]["msg"] = message
        if kind:
            found[-1]["type"] = kind[:-1]
    return found


def checked_field(self, checks, mode, field, value):
    # A value as the validators of its field leave it.
    for check in checks:
        kind, names, when = check[1]
        if kind == "field" and when == mode and (field in names or "*" in names):
            data = {key: getattr(self, key) for key in type(self)._names if hasattr(self, key)}
            try:
                value = run_check(check, type(self), value, data, field)
            except (ValueError, AssertionError) as error:
                raise ValueError("Value error, " + caught_text(error))
    return value


def check_limits(schema, field, value):
    # `Field(ge=1, max_length=5)`, which the JSON Schema holds in its own words.
    known = (schema.get("properties") or {}).get(field) or {}
    if type(value) in (int, float):
        if "minimum" in known and value < known["minimum"]:
            raise ValueError("Input should be greater than or equal to " + str(known["minimum"]))
        if "exclusiveMinimum" in known and value <= known["exclusiveMinimum"]:
            raise ValueError("Input should be greater than " + str(known["exclusiveMinimum"]))
        if "maximum" in known and value > known["maximum"]:
            raise ValueError("Input should be less than or equal to " + str(known["maximum"]))
        if "exclusiveMaximum" in known and value >= known["exclusiveMaximum"]:
            raise ValueError("Input should be less than " + str(known["exclusiveMaximum"]))
    if type(value) in (str, list):
        unit = " character" if type(value) is str else " item"
        least = known.get("minLength" if type(value) is str else "minItems")
        most = known.get("maxLength" if type(value) is str else "maxItems")
        if least is not None and len(value) < least:
            raise ValueError("Value should have at least " + str(least) + unit + ("s" if least != 1 else ""))
        if most is not None and len(value) > most:
            raise ValueError("Value should have at most " + str(most) + unit + ("s" if most != 1 else ""))


def fresh(annotation, has_default, default):
    if has_default:
        if type(default) is FieldInfo:
            return default.factory()
        if type(default) is list:
            return list(default)
        if type(default) is dict:
            return dict(default)
        return default
    head = annotation.strip().split("[")[0].split(".")[-1].lower()
    if head in ("list", "sequence"):
        return []
    if head in ("dict", "mapping", "defaultdict"):
        return {}
    if head == "set":
        return set()
    return None


def split_top(text, separator):
    parts = []
    depth = 0
    start = 0
    quote = None
    for i, c in enumerate(text):
        if quote:
            if c == quote:
                quote = None
        elif c in "'\"":
            quote = c
        elif c in "[(":
            depth += 1
        elif c in "])":
            depth -= 1
        elif c == separator and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    parts.append(text[start:].strip())
    return parts


def coerce(annotation, value):
    a = annotation.strip()
    if len(a) > 1 and a[0] in "'\"" and a[-1] == a[0]:
        a = a[1:-1]
    options = split_top(a, "|")
    if len(options) > 1:
        return coerce_union(options, value)
    head, bracket, inner = a.partition("[")
    head = head.split(".")[-1]
    inner = inner[:-1] if bracket else ""
    if head == "Optional":
        return None if value is None else coerce(inner, value)
    if head == "Union":
        return coerce_union(split_top(inner, ","), value)
    if head == "Annotated":
        return coerce(split_top(inner, ",")[0], value)
    if head == "Literal":
        for option in split_top(inner, ","):
            literal = eval(option)
            if literal == value and type(literal) is type(value):
                return value
        options = split_top(inner, ",")
        raise ValueError("Input should be " + " or ".join(options))
    if a in schemas:
        if schemas[a]["kind"] == "enum":
            return enum_member(schemas[a]["class"], value)
        return value if type(value) is schemas[a]["class"] else from_fields(a, value)
    if head in ("list", "List", "Sequence"):
        if type(value) is tuple:
            value = list(value)
        if type(value) is not list:
            raise ValueError("Input should be a valid list")
        return [coerce(inner, item) for item in value] if inner else value
    if head in ("dict", "Dict"):
        if type(value) is not dict:
            raise ValueError("Input should be a valid dictionary")
        if inner:
            key, item = split_top(inner, ",")
            return {k: coerce(item, v) for k, v in value.items()}
        return value
    return coerce_plain(head, value)


def coerce_plain(head, value):
    if head == "str":
        if type(value) is not str:
            raise ValueError("Input should be a valid string")
    elif head == "int":
        if type(value) is bool:
            return int(value)
        if type(value) is float and value == int(value):
            return int(value)
        if type(value) is str:
            try:
                return int(value)
            except ValueError:
                raise ValueError("Input should be a valid integer, unable to parse string as an integer")
        if type(value) is not int:
            raise ValueError("Input should be a valid integer")
    elif head == "float":
        if type(value) in (int, bool):
            return float(value)
        if type(value) is str:
            try:
                return float(value)
            except ValueError:
                raise ValueError("Input should be a valid number, unable to parse string as a number")
        if type(value) is not float:
            raise ValueError("Input should be a valid number")
    elif head == "bool":
        if type(value) is str and value.lower() in ("true", "yes", "on", "1"):
            return True
        if type(value) is str and value.lower() in ("false", "no", "off", "0"):
            return False
        if value in (0, 1):
            return bool(value)
        raise ValueError("Input should be a valid boolean")
    elif head == "None" and value is not None:
        raise ValueError("Input should be None")
    return value


def coerce_union(options, value):
    if value is None and "None" in options:
        return None
    problem = None
    for option in options:
        if option == type(value).__name__:
            return value
    for option in options:
        if option != "None":
            try:
                return coerce(option, value)
            except (ValueError, TypeError) as error:
                problem = problem or str(error)
    raise ValueError(problem)


def from_fields(name, value):
    spec = schemas[name]
    if type(value) is spec["class"]:
        return value
    if hasattr(type(value), "_specs"):
        value = fields_of(value)
    if type(value) is not dict:
        raise_named("ValidationError", ["ValueError"], "1 validation error for " + name + "\n  Input should be a valid dictionary or instance of " + name)
    if spec["kind"] in ("typed_dict", "messages"):
        return with_members(spec, value)
    return spec["class"](**with_members(spec, value))


def instance(name, fields):
    # State for a function whose parameter is a schema; keys it does not have are left out.
    spec = schemas.get(name)
    if spec is None or type(fields) is not dict:
        return fields
    if spec["kind"] in ("typed_dict", "messages"):
        return with_members(spec, fields)
    known = {f[0]: fields[f[0]] for f in spec["fields"] if f[0] in fields}
    return spec["class"](**with_members(spec, known))


def with_members(spec, fields):
    # The state holds the values of enums; where a field says so they are members again.
    if "enums" not in spec:
        spec["enums"] = [f for f in spec["fields"] if mentions_enum(f[1])]
    if not spec["enums"]:
        return fields
    made = dict(fields)
    for f in spec["enums"]:
        if f[0] in made:
            try:
                made[f[0]] = coerce(f[1], made[f[0]])
            except (ValueError, TypeError):
                # Not validated: it stays what was written, as in Python.
                pass
    return made


def mentions_enum(annotation):
    for mark in "[],|'\"":
        annotation = annotation.replace(mark, " ")
    return any([word in schemas and schemas[word]["kind"] == "enum" for word in annotation.split()])


def make_object(value):
    name = value["class"]
    if name in schemas:
        return from_fields(name, value["fields"])
    if name in BUILTIN_ERRORS:
        return BUILTIN_ERRORS[name](*value["fields"].get("args", [])[:1])
    if name in user_classes:
        return user_classes[name](**value["fields"])
    return value["fields"]


makers["object"] = make_object
user_classes = {}


def schema_name(x):
    name = x if type(x) is str else function_name(x)
    return name if name in schemas else None


class Enum:
    pass


class StrEnum:
    pass


class IntEnum:
    pass


# What a member is beside its class, by what the class is mixed with.
MIXINS = {"": (Enum,), "str": (Enum, str), "int": (Enum, int), "StrEnum": (Enum, StrEnum, str), "IntEnum": (Enum, IntEnum, int)}


class auto:
    # A value that the class counts.
    pass


class Member:
    # A member of an Enum.
    def __init__(self, cls, name, value, mixin=""):
        self.value = value
        self.name = name
        self._cls = cls
        self._mixin = mixin

    def __eq__(self, other):
        if type(other) is Member:
            return self._cls is other._cls and self.name == other.name
        # Also of a plain Enum: the state holds values, not members.
        return self.value == other

    def __hash__(self):
        return hash(self.value)

    def __str__(self):
        return str(self.value) if self._mixin.endswith("Enum") else function_name(self._cls) + "." + self.name

    def __repr__(self):
        return "<" + function_name(self._cls) + "." + self.name + ": " + repr(self.value) + ">"

    def __add__(self, other):
        return self.value + plain_value(other)

    def __radd__(self, other):
        return other + self.value

    def __contains__(self, part):
        return plain_value(part) in self.value

    def __getitem__(self, index):
        return self.value[index]

    def __iter__(self):
        return iter(self.value)


def plain_value(x):
    return x.value if type(x) is Member else x


def member_is(member, cls):
    if type(cls) is tuple:
        return any([member_is(member, one) for one in cls])
    return cls is member._cls or cls in MIXINS[member._mixin] or cls is object


# `class Route(str, Enum)`: members have the methods of text.
Member.upper = lambda self: self.value.upper()
Member.lower = lambda self: self.value.lower()
Member.title = lambda self: self.value.title()
Member.capitalize = lambda self: self.value.capitalize()
Member.replace = lambda self, *args: self.value.replace(*args)
Member.split = lambda self, *args: self.value.split(*args)
Member.startswith = lambda self, *args: self.value.startswith(*args)
Member.endswith = lambda self, *args: self.value.endswith(*args)


def bound(method, member):
    pair = (method, member)
    return lambda *args, **kw: pair[0](pair[1], *args, **kw)


def define_enum(cls, name, members, methods=(), mixin=""):
    made = []
    for key in members:
        value = getattr(cls, key)
        if type(value) is auto:
            value = key.lower() if mixin == "StrEnum" else made[-1].value + 1 if made else 1
        member = Member(cls, key, value, mixin)
        setattr(cls, key, member)
        for method in methods:
            if not method.startswith("_"):
                setattr(member, method, bound(getattr(cls, method), member))
        made.append(member)
    cls._members = made
    cls.__members__ = {m.name: m for m in made}
    schemas[name] = {"class": cls, "kind": "enum", "schema": {"enum": [m.value for m in made], "title": name}, "doc": None, "fields": []}


def enum_member(cls, value):
    for member in cls._members:
        if member.value == value or member is value:
            return member
    raise ValueError("Input should be " + " or ".join([repr(m.value) for m in cls._members]))


def named_member(cls, name):
    for member in cls._members:
        if member.name == name:
            return member
    raise KeyError(name)


