import type { GraphSpec } from "@/api/spec";

/** Where a node leads, as one changes it: arrows that are always gone along, and decisions with their routes. */
export interface Ways {
  plain: string[];
  decisions: Decision[];
}

export interface Decision {
  /** The name of the branch in the file; absent for a typed node that decides itself. */
  branch?: string;
  routes: { route: string; target: string }[];
}

export function waysOf(graph: GraphSpec, source: string): Ways {
  const edges = graph.edges.filter((edge) => edge.source === source);
  const decisions = new Map<string, Decision>();
  for (const { kind, label, target, span } of edges) {
    if (kind !== "conditional" || label == null) continue;
    const made = graph.branches.find((branch) => branch.source === source && branch.span.start === span.start && branch.span.end === span.end);
    const decision = decisions.get(made?.name ?? "") ?? { branch: made?.name, routes: [] };
    decision.routes.push({ route: label, target });
    decisions.set(made?.name ?? "", decision);
  }
  return {
    plain: edges.filter(({ kind }) => kind === "plain" || kind === "join").map(({ target }) => target),
    decisions: [...decisions.values()],
  };
}

/** The route that a typed node takes when no other fits: it has no name to change. */
export const DEFAULT_ROUTE = "default";
