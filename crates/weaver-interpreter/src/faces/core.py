# What every module has: host calls, repairs of incoming values, exceptions.
# All faces are one namespace of their own, apart from the user's.

MARK = "\x1e"
makers = {}
schemas = {}
tool_specs = {}
live_errors = []


def repair(repairs):
    for container, key, value in repairs:
        make = makers.get(value["$type"])
        if make is not None:
            container[key] = make(value)


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


# Exceptions of classes that Python does not have builtin. Such an exception
# travels as its nearest builtin base with a marked message; the compiler wraps
# `raise`, `except` and the caught name in the next four functions.

BUILTIN_ERRORS = {
    "Exception": Exception, "BaseException": BaseException, "ValueError": ValueError, "TypeError": TypeError,
    "RuntimeError": RuntimeError, "KeyError": KeyError, "IndexError": IndexError, "LookupError": LookupError,
    "ArithmeticError": ArithmeticError, "OSError": OSError, "IOError": OSError, "TimeoutError": TimeoutError,
    "ConnectionError": OSError, "PermissionError": PermissionError, "NotImplementedError": NotImplementedError,
    "AttributeError": AttributeError, "NameError": NameError, "ImportError": ImportError,
    "FileNotFoundError": FileNotFoundError, "AssertionError": AssertionError, "StopIteration": StopIteration,
}


def define_error(cls, name, bases, own, parent):
    # Makes a user's class behave as an exception class: names of bases, nearest first.
    cls._error = (name, bases)
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


class CaughtError:
    # A host's or library's exception, once caught.
    def __init__(self, text, names):
        self.args = (text,)
        self.message = text
        self.names = names

    def __str__(self):
        return self.message

    def __repr__(self):
        return self.names[0] + "(" + repr(self.message) + ")"


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
    return CaughtError(text, [name for name in names if not name.isdigit()])


def current_error():
    try:
        raise
    except BaseException as error:
        return error


class NoMatch:
    pass


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
        else:
            names.append(info[0])
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


class ErrorClass:
    # An exception class that is imported: `openai.RateLimitError`.
    def __init__(self, name, bases):
        self.name = name
        self.__name__ = name
        self._error = (name, bases)

    def __call__(self, *args):
        return make_error(ErrorInstance(self, args))


class ErrorInstance:
    def __init__(self, cls, args):
        self._error = cls._error
        self.args = args
        self.name = cls.name

    def __str__(self):
        return str(self.args[0]) if self.args else ""


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
