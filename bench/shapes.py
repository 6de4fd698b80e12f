"""The shapes that are measured: a graph file, an input, and how often it is invoked."""

import dataclasses
import json
import pathlib

HERE = pathlib.Path(__file__).parent
GENERATED = HERE / "results" / "graphs"


@dataclasses.dataclass
class Shape:
    """One thing to measure.

    `invokes` counts invokes of one measurement. With `one_thread` they follow each
    other on one thread (a chat); else each has a thread of its own.
    """

    name: str
    file: pathlib.Path
    input: dict
    invokes: int = 1
    one_thread: bool = False


def shapes():
    """All shapes, small ones first. Writes the graph files that are generated."""
    words = {f"entry {i}": "some text of a usual length" for i in range(600)}
    wide = {f"k{key}": words for key in range(15)} | {"round": 0}
    user_turn = "what about this? ".ljust(450, ".")
    return [
        *(Shape(f"sequential_{n}", sequential(n), {"n": 0}) for n in (10, 100, 1000)),
        Shape("loop_1000", HERE / "graphs" / "loop.py", {"n": 0, "limit": 1000}),
        *(
            Shape(f"fanout_{n}", HERE / "graphs" / "fanout.py", {"subjects": [f"subject {i}" for i in range(n)]})
            for n in (10, 100)
        ),
        Shape("sends_1000", HERE / "graphs" / "sends.py", {"count": 1000}),
        Shape("wide_15x600", HERE / "graphs" / "wide.py", wide),
        Shape("react_100", HERE / "graphs" / "react.py", {"messages": [{"role": "user", "content": "double them all"}]}),
        Shape(
            "chat_200",
            HERE / "graphs" / "chat.py",
            {"messages": [{"role": "user", "content": user_turn}]},
            invokes=200,
            one_thread=True,
        ),
    ]


def input_file(shape):
    """The input as a file, for command lines that would be too long."""
    path = GENERATED / f"{shape.name}.input.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(shape.input))
    return path


def sequential(count):
    """A file with `count` nodes in a row, each written out as a person would."""
    lines = [
        f'"""Bench shape: {count} nodes in a row."""',
        "",
        "from typing import TypedDict",
        "",
        "from langgraph.graph import END, START, StateGraph",
        "",
        "",
        "class State(TypedDict):",
        "    n: int",
        "",
        "",
        "def step(state: State):",
        '    return {"n": state["n"] + 1}',
        "",
        "",
        "graph = StateGraph(State)",
        *(f'graph.add_node("node_{i}", step)' for i in range(count)),
        'graph.add_edge(START, "node_0")',
        *(f'graph.add_edge("node_{i}", "node_{i + 1}")' for i in range(count - 1)),
        f'graph.add_edge("node_{count - 1}", END)',
        "app = graph.compile()",
        "",
    ]
    path = GENERATED / f"sequential_{count}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
    return path
