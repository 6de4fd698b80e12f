"""Typed nodes inside of real langgraph graphs."""

import json
import sqlite3
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from operator import add
from pathlib import Path
from threading import Thread
from typing import Annotated, Any, TypedDict

import pytest
from agentweaver import PlatformRequired, SettingError, ToolError, nodes
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command


class State(TypedDict, total=False):
    question: str
    score: int
    result: Any
    where: str


def run(node: nodes.Node, state: dict[str, Any], **compile_options: Any) -> dict[str, Any]:
    """The state after a graph of just this node."""
    graph: Any = StateGraph(State)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    after: dict[str, Any] = graph.compile(**compile_options).invoke(state)
    return after


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTWEAVER_MODEL", "scripted")
    return tmp_path


@pytest.fixture
def page() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.startswith("/json")
            self.answer(200 if known else 404, "application/json", json.dumps({"path": self.path}))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self.answer(200, "text/plain", f"POST {body}")

        def answer(self, status: int, kind: str, text: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_llm_fills_its_prompt_from_the_state() -> None:
    node = nodes.llm(model="m", prompt="About {{ question }}?", into="result")
    assert run(node, {"question": "tea"})["result"].endswith("About tea?")


def test_an_unknown_name_in_a_prompt_is_an_error() -> None:
    with pytest.raises(Exception, match="qestion"):
        run(nodes.llm(model="m", prompt="{{ qestion }}", into="result"), {"question": "tea"})
    text = "{% if where %}{{ where }}{% else %}nowhere{% endif %}"
    asking = nodes.response(text=text, into="result")
    assert run(asking, {"question": "tea"})["result"] == "nowhere"


def test_llm_sends_messages_and_adds_its_answer() -> None:
    graph: Any = StateGraph(MessagesState)
    graph.add_node("talk", nodes.llm(model="m", messages_key="messages", into="messages"))
    graph.add_edge(START, "talk")
    messages = graph.compile().invoke({"messages": [("user", "hello")]})["messages"]
    assert [message.type for message in messages] == ["human", "ai"]
    assert messages[-1].content.endswith("hello")


def test_settings_that_do_not_fit_are_refused_when_the_file_is_loaded() -> None:
    with pytest.raises(SettingError, match="prompt"):
        nodes.llm(model="m")
    with pytest.raises(SettingError, match="key"):
        nodes.store(op="get", namespace=["a"])


@pytest.mark.parametrize(("score", "where"), [(9, "high"), (5, "middle"), (1, "low")])
def test_condition_takes_the_first_rule_that_holds(score: int, where: str) -> None:
    graph: Any = StateGraph(State)
    rules = [{"if": "score > 7", "goto": "high"}, {"if": "score > 3", "goto": "middle"}]
    graph.add_node("decide", nodes.condition(rules=rules, default="low"))
    for name in ("high", "middle", "low"):
        graph.add_node(name, lambda state, name=name: {"where": name})
        graph.add_edge(name, END)
    graph.add_edge(START, "decide")
    assert graph.compile().invoke({"score": score})["where"] == where


def test_intent_goes_where_the_model_says_and_else_to_the_fallback(workspace: Path) -> None:
    script = workspace / "s.json"
    rule = {"when": {"user": "money", "schema": "intent"}, "json": {"intent": "refund"}}
    script.write_text(json.dumps({"rules": [rule], "default": {"json": {"intent": "none"}}}))
    node = nodes.intent(
        model=f"scripted:{script}",
        text="{{ question }}",
        intents=[{"name": "refund", "description": "wants money back", "goto": "pay"}],
        fallback="human",
        into="result",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AGENTWEAVER_MODEL")
        assert node({"question": "my money"}) == Command(goto="pay", update={"result": "refund"})
        assert node({"question": "hello"}) == Command(goto="human", update={"result": "none"})


@pytest.mark.parametrize(
    "intents",
    [
        {"pay": "wants money back"},
        {"pay": {"description": "wants money back"}},
        {"pay": {"description": "wants money back", "goto": "pay"}},
    ],
)
def test_every_way_to_write_intents(intents: Any) -> None:
    assert nodes._routes(intents) == {"pay": ("wants money back", "pay")}


@pytest.mark.parametrize(
    "settings",
    [{"items": "question.split(' ')", "item_key": "where"}, {"while_": "score < 3"}],
)
def test_a_loop_repeats_its_body(settings: dict[str, Any]) -> None:
    class Count(TypedDict, total=False):
        question: str
        score: int
        where: str
        round: int | None
        seen: Annotated[list[str], add]

    graph: Any = StateGraph(Count)
    graph.add_node("loop", nodes.loop(body="body", index_key="round", **settings))
    graph.add_node("body", lambda s: {"score": s["score"] + 1, "seen": [s.get("where", "-")]})
    graph.add_edge(START, "loop")
    graph.add_edge("body", "loop")
    after = graph.compile().invoke({"question": "a b c", "score": 0})
    assert (after["score"], after["round"]) == (3, None)
    assert after["seen"] == (["a", "b", "c"] if "items" in settings else ["-"] * 3)


def test_a_loop_ends_at_its_limit() -> None:
    node = nodes.loop(body="body", exit="done", while_="true", index_key="score", limit=2)
    assert node({}) == Command(goto="body", update={"score": 0})
    assert node({"score": 0}) == Command(goto="body", update={"score": 1})
    assert node({"score": 1}) == Command(goto="done", update={"score": None})


def test_files_stay_below_the_current_directory(workspace: Path) -> None:
    run(nodes.file(op="write", path="a/{{ question }}.txt", content="one\n"), {"question": "q"})
    run(nodes.file(op="append", path="a/q.txt", content="two"), {})
    assert (workspace / "a/q.txt").read_text() == "one\ntwo"

    def result(op: Any, path: str, **more: Any) -> Any:
        return run(nodes.file(op=op, path=path, into="result", **more), {})["result"]

    assert result("read", "a/q.txt") == "one\ntwo"
    assert result("list", "a") == ["a/q.txt"]
    assert result("list", "*/*.txt") == ["a/q.txt"]
    assert result("exists", "a/q.txt") is True
    run(nodes.file(op="delete", path="a/q.txt"), {})
    assert result("exists", "a/q.txt") is False
    with pytest.raises(ToolError, match="q.txt"):
        result("read", "a/q.txt")
    (workspace / "out").symlink_to("/")
    for path in ("../x", "/etc/hostname", "out/etc/hostname"):
        with pytest.raises(ToolError, match="outside"):
            result("read", path)
    with pytest.raises(ToolError, match="outside"):
        result("list", "../*")


def test_a_database_is_read_only_unless_told(workspace: Path) -> None:
    with sqlite3.connect(workspace / "d.db") as connection:
        connection.execute("create table t (a)")
    connection.close()
    insert: Any = {"path": "d.db", "query": "insert into t values (?)", "params": ["{{ score }}"]}
    with pytest.raises(ToolError, match="readonly"):
        run(nodes.database(**insert), {"score": 3})
    written = run(nodes.database(**insert, write=True, into="result"), {"score": 3})
    assert written["result"] == {"changed": 1}
    select: Any = {"path": "d.db", "query": "select a from t where a = :a", "params": {"a": 3}}
    assert run(nodes.database(**select, into="result"), {})["result"] == [{"a": 3}]
    assert run(nodes.database(**select, rows_max=0, into="result"), {})["result"] == []


def test_code_gives_its_result() -> None:
    node = nodes.code(code="result = n * 2", inputs={"n": "score + 1"}, into="result")
    assert run(node, {"score": 3})["result"] == 8
    assert run(nodes.code(code="result = {'where': 'x'}"), {"score": 3})["where"] == "x"
    with pytest.raises(SettingError, match="into"):
        run(nodes.code(code="result = 1"), {})


def test_http_gives_what_was_asked_for(page: str) -> None:
    def result(path: str, **more: Any) -> Any:
        node = nodes.http(url="{{ where }}" + path, into="result", **more)
        return run(node, {"where": page, "score": 4})["result"]

    assert result("/json?a=1", params={"b": "{{ score }}"}) == {"path": "/json?a=1&b=4"}
    assert result("/json", result="text") == '{"path": "/json"}'
    assert result("/text", method="POST", json={"n": "{{ score }}"}) == 'POST {"n": 4}'
    assert result("/missing", allow_status=[404], result="response")["status"] == 404
    with pytest.raises(ToolError, match="404"):
        result("/missing")
    with pytest.raises(ToolError, match="not JSON"):
        result("/text", method="POST", body="x", result="json")
    with pytest.raises(ToolError, match="no http"):
        run(nodes.http(url="file:///etc/hostname", into="result"), {})


def test_wait_asks_and_writes_the_answer() -> None:
    graph: Any = StateGraph(State)
    graph.add_node("ask", nodes.wait(message="Send {{ question }}?", into="result"))
    graph.add_edge(START, "ask")
    app = graph.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    waiting = app.invoke({"question": "it"}, config)
    assert waiting["__interrupt__"][0].value == {"message": "Send it?"}
    assert app.invoke(Command(resume="yes"), config)["result"] == "yes"


def test_user_input_fills_keys() -> None:
    graph: Any = StateGraph(State)
    graph.add_node("ask", nodes.user_input(fields={"question": "str", "score": "int"}))
    graph.add_edge(START, "ask")
    app = graph.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    waiting = app.invoke({"where": "x"}, config)
    assert waiting["__interrupt__"][0].value == {
        "message": "Please answer.",
        "schema": {
            "type": "object",
            "properties": {"question": {"type": "string"}, "score": {"type": "integer"}},
            "required": ["question", "score"],
        },
    }
    state = app.invoke(Command(resume={"question": "q", "score": 1}), config)
    assert state == {"where": "x", "question": "q", "score": 1}


def test_store_remembers() -> None:
    memory = InMemoryStore()
    place: Any = {"namespace": ["users", "{{ where }}"], "key": "name"}
    put = nodes.store(op="put", value={"n": "{{ score }}"}, **place)
    run(put, {"where": "a", "score": 1}, store=memory)
    read = nodes.store(op="get", into="result", **place)
    assert run(read, {"where": "a"}, store=memory)["result"] == {"n": 1}
    assert run(read, {"where": "b"}, store=memory)["result"] is None
    search = nodes.store(op="search", namespace=["users"], into="result")
    assert run(search, {}, store=memory)["result"] == [{"key": "name", "value": {"n": 1}}]
    run(nodes.store(op="put", value="plain", namespace=["users", "a"], key="k"), {}, store=memory)
    search = nodes.store(op="search", namespace=["users"], query="plain", into="result")
    assert run(search, {}, store=memory)["result"] == [{"key": "k", "value": "plain"}]


def test_what_needs_the_platform_says_so_when_it_runs() -> None:
    node = nodes.rag(knowledge="docs", query="{{ question }}")
    with pytest.raises(PlatformRequired, match="agentweaver run"):
        run(node, {})
    with pytest.raises(PlatformRequired):
        run(nodes.llm(model="m", prompt="x", tools=["search"], into="result"), {})


def test_a_wait_past_its_deadline_takes_its_own_route() -> None:
    graph: Any = StateGraph(State)
    wait = nodes.wait(message="Pay?", deadline=60, on_timeout="late", goto="paid", into="result")
    graph.add_node("ask", wait)
    graph.add_node("hurry", nodes.wait(message="Now?", deadline=1))
    graph.add_node("late", nodes.response(text="too late", into="where"))
    graph.add_node("paid", nodes.response(text="paid", into="where"))
    graph.add_edge(START, "ask")
    graph.add_edge("late", "hurry")
    app = graph.compile(checkpointer=InMemorySaver())
    for thread, answer, where in (("a", "yes", "paid"), ("b", nodes.TIMED_OUT, "too late")):
        config = {"configurable": {"thread_id": thread}}
        asked = app.invoke({"question": "tea"}, config)
        assert asked["__interrupt__"][0].value == {"message": "Pay?", "deadline_seconds": 60}
        assert app.invoke(Command(resume=answer), config)["where"] == where
    with pytest.raises(TimeoutError, match="nobody answered in time"):
        app.invoke(Command(resume=nodes.TIMED_OUT), {"configurable": {"thread_id": "b"}})
