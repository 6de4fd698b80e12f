# What every module has: host calls, repairs of incoming values, exceptions.

makers = {}
classes = {}


def repair(repairs):
    for container, key, value in repairs:
        make = makers.get(value["$type"])
        if make is not None:
            container[key] = make(value)


def instance(name, fields):
    return fields


def is_method(name):
    return False


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
