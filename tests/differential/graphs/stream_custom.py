"""Custom streams: the writer parameter, the runtime's writer, get_stream_writer, in order."""

from typing import TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import StreamWriter


class State(TypedDict):
    n: int


def by_parameter(state: State, writer: StreamWriter):
    for i in range(3):
        writer({"progress": i})
    return {"n": 1}


def by_runtime(state: State, runtime: Runtime):
    runtime.stream_writer("half way")
    runtime.stream_writer(None)
    runtime.stream_writer([1, 2.5, {"x": True}])
    return {"n": 2}


def by_function(state: State):
    write = get_stream_writer()
    write("last words")


g = StateGraph(State).add_sequence([by_parameter, by_runtime, by_function])
g.add_edge(START, "by_parameter")
app = g.compile()
