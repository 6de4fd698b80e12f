from typing import Annotated, TypedDict
from operator import add
from pydantic import BaseModel, Field
from langgraph.graph import START, END, StateGraph
from agentweaver import nodes

MODEL = "ollama/llama3.2"


class Verdict(BaseModel):
    good: bool
    reason: str = Field(description="Why")


class State(TypedDict):
    question: str
    rows: list
    verdict: dict
    item: str
    log: Annotated[list[str], add]
    answer: str
    approved: dict


g = StateGraph(State)
g.add_node("ask", nodes.user_input(message="What do you want to know?", fields={"question": "str"}))
g.add_node("sort", nodes.intent(
    model=MODEL,
    text="{{ question }}",
    intents={"data": {"description": "asks for numbers", "goto": "query"}, "chat": "small talk"},
    fallback="chat",
))
g.add_node("query", nodes.database(path="data.db", query="select * from t where name = :name", params={"name": "{{ question }}"}, into="rows"))
g.add_node("compute", nodes.code(code="result = {'answer': str(len(rows))}", inputs={"rows": "rows"}, cpu_seconds=1))
g.add_node("save", nodes.file(op="write", path="out/{{ question }}.txt", content="{{ answer }}"))
g.add_node("judge", nodes.llm(model=MODEL, prompt="Is {{ answer }} good?", output_schema=Verdict, into="verdict", temperature=0))
g.add_node("decide", nodes.condition(rules=[{"if": "verdict.good", "goto": "each"}, {"if": "rows | length == 0", "goto": "chat"}], default="person"))
g.add_node("each", nodes.loop(body="fan", exit="remember", items="rows", item_key="item", limit=5))
g.add_node("fan", nodes.parallel(branches=["left", ["right", "right2"]], then="each", join="all"))
g.add_node("left", nodes.http(url="https://example.com/{{ item }}", method="POST", json={"q": "{{ item }}"}, timeout=5, allow_status=[404], into="log"))
g.add_node("right", nodes.code(code="result = {'log': ['r']}"))
g.add_node("right2", nodes.code(code="result = {'log': ['r2']}"))
g.add_node("person", nodes.wait(message="Please look at {{ answer }}", form={"ok": "bool"}, deadline=3600, on_timeout="remember", into="approved"))
g.add_node("remember", nodes.store(op="put", namespace=["answers", "{{ question }}"], key="last", value="{{ answer }}"))
g.add_node("chat", nodes.llm(model=MODEL, system="Be kind.", prompt="{{ question }}", into="answer"))
g.add_node("reply", nodes.response(text="{{ answer }}"))
g.add_edge(START, "ask")
g.add_edge("ask", "sort")
g.add_edge("query", "compute")
g.add_edge("compute", "save")
g.add_edge("save", "judge")
g.add_edge("judge", "decide")
g.add_edge("person", "remember")
g.add_edge("remember", "reply")
g.add_edge("chat", "reply")
g.add_edge("reply", END)
app = g.compile()
