"""Times LangGraph on the shapes; prints one JSON line per case.

    python measure.py [--saver none|memory|sqlite]... [SHAPE...]

    {"shape", "saver", "supersteps", "seconds", "us_per_superstep", "bytes"}

`seconds` is the median of several measurements of all invokes of the shape; building the
graph and opening the database are not in it. `supersteps` counts those of subgraphs too.
`bytes` is what is on disk afterwards, with the write-ahead log.
"""

import argparse
import importlib.util
import json
import pathlib
import sqlite3
import statistics
import sys
import tempfile
import time

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from shapes import shapes  # noqa: E402

SAVERS = ["none", "memory", "sqlite"]
SECONDS_PER_CASE = 2.0
MEASUREMENTS_MAX = 20
RECURSION_LIMIT = 1_000_000


def main():
    parser = argparse.ArgumentParser(description="time LangGraph on the bench shapes")
    parser.add_argument("--saver", action="append", choices=SAVERS, help="all by default")
    parser.add_argument("shapes", nargs="*", help="shape names; all by default")
    options = parser.parse_args()
    for shape in shapes():
        if options.shapes and shape.name not in options.shapes:
            continue
        for saver in options.saver or SAVERS:
            print(json.dumps(case(shape, saver)), flush=True)


def case(shape, saver):
    """Measures one shape with one saver."""
    app = load(shape.file)
    supersteps = count_supersteps(app, shape)
    times, size = [], 0
    while len(times) < MEASUREMENTS_MAX and sum(times) < SECONDS_PER_CASE:
        seconds, size = measure(app, shape, saver)
        times.append(seconds)
    seconds = statistics.median(times)
    return {
        "shape": shape.name,
        "saver": saver,
        "supersteps": supersteps,
        "seconds": round(seconds, 6),
        "us_per_superstep": round(seconds / supersteps * 1e6, 2),
        "bytes": size,
    }


def measure(app, shape, saver):
    """Seconds of all invokes on a fresh saver, and the bytes that it leaves on disk."""
    if saver != "sqlite":
        app.checkpointer = InMemorySaver() if saver == "memory" else None
        return invoke_all(app, shape, saver), 0
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "checkpoints.sqlite"
        connection = sqlite3.connect(path, check_same_thread=False)
        app.checkpointer = SqliteSaver(connection)
        app.checkpointer.setup()
        seconds = invoke_all(app, shape, saver)
        size = sum(file.stat().st_size for file in pathlib.Path(directory).iterdir())
        connection.close()
        return seconds, size


def invoke_all(app, shape, saver):
    config = {"recursion_limit": RECURSION_LIMIT}
    state = None
    started = time.perf_counter()
    for number in range(shape.invokes):
        thread = "one" if shape.one_thread else f"thread-{number}"
        if saver == "none" and shape.one_thread and state is not None:
            # Without a saver the caller carries the conversation along.
            given = {"messages": state["messages"] + shape.input["messages"]}
        else:
            given = shape.input
        state = app.invoke(given, config | {"configurable": {"thread_id": thread}})
    return time.perf_counter() - started


def count_supersteps(app, shape):
    """Checkpoints of node steps in all namespaces; the run also warms up."""
    saver = app.checkpointer = InMemorySaver()
    invoke_all(app, shape, "memory")
    steps = [item for item in saver.list(None) if item.metadata["source"] == "loop"]
    starts = [item for item in saver.list(None) if item.metadata["source"] == "input"]
    # Each run has one loop checkpoint for the hidden START task.
    return max(1, len(steps) - len(starts))


def load(path):
    spec = importlib.util.spec_from_file_location(f"bench_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.app


if __name__ == "__main__":
    main()
