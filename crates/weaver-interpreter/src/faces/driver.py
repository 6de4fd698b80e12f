# Waits for calls inside the interpreter; compiled once for each module.
_aw_functions = {}


def _aw_class_table():
    return _aw["classes"]


async def _aw_drive(answer):
    while True:
        name, args, kwargs, repairs, input_class = _aw_next(answer)
        answer = None
        if repairs:
            _aw["repair"](repairs)
        if input_class is not None:
            args[0] = _aw["instance"](input_class, args[0])
        function = _aw_functions.get(name)
        if function is None:
            function = eval(name)
            if _aw["is_method"](name):
                function = getattr(eval(name.split(".")[0])(), name.split(".")[1])
            _aw_functions[name] = function
        answer = function(*args, **kwargs)
        args = kwargs = repairs = None
        if type(answer) is _aw_coroutine:
            answer = await answer
