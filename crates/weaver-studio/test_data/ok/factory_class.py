from typing import TypedDict
from langgraph.graph import StateGraph, START, END


class State(TypedDict):
    n: int


class Pipeline:
    STEPS = ["load", "clean"]

    def load(self, state: State):
        return {"n": 1}

    def clean(self, state: State):
        return {"n": state["n"] + 1}

    def build(self):
        graph = StateGraph(State)
        graph.add_node("load", self.load)
        graph.add_node("clean", self.clean)
        graph.add_edge(START, self.STEPS[0])
        graph.add_edge(self.STEPS[0], self.STEPS[1])
        graph.add_edge(self.STEPS[1], END)
        return graph.compile()


pipeline = Pipeline()
app = pipeline.build()
