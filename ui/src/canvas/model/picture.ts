import { END, type FileSpec, type GraphSpec, type NodeSpec, START } from "@/api/spec";

/**
 * What is drawn of one graph, its unfolded subgraphs inside their nodes. Settings and
 * places in the text are not part of it: they are looked up in the newest spec.
 */
export interface Picture {
  nodes: PictureNode[];
  edges: PictureEdge[];
}

export interface PictureNode {
  /** Names from the outermost graph down, joined by `/`. */
  id: string;
  name: string;
  /** The unfolded subgraph node that it is inside of. */
  parent?: string;
  kind: Look;
  /** What it does, in a few words; a setting or the first line of its docstring. */
  detail: string;
  /** Of a subgraph node: the graph, and whether it is shown inside. */
  graph?: string;
  unfolded?: boolean;
  /** Why it cannot run here. */
  trouble?: string;
}

/** How a node looks: what kind of work it is. */
export type Look =
  | "start"
  | "end"
  | "function"
  | "model"
  | "input"
  | "agent"
  | "tool"
  | "logic"
  | "output"
  | "subgraph"
  | "dynamic";

export interface PictureEdge {
  id: string;
  source: string;
  target: string;
  /** The strongest of the arrows that run between the two. */
  kind: "plain" | "join" | "conditional" | "command" | "send";
  /** Routes that lead this way, and those of them that say more than the target's name. */
  routes: string[];
  labels: string[];
  parent?: string;
}

export function pictureOf(file: FileSpec, graph: GraphSpec, unfolded: ReadonlySet<string>): Picture {
  const picture: Picture = { nodes: [], edges: [] };
  draw(file, graph, unfolded, undefined, [graph.name], picture);
  return picture;
}

/** The graph that is shown first: the last one that is compiled, as it is the one that runs. */
export function mainGraph(file: FileSpec): GraphSpec | undefined {
  return file.graphs.findLast((graph) => graph.compiled.length > 0) ?? file.graphs.at(-1);
}

function draw(
  file: FileSpec,
  graph: GraphSpec,
  unfolded: ReadonlySet<string>,
  parent: string | undefined,
  above: string[],
  picture: Picture,
) {
  const idOf = (name: string) => (parent === undefined ? name : `${parent}/${name}`);
  const ends = (["start", "end"] as const).map((kind) => {
    const name = kind === "start" ? START : END;
    return { id: idOf(name), name, kind, detail: "", parent } satisfies PictureNode;
  });
  picture.nodes.push(ends[0]!);
  for (const spec of graph.nodes) {
    const id = idOf(spec.name);
    const inner = spec.kind === "subgraph" ? file.graphs.find((other) => other.name === spec.graph) : undefined;
    // A graph inside itself has no end.
    const shows = inner !== undefined && unfolded.has(id) && !above.includes(inner.name);
    picture.nodes.push({ ...described(file, spec), id, name: spec.name, parent, unfolded: shows });
    if (shows) draw(file, inner, unfolded, id, [...above, inner.name], picture);
  }
  // Of a graph inside another an exit that nothing leads to only takes room; of the shown one it can be led to.
  if (parent === undefined || graph.edges.some((edge) => edge.target === END)) picture.nodes.push(ends[1]!);
  picture.edges.push(...joined(graph, idOf, parent));
}

function described(file: FileSpec, spec: NodeSpec): Pick<PictureNode, "kind" | "detail" | "graph" | "trouble"> {
  switch (spec.kind) {
    case "typed":
      return { kind: lookOf(spec.type), detail: typedDetail(spec.type, spec.settings) };
    case "subgraph":
      return { kind: "subgraph", detail: spec.graph, graph: spec.graph };
    case "tool_node":
      return { kind: "tool", detail: spec.tools.join(", ") };
    case "dynamic":
      return { kind: "dynamic", detail: spec.reason, trouble: spec.reason };
    default: {
      const made = file.functions.find((candidate) => candidate.id === spec.id);
      const detail = made?.doc ?? (spec.function && spec.function !== spec.name ? `${spec.function}()` : "");
      const trouble = made?.runs.runs === "worker" ? made.runs.reasons[0] : undefined;
      return { kind: "function", detail, trouble };
    }
  }
}

const LOOKS: Record<string, Look> = {
  user_input: "input",
  webhook: "input",
  schedule: "input",
  llm: "model",
  intent: "model",
  rag: "agent",
  agent_call: "agent",
  http: "tool",
  database: "tool",
  code: "tool",
  file: "tool",
  mcp: "tool",
  condition: "logic",
  loop: "logic",
  parallel: "logic",
  wait: "input",
  response: "output",
  notify: "output",
  store: "output",
};

export function lookOf(type: string): Look {
  return LOOKS[type] ?? "function";
}

const TELLING = ["model", "url", "message", "query", "path", "server", "tool", "condition", "into", "channel"];

function typedDetail(type: string, settings: { name: string; value: unknown }[]): string {
  const told = TELLING.map((name) => settings.find((setting) => setting.name === name)?.value);
  const value = told.find((value) => typeof value === "string" && value !== "");
  return value === undefined ? type : `${type} · ${value as string}`;
}

const STRENGTH = ["send", "command", "conditional", "join", "plain"] as const;

/** Arrows between the same two nodes are one, with all their labels. */
function joined(graph: GraphSpec, idOf: (name: string) => string, parent: string | undefined): PictureEdge[] {
  const edges = new Map<string, PictureEdge>();
  for (const edge of graph.edges) {
    const id = `${idOf(edge.source)}→${idOf(edge.target)}`;
    const known = edges.get(id);
    if (known) {
      if (edge.label && !known.routes.includes(edge.label)) {
        known.routes.push(edge.label);
        known.labels.push(edge.label);
      }
      if (STRENGTH.indexOf(edge.kind) > STRENGTH.indexOf(known.kind)) known.kind = edge.kind;
    } else {
      edges.set(id, {
        id,
        source: idOf(edge.source),
        target: idOf(edge.target),
        kind: edge.kind,
        routes: edge.label ? [edge.label] : [],
        labels: edge.label && edge.label !== edge.target ? [edge.label] : [],
        parent,
      });
    }
  }
  return [...edges.values()];
}
