"""A WebSocket client that is not ours hears what an execution does."""

import json
import urllib.request

from websockets.sync.client import connect

WORKFLOW = """
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from agentweaver import nodes

class State(TypedDict):
    name: str
    text: str

graph = StateGraph(State)
graph.add_node("greet", nodes.response(text="Hello {{ name }}", into="text"))
graph.add_edge(START, "greet")
graph.add_edge("greet", END)
app = graph.compile()
"""


def test_events_come_over_a_websocket_until_the_execution_has_ended(server):
    body = {"workflow": {"file": "greet.py", "source": WORKFLOW}, "input": {"name": "Ada"}}
    request = urllib.request.Request(
        f"{server['address']}/api/v1/executions",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {server['token']}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        execution = json.load(answer)["execution_id"]
    address = server["address"].replace("http://", "ws://")
    with connect(f"{address}/api/v1/ws/execution/{execution}?after=0") as socket:
        socket.ping().wait(10)
        events = [json.loads(text) for text in socket]
        assert socket.close_code == 1000
    kinds = [event["kind"] for event in events]
    assert "start" in kinds and kinds[-1] == "done"
    assert events[-1]["data"]["values"]["text"] == "Hello Ada"
