# Waits for calls inside the interpreter; compiled once for each module. `eval` sees
# the names of this function first, so none of them may be a name of the user's file.
_aw_functions = {}


def _aw_class_table():
    return _aw["classes"]


async def _aw_drive(_aw_answer):
    while True:
        _aw_name, _aw_args, _aw_kwargs, _aw_repairs, _aw_class, _aw_changes = _aw_next(_aw_answer)
        _aw_answer = None
        if _aw_repairs:
            _aw["repair"](_aw_repairs)
        if _aw_changes is not None:
            _aw["keep"](_aw_changes)
        if _aw_class is not None:
            _aw_args[0] = _aw["instance"](_aw_class, _aw_args[0])
        _aw_function = _aw_functions.get(_aw_name)
        if _aw_function is None:
            _aw_function = eval(_aw_name)
            if _aw["is_method"](_aw_name):
                _aw_function = getattr(eval(_aw_name.split(".")[0])(), _aw_name.split(".")[1])
            _aw_functions[_aw_name] = _aw_function
        _aw_answer = _aw_function(*_aw_args, **_aw_kwargs)
        _aw_args = _aw_kwargs = _aw_repairs = _aw_changes = None
        if type(_aw_answer) is _aw_coroutine:
            _aw_answer = await _aw_answer
