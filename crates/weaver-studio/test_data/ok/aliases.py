import langgraph.graph
import langgraph.types as types
import typing as t
import operator as op
import dataclasses

Graph = langgraph.graph.StateGraph
BEGIN, FINISH = langgraph.graph.START, langgraph.graph.END


@dataclasses.dataclass
class State:
    items: t.Annotated[t.List[int], op.add] = dataclasses.field(default_factory=list)
    name: str = "x"


def add(state: State) -> t.Dict[str, t.Any]:
    return {"items": [len(state.items)]}


def again(state: State) -> t.Literal["add", "__end__"]:
    return "add" if len(state.items) < 3 else FINISH


g = Graph(State)
g.add_node("add", add, retry_policy=types.RetryPolicy(3))
g.add_edge(BEGIN, "add")
g.add_conditional_edges("add", again)
app = g.compile()
