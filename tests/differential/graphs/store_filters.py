"""Search filters with operators, order of results and paging."""

from typing import TypedDict

from langgraph.config import get_store
from langgraph.graph import START, StateGraph


class State(TypedDict):
    found: list


def look(state: State):
    store = get_store()
    for number in range(6):
        store.put(("n",), str(number), {"number": number, "even": number % 2 == 0})
    adults = store.search(("n",), filter={"number": {"$gte": 2, "$lt": 5}})
    odd = store.search(("n",), filter={"even": {"$ne": True}}, limit=2)
    return {"found": [sorted(item.key for item in adults), len(odd), all(not item.value["even"] for item in odd)]}


app = StateGraph(State).add_node("look", look).add_edge(START, "look").compile()
