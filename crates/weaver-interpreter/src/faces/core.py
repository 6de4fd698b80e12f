# What every module has: host calls, repairs of incoming values, exceptions.
# All faces are one namespace of their own, apart from the user's.

MARK = "\x1e"
makers = {}
schemas = {}
tool_specs = {}
named_tools = {}
live_errors = []


def repair(repairs):
    messages, others = repairs
    for container, key, kind, content, id, name, rest in messages:
        if rest is None:
            container[key] = BY_TYPE[kind](content, id, name)
        else:
            container[key] = BY_TYPE[kind](content, id, name, **rest)
    for container, key, value in others:
        make = makers.get(value["$type"])
        if make is not None:
            container[key] = make(value)


kept = {}


def keep(changes):
    # Parts of the state that earlier calls were given: kept.rs.
    forget, uses = changes
    if forget:
        kept.clear()
    for container, key, slot, what, box in uses:
        if what == "keep":
            kept[slot] = box[0]
        elif what == "more":
            value = kept[slot]
            if type(value) is list:
                value.extend(box[0])
            else:
                value.update(box[0])
        container[key] = kept[slot]


def host(name, args, kwargs):
    box, repairs = _aw_host(name, args, kwargs)
    if repairs:
        repair(repairs)
    return box[0]


async def host_async(name, args, kwargs):
    box, repairs = await _aw_async(name, args, kwargs)
    if repairs:
        repair(repairs)
    return box[0]


def function_name(function):
    if hasattr(function, "name"):
        return function.name
    if hasattr(function, "__name__"):
        return function.__name__
    parts = repr(function).split("'")
    return parts[1] if len(parts) > 1 else "function"


def is_function(x):
    return repr(x).startswith("<function") or repr(x).startswith("<bound method")


def calls(x, *args, **kwargs):
    # Calls a function or anything with `invoke`.
    if hasattr(x, "invoke"):
        return x.invoke(*args, **kwargs)
    return x(*args, **kwargs)


def fields_of(x):
    # An instance's own attributes, as far as its class says them.
    names = getattr(type(x), "_names", None)
    if names is None:
        names = list(getattr(type(x), "__annotations__", {}))
    return {name: getattr(x, name) for name in names if hasattr(x, name)}


# Exceptions of classes that the interpreter does not have builtin. Such an
# exception travels as its nearest builtin base with a marked message; the compiler
# wraps `raise`, `except` and the caught name in `raised`, `catches` and `caught`.
# `LACKING_ERRORS`, class to base, comes from names.rs.

BUILTIN_ERRORS = {
    "Exception": Exception, "BaseException": BaseException, "ValueError": ValueError, "TypeError": TypeError,
    "RuntimeError": RuntimeError, "KeyError": KeyError, "IndexError": IndexError, "LookupError": LookupError,
    "ArithmeticError": ArithmeticError, "OSError": OSError, "TimeoutError": TimeoutError,
    "PermissionError": PermissionError, "NotImplementedError": NotImplementedError, "RecursionError": RecursionError,
    "AttributeError": AttributeError, "NameError": NameError, "ImportError": ImportError,
    "ModuleNotFoundError": ModuleNotFoundError, "FileNotFoundError": FileNotFoundError,
    "FileExistsError": FileExistsError, "IsADirectoryError": IsADirectoryError, "NotADirectoryError": NotADirectoryError,
    "AssertionError": AssertionError, "StopIteration": StopIteration, "ZeroDivisionError": ZeroDivisionError,
    "OverflowError": OverflowError, "SyntaxError": SyntaxError, "MemoryError": MemoryError,
    "UnboundLocalError": UnboundLocalError, "UnicodeDecodeError": UnicodeDecodeError, "UnicodeEncodeError": UnicodeEncodeError,
    "KeyboardInterrupt": KeyboardInterrupt, "SystemExit": SystemExit,
}
UNICODE_ERRORS = (UnicodeDecodeError, UnicodeEncodeError)
error_classes = {}
made_errors = {}


def error_class(name, bases=()):
    # A class that no file defines: builtin in Python but not here, or a library's.
    if name in BUILTIN_ERRORS:
        return BUILTIN_ERRORS[name]
    if name in ("IOError", "EnvironmentError"):
        return OSError
    if name not in error_classes:
        made = {}
        exec("class " + name + ":\n    pass\n", made)
        define_error(made[name], name, list(bases), [], None)
        if name == "ValidationError":
            made[name].errors = validation_errors
            made[name].error_count = lambda self: len(validation_errors(self))
        error_classes[name] = made[name]
    return error_classes[name]


def error_bases(name, bases):
    # With the bases of the bases, as far as they are Python's own.
    out = [base for base in bases if base != name]
    for base in [name] + list(out):
        while base in LACKING_ERRORS:
            base = LACKING_ERRORS[base]
            if base not in out:
                out.append(base)
    return out


def define_error(cls, name, bases, own, parent):
    # Makes a user's class behave as an exception class: names of bases, nearest first.
    cls._error = (name, error_bases(name, bases))
    for method in ("__init__", "__str__", "__repr__"):
        if method in own:
            continue
        if parent is not None and hasattr(parent, method) and error_info(parent) is not None:
            setattr(cls, method, getattr(parent, method))
        elif method == "__init__":
            cls.__init__ = plain_error_init
        elif method == "__str__":
            cls.__str__ = plain_error_str
        else:
            cls.__repr__ = plain_error_repr


def plain_error_init(self, *args, **kw):
    self.args = args


def plain_error_str(self):
    args = getattr(self, "args", ())
    return str(args[0]) if len(args) == 1 else (str(args) if args else "")


def plain_error_repr(self):
    args = getattr(self, "args", ())
    return type(self).__name__ + "(" + ", ".join([repr(a) for a in args]) + ")"


def super_init(self, *args, **kw):
    # `super().__init__(...)` of an exception class.
    self.args = args


def error_info(cls):
    return getattr(cls, "_error", None)


def make_error(instance):
    info = error_info(type(instance))
    if info is None:
        return instance
    name, bases = info
    carrier = Exception
    for base in bases:
        if base in BUILTIN_ERRORS:
            carrier = BUILTIN_ERRORS[base]
            break
    live_errors.append(instance)
    if len(live_errors) > 64:
        live_errors.pop(0)
    instance._number = getattr(live_errors[-2], "_number", 0) + 1 if len(live_errors) > 1 else 1
    names = [name] + [base for base in bases if base not in BUILTIN_ERRORS] + [str(instance._number)]
    return carrier(MARK + ",".join(names) + MARK + str(instance))


def raised(x):
    # `raise x`: an instance or a class.
    if error_info(x) is not None and type(x).__name__ == "type":
        return make_error(x())
    return make_error(x)


def error_maker(cls):
    # A builtin class that is called with more than the interpreter takes.
    def make(*args):
        if len(args) == 0 or len(args) == 1 and type(args[0]) is str:
            return cls(*args)
        name = [name for name in BUILTIN_ERRORS if BUILTIN_ERRORS[name] is cls][0]
        if name not in made_errors:
            made = {}
            exec("class " + name + ":\n    pass\n", made)
            define_error(made[name], name, [], [], None)
            # It is caught as itself.
            made[name]._error = (name, [name])
            if name == "KeyError":
                made[name].__str__ = key_error_str
            made_errors[name] = made[name]
        return made_errors[name](*args)
    return make


def key_error_str(self):
    return repr(self.args[0]) if len(self.args) == 1 else str(self.args)


def caught(error):
    # The caught name: the user's own instance where there is one.
    text = error.args[0] if isinstance(error, BaseException) and error.args else None
    if type(text) is not str or not text.startswith(MARK):
        return error
    head, text = text[1:].split(MARK, 1)
    names = head.split(",")
    for instance in reversed(live_errors):
        if str(getattr(instance, "_number", "")) == names[-1] and type(instance).__name__ == names[0]:
            return instance
    names = [name for name in names if not name.isdigit()]
    return error_class(names[0], names[1:] + [type(error).__name__])(text)


def current_error():
    try:
        raise
    except BaseException as error:
        return error


def catches(wanted):
    # The class expression of an `except`: builtin classes as they are; one of
    # the user's stands for the current exception's class when it matches.
    group = wanted if type(wanted) is tuple else (wanted,)
    plain = []
    names = []
    for cls in group:
        info = error_info(cls)
        if info is None:
            plain.append(cls)
            continue
        names.append(info[0])
        if info[0] == "UnicodeError":
            plain.extend(UNICODE_ERRORS)
    if not names:
        return wanted
    error = current_error()
    text = error.args[0] if error.args else None
    if type(text) is str and text.startswith(MARK):
        head = text[1:].split(MARK, 1)[0].split(",")
        for name in names:
            if name in head:
                # Not `type(error)`: the interpreter refuses that as a class to catch.
                return BUILTIN_ERRORS.get(type(error).__name__, Exception)
    if plain:
        return tuple(plain)
    return SystemExit if not isinstance(error, SystemExit) else KeyboardInterrupt


def is_instance(x, classes):
    # `isinstance` that knows the exceptions which are none to the interpreter.
    if type(x) is Member:
        return member_is(x, classes)
    info = error_info(type(x))
    if info is None:
        if type(classes) is not tuple and error_info(classes) is None:
            return isinstance(x, classes) or builds_on(type(x), classes)
        if isinstance(x, UNICODE_ERRORS):
            info = (type(x).__name__, ["UnicodeError", "ValueError"])
    for cls in classes if type(classes) is tuple else (classes,):
        wanted = error_info(cls)
        if type(cls) is tuple:
            if is_instance(x, cls):
                return True
        elif wanted is not None:
            if info is not None and (wanted[0] == info[0] or wanted[0] in info[1]):
                return True
        elif info is not None and type(cls).__name__ == "type" and error_is_a(info, cls):
            return True
        elif isinstance(x, cls) or builds_on(type(x), cls):
            return True
    return False


def error_is_a(info, cls):
    # Whether an exception of such a class would be caught as one of a builtin class.
    if cls is object or cls is BaseException:
        return True
    for base in info[1]:
        if base in BUILTIN_ERRORS and isinstance(BUILTIN_ERRORS[base](), cls):
            return True
    return cls is Exception and "BaseException" not in info[1]


def make_exception(value):
    # A failure as a handler or a `retry_on` sees it: the user's own instance where it lives.
    name, text = value["class"], value.get("message", "")
    for instance in reversed(live_errors):
        if type(instance).__name__ == name and str(instance) == text:
            return instance
    return error_class(name, value.get("bases", []))(text)


class NodeError:
    def __init__(self, node, error):
        self.node = node
        self.error = error

    def __repr__(self):
        return "NodeError(node=" + repr(self.node) + ", error=" + repr(self.error) + ")"


makers["exception"] = make_exception
makers["node_error"] = lambda v: NodeError(v["node"], v["error"])


def raise_named(name, bases, text):
    carrier = BUILTIN_ERRORS.get(bases[0], Exception) if bases else Exception
    raise carrier(MARK + name + MARK + text)


def delete(container, key):
    # `del container[key]`
    if type(container) is list:
        container.pop(key)
    elif type(container) is dict:
        container.pop(key)
    else:
        container.__delitem__(key)


def is_method(name):
    return "." in name
