from langgraph.graph import StateGraph, MessagesState, START
from agentweaver import nodes

g = StateGraph(MessagesState)
g.add_node("a", nodes.llm(modle="claude", prompt="x", temperature="hot", into="mesages"))
g.add_node("b", nodes.lllm(model="claude"))
g.add_node("c", nodes.http(method="FETCH"))
g.add_node("d", nodes.condition(rules=[{"if": "x"}], default="nowhere"))
g.add_node("e", nodes.loop(body="a"))
g.add_node("f", nodes.webhook(path="/x"))
g.add_node("h", nodes.llm("claude", "prompt"))
g.add_node("i", nodes.file(op="write", path="x"))
g.add_node("j", nodes.store(op="get", namespace="answers"))
g.add_node("k", nodes.llm(model="m", prompt=unknown_call(), into="messages"))
g.add_edge(START, "a")
app = g.compile()
