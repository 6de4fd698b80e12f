import type { GraphSpec, NodeSpec } from "@/api/spec";
import { shownGraph, type StudioState } from "./store";

type Drawn = Pick<StudioState, "nodes" | "edges" | "spec" | "graphName">;

/** The name in its graph of what has this id on the canvas. */
export function nameOf(id: string): string {
  return id.slice(id.lastIndexOf("/") + 1);
}

/** The graph that a node or the source of an edge is of: the shown one, or an unfolded one. */
export function graphAt(state: Drawn, id: string): GraphSpec | undefined {
  const at = state.edges.find((edge) => edge.id === id)?.source ?? id;
  const parent = at.includes("/") ? at.slice(0, at.lastIndexOf("/")) : undefined;
  const above = state.nodes.find((node) => node.id === parent)?.data.node;
  if (above?.graph === undefined) return shownGraph(state);
  return state.spec?.graphs.find((graph) => graph.name === above.graph);
}

/** What the newest spec says of a node; nothing of an entry or exit. */
export function specAt(state: Drawn, id: string): NodeSpec | undefined {
  const name = nameOf(id);
  return graphAt(state, id)?.nodes.find((node) => node.name === name);
}

/** The graphs that are drawn, each with what stands before the names of its nodes. */
export function drawnGraphs(state: Drawn): { prefix: string; graph: GraphSpec }[] {
  const shown = shownGraph(state);
  const inside = state.nodes.flatMap(({ id, data: { node } }) => {
    const graph = node.unfolded ? state.spec?.graphs.find((graph) => graph.name === node.graph) : undefined;
    return graph ? [{ prefix: `${id}/`, graph }] : [];
  });
  return shown ? [{ prefix: "", graph: shown }, ...inside] : inside;
}

/**
 * Why an edit of a graph is shown as text before it is made: places that cannot be
 * read, or are known only when the file runs, may use what the edit changes.
 */
export function doubtsAbout(state: Pick<StudioState, "spec">, graphName: string | undefined): { reason: string; line: number }[] {
  const graph = state.spec?.graphs.find((graph) => graph.name === graphName);
  const unread = (state.spec?.problems ?? []).filter((problem) => problem.code === "syntax_error");
  return [
    ...(graph?.dynamic ?? []).map(({ reason, line }) => ({ reason, line })),
    ...unread.map(({ message, line }) => ({ reason: message, line })),
  ];
}
