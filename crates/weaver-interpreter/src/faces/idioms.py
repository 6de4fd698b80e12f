# What the text of a file is lowered to where the interpreter has less than Python:
# names of functions, methods as values, `re.sub`, `json.dumps`, `round`.

import collections
import datetime
import re

# Functions that go by the name of another, each with that name.
renamed = []


def wraps(wrapped, *args, **kw):
    def rename(function):
        renamed.append((function, name_of(wrapped)))
        if len(renamed) > 256:
            renamed.pop(0)
        return function
    return rename


def name_of(x):
    # `__name__`, which functions here have not.
    if not is_function(x):
        return x.__name__
    for function, name in renamed:
        if function is x:
            return name
    return repr(x).split("'")[1].split(".")[-1]


OWN_TYPES = (str, bytes, list, dict, set, frozenset, tuple)
HELD_TYPES = OWN_TYPES + (int, float, collections.Counter, collections.defaultdict, collections.deque, datetime.date, datetime.datetime, datetime.timedelta, re.Pattern, re.Match)


def method_of(x, name, call):
    # A method as a value: of a type, or of a value of one.
    if hasattr(x, name):
        return getattr(x, name)
    if type(x).__name__ == "type" and x in HELD_TYPES:
        return call
    if type(x) in HELD_TYPES:
        return bound(call, x)
    return getattr(x, name)


def substitute(x, *args, **kw):
    # `re.sub` and `pattern.sub`, whose replacement may be a function.
    of_module = type(x) is type(re)
    names = ("pattern", "repl", "string", "count", "flags") if of_module else ("repl", "string", "count")
    given = {**dict(zip(names, args)), **kw}
    repl = given.get("repl")
    if type(repl) is str or not (of_module or type(x) is re.Pattern) or not is_callable(repl):
        return x.sub(*args, **kw)
    pattern = given["pattern"] if of_module else x
    if type(pattern) is str:
        pattern = re.compile(pattern, given.get("flags", 0))
    text = given["string"]
    count = given.get("count", 0)
    parts = []
    end = 0
    for match in pattern.finditer(text):
        if count and len(parts) >= 2 * count:
            break
        parts.append(text[end : match.start()])
        parts.append(repl(match))
        end = match.end()
    parts.append(text[end:])
    return "".join(parts)


def dumps(x, value, *args, default=None, **kw):
    # `json.dumps` with `default`.
    return x.dumps(jsonable(value, default), *args, **kw)


def jsonable(value, default):
    if type(value) is dict:
        return {key: jsonable(item, default) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [jsonable(item, default) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return jsonable(default(value), default)


def rounded(number, ndigits=None):
    # The interpreter rounds the decimal text of a float, Python its exact value.
    if type(number) is float and type(ndigits) is int and ndigits >= 0:
        return float(f"{number:.{ndigits}f}")
    return round(number) if ndigits is None else round(number, ndigits)
