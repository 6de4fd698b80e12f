"""What the peers' programs share: arguments, and how a figure is printed."""

import json
import sys
import time


def arguments():
    """Which section, and for how many seconds each figure is measured."""
    return sys.argv[1], float(sys.argv[2])


def note(what, value, unit):
    print(json.dumps({"what": what, "value": value, "unit": unit}), flush=True)


def for_seconds(seconds, work):
    """Calls again and again; gives the calls a second."""
    count, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        work()
        count += 1
    return count / (time.monotonic() - began)


def median_ms(count, work):
    times = []
    for _ in range(count):
        began = time.monotonic()
        work()
        times.append(time.monotonic() - began)
    return sorted(times[count // 5 :])[len(times[count // 5 :]) // 2] * 1e3


SLOTS, TASKS, TASK_SECONDS = 40, 200, 0.1
IDEAL = TASKS * TASK_SECONDS / SLOTS
