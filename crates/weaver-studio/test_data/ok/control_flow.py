from typing import Literal, TypedDict, Union

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt

ROUTES = {"good": "publish", "bad": "rewrite"}
NEXT = "rewrite"
Verdict = Literal["publish", "rewrite"]


class State(TypedDict):
    text: str
    tries: int


def draft(state: State) -> Command[Literal["review", "ask"]]:
    if state["tries"] > 3:
        return Command(goto="ask")
    return Command(goto="review", update={"text": "x", "tries": 1})


def ask(state: State):
    answer = interrupt({"question": "Go on?"})
    target = "draft" if answer else END
    return Command(goto=target)


def review(state: State):
    return {"tries": state["tries"] + 1}


def verdict(state: State) -> Verdict:
    return "publish"


def by_table(state: State):
    return ROUTES[state["text"]]


def by_get(state: State):
    return ROUTES.get(state["text"], "publish")


def several(state: State):
    route = NEXT
    if state["tries"]:
        route = "publish"
    return [route, "ask"]


def sends(state: State):
    out = []
    for n in range(3):
        out.append(Send("rewrite", {"text": str(n)}))
    if not out:
        return "publish"
    return out


def boolean(state: State) -> bool:
    return state["tries"] > 1


def rewrite(state: State) -> Union[Command[Literal["draft"]], dict]:
    return {"text": "again"}


def publish(state: State):
    return None


g = StateGraph(State)
g.add_sequence([("draft", draft), review])
for name, fn in [("ask", ask), ("rewrite", rewrite), ("publish", publish)]:
    g.add_node(name, fn)
g.set_conditional_entry_point(lambda s: "draft" if s["tries"] == 0 else "review")
g.add_conditional_edges("review", verdict)
g.add_conditional_edges("review", by_table)
g.add_conditional_edges("review", by_get)
g.add_conditional_edges("review", several)
g.add_conditional_edges("review", sends)
g.add_conditional_edges("rewrite", boolean, {True: "publish", False: END})
g.add_edge("publish", "__end__")
app = g.compile()
