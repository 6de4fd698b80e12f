# Imports a workflow file and runs its functions, one at a time. Lines of JSON come on
# standard input and go on what was standard output; what the file prints goes with them.

import ast
import asyncio
import inspect
import io
import json
import queue
import threading
import traceback

PROTOCOL_IN = os.fdopen(os.dup(0), encoding="utf-8")
PROTOCOL_OUT = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
# What compiled code prints past Python ends in the worker's log.
os.dup2(2, 1)
# Who asks for input has none.
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
LOCK = threading.RLock()


LINES = queue.Queue()


def listen():
    for line in PROTOCOL_IN:
        LINES.put(json.loads(line))
    # Whoever wanted the results is gone: nothing more may happen in their name.
    os._exit(1)


class Waiting(BaseException):
    # Leaves the function at an `interrupt()` without an answer.
    def __init__(self, value):
        self.value = value


class State:
    answers, results, asked, called = [], [], 0, 0


def tell(line):
    text = json.dumps(line, ensure_ascii=True, allow_nan=False) + "\n"
    with LOCK:
        try:
            PROTOCOL_OUT.write(text)
            PROTOCOL_OUT.flush()
        except BrokenPipeError:
            os._exit(1)


class Printed(io.TextIOBase):
    def __init__(self):
        self.rest = ""

    def writable(self):
        return True

    def write(self, text):
        with LOCK:
            *lines, self.rest = (self.rest + text).split("\n")
            for line in lines:
                tell({"print": line + "\n"})
        return len(text)

    def end(self):
        if self.rest:
            tell({"print": self.rest})
            self.rest = ""


def call_server(what, /, **kwargs):
    with LOCK:
        ordinal, State.called = State.called, State.called + 1
        if ordinal < len(State.results):
            answer = State.results[ordinal]
        else:
            tell({"call": {"ordinal": ordinal, "name": what, "kwargs": encode(kwargs, what)}})
            answer = LINES.get()
    if "raised" in answer:
        raise decode_exception({"class": answer["raised"]["class"], "message": answer["raised"]["message"]})
    return decode(answer["returned"])


def interrupt(value):
    place, State.asked = State.asked, State.asked + 1
    if place < len(State.answers):
        return decode(State.answers[place])
    raise Waiting(value)


def load(path, text):
    sys.argv = [path]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    module = types.ModuleType("__workflow__")
    module.__file__ = path
    sys.modules["__workflow__"] = module
    exec(compile(text, path, "exec"), module.__dict__)
    return module


def find_function(module, text, name):
    if name.startswith("lambda@"):
        line, column = map(int, name[len("lambda@"):].split(":"))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Lambda) and node.lineno == line and node.col_offset + 1 == column:
                expression = ast.fix_missing_locations(ast.Expression(node))
                return eval(compile(expression, module.__file__, "eval"), module.__dict__)
        raise LookupError(f"there is no lambda at line {line}, column {column}")
    found = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise LookupError(f"the file has no `{name}` that can be reached from its module") from None
    return found if callable(found) else found.invoke


def run(module, text, task):
    State.answers, State.results = task.get("answers", []), task.get("made", {}).get("results", [])
    State.asked = State.called = 0
    function = find_function(module, text, task["function"])
    args, kwargs = decode(task["args"]), decode(task.get("kwargs", {}))
    wanted = task.get("input_class")
    cls = find_class(wanted) if wanted else None
    if cls is not None and args and isinstance(args[0], dict):
        args[0] = cls(**args[0])
    value = function(*args, **kwargs)
    if inspect.isawaitable(value):
        value = asyncio.run(awaited(value))
    return encode(value, f"what `{task['function']}` returned")


async def awaited(value):
    return await value


def failure(error, path):
    cls = type(error)
    bases = [b.__name__ for b in cls.__mro__[1:] if b not in (Exception, BaseException, object)]
    own = os.path.abspath(path)
    frames = [
        {"line": frame.lineno, "function": frame.name}
        for frame in traceback.extract_tb(error.__traceback__)
        if os.path.abspath(frame.filename) == own
    ]
    message = str(error)
    return {"class": cls.__name__, "bases": bases, "message": message, "frames": frames}


def main(path):
    global find_class
    threading.Thread(target=listen, daemon=True).start()
    install()
    sys.stdout = Printed()
    text = LINES.get()
    try:
        module = load(path, text)
    except BaseException as error:
        import_failed = failure(error, path)
        sys.stdout.end()
        return tell({"broken": import_failed})
    find_class = lambda name: getattr(module, name, None)
    sys.stdout.end()
    tell({"ready": None})
    while True:
        task = LINES.get()
        try:
            outcome = {"returned": run(module, text, task)}
        except Waiting as waiting:
            outcome = {"asked": encode(waiting.value, "the question")}
        except NotData as error:
            outcome = {"failed": {**failure(error, path), "class": "TypeError", "code": "not_data"}}
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            outcome = {"failed": failure(error, path)}
        sys.stdout.end()
        tell(outcome)


main(sys.argv[1])
