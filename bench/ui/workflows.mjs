const HEAD = `from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from agentweaver import llm


class State(TypedDict):
    text: str


def step(state: State) -> dict:
    return {}


graph = StateGraph(State)
`;

/** So many nodes, each led to from a node shortly before it, and some back. */
export function chainOf(size) {
  const name = (at) => `node_${at}`;
  const lines = ["graph.add_edge(START, \"node_0\")"];
  for (let at = 0; at < size; at += 1) {
    lines.push(`graph.add_node("${name(at)}", step)`);
    if (at > 0) lines.push(`graph.add_edge("${name(at - 1 - ((at - 1) % 3))}", "${name(at)}")`);
    if (at > 4 && at % 10 === 0) lines.push(`graph.add_edge("${name(at)}", "${name(at - 4)}")`);
  }
  return `${HEAD}${lines.join("\n")}\napp = graph.compile()\n`;
}

/** A node that sends so many tasks to another. */
export function fanOut(tasks) {
  const body = `
def share(state: State):
    return [Send("work", {"text": ""}) for _ in range(${tasks})]


graph.add_node("begin", step)
graph.add_node("work", step)
graph.add_edge(START, "begin")
graph.add_conditional_edges("begin", share, ["work"])
graph.add_edge("work", END)
app = graph.compile()
`;
  return HEAD + body;
}

/** A node that writes what a model streams. */
export function streaming() {
  const body = `
def write(state: State) -> dict:
    return {"text": llm("openai/gpt-4o-mini", "Count.").text}


graph.add_node("write", write)
graph.add_edge(START, "write")
graph.add_edge("write", END)
app = graph.compile()
`;
  return HEAD + body;
}
