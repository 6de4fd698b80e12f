"""``llm`` against a server on this machine and against scripts."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from agentweaver import ModelError, PlatformRequired, llm

SCRIPT = """
rules:
  - when: {user: weather}
    say: "Sunny, says {{ model }}."
  - when: {user: {regex: "add (\\\\d+) and (\\\\d+)"}}
    json: {a: "{{ match[1] | int }}", b: "{{ match[2] | int }}"}
  - when: {tool: search}
    say: never
  - when: [{system: {equals: brief}}, {turn: 2}]
    answers: [first, {say: second}]
  - when: {user: broken}
    fail: overloaded
  - when: {user: look}
    tool_calls: [{name: search}]
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "model.yaml"
    path.write_text(SCRIPT)
    monkeypatch.setenv("AGENTWEAVER_MODEL", f"scripted:{path}")
    return path


@pytest.fixture
def server() -> Iterator[Any]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            server: Any = self.server
            server.seen.append((self.path, dict(self.headers), body))
            status, answer = server.answer
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *args: Any) -> None:
            pass

    server: Any
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen = []
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def address(server: HTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}/v1"


def chat(text: str) -> tuple[int, Any]:
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    return 200, {"choices": [{"message": {"content": text}}], "usage": usage}


def test_an_address_is_asked_as_openai_would_be(server: Any) -> None:
    server.answer = chat("four")
    reply = llm(f"{address(server)}#small", "2+2?", system="brief", temperature=0.5)
    assert (reply.text, dict(reply.usage)) == ("four", {"input": 7, "output": 2})
    path, _, body = server.seen[0]
    assert path == "/v1/chat/completions"
    assert body == {
        "model": "small",
        "messages": [
            {"role": "system", "content": "brief"},
            {"role": "user", "content": "2+2?"},
        ],
        "temperature": 0.5,
    }


def test_a_provider_has_address_and_key_from_the_environment(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENTWEAVER_MODEL", raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", address(server))
    monkeypatch.setenv("OPENAI_API_KEY", "k-1")
    server.answer = chat("yes")
    assert llm("gpt-4o", "?").text == "yes"
    assert llm("openai/gpt-4o", "?").text == "yes"
    assert [seen[1]["Authorization"] for seen in server.seen] == ["Bearer k-1"] * 2
    assert [seen[2]["model"] for seen in server.seen] == ["gpt-4o"] * 2


def test_a_schema_is_sent_and_the_answer_parsed(server: Any) -> None:
    server.answer = chat('{"n": 3}')
    schema = {"title": "Count", "type": "object", "properties": {"n": {"type": "integer"}}}
    assert llm(f"{address(server)}#m", "?", output_schema=schema).data == {"n": 3}
    sent = server.seen[0][2]["response_format"]["json_schema"]
    assert (sent["name"], sent["schema"]) == ("Count", schema)


def test_failures_say_what_happened(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTWEAVER_MODEL", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server.answer = 429, {"error": "slow down"}
    with pytest.raises(ModelError, match="429.*slow down"):
        llm(f"{address(server)}#m", "?")
    with pytest.raises(ModelError, match="OPENAI_API_KEY"):
        llm("gpt-4o", "?")
    with pytest.raises(ModelError, match="PROVIDER/MODEL"):
        llm("nothing-known", "?")
    with pytest.raises(ModelError, match="names no model"):
        llm(address(server), "?")


def test_a_script_answers_every_model(script: Path) -> None:
    assert llm("gpt-4o", "What WEATHER?").text == "Sunny, says gpt-4o."
    schema = {"title": "Sum", "type": "object"}
    assert llm("claude", "add 2 and 40", output_schema=schema).data == {"a": 2, "b": 40}
    assert llm("claude", "anything", system="brief").text == "first"
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert llm("claude", turns).text == "first"


def test_a_script_can_fail(script: Path) -> None:
    with pytest.raises(ModelError, match="overloaded"):
        llm("m", "broken")
    with pytest.raises(ModelError, match="no rule"):
        llm("m", "unheard of")
    with pytest.raises(PlatformRequired):
        llm("m", "look")
    script.write_text("rules: [{when: {usr: a}, say: b}]")
    with pytest.raises(ModelError, match="usr"):
        llm("m", "a")
    script.write_text("rules: [")
    with pytest.raises(ModelError, match="cannot be parsed"):
        llm("m", "a")


def test_without_a_script_the_offline_model_says_what_it_is() -> None:
    assert llm("scripted", "hello").text.startswith("[scripted offline model")
