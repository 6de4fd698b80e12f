import type { Place } from "@/api/types";

/** A workflow as the Studio has it open: one of the server's, or a draft that is not saved yet. */
export interface OpenWorkflow {
  /** Changes when another one is opened. */
  key: string;
  /** The server's id; absent for a draft. */
  id?: string;
  name: string;
  file: string;
  source: string;
  script?: string;
  /** An input to try it with. */
  input?: Record<string, unknown>;
  layout: Record<string, Place>;
  version?: number;
  /** It is a file of the folder that the server works on. */
  path?: string;
}

/** What a new workflow begins with: it runs, offline, and is small enough to be understood at once. */
export const FIRST_SOURCE = `from typing import TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    name: str
    greeting: str


def greet(state: State) -> dict:
    """Says hello to the one who asks."""
    return {"greeting": f"Hello, {state['name']}!"}


graph = StateGraph(State)
graph.add_node("greet", greet)
graph.add_edge(START, "greet")
graph.add_edge("greet", END)
app = graph.compile()
`;

/** What was typed and not saved outlives a reload, and a server that is gone. */
export const drafts = {
  of: (key: string): string | null => localStorage.getItem(`agentweaver.draft.${key}`),
  keep: (key: string, source: string) => localStorage.setItem(`agentweaver.draft.${key}`, source),
  drop: (key: string) => localStorage.removeItem(`agentweaver.draft.${key}`),
};
