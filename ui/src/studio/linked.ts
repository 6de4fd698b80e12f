import type { FileSpec, Span } from "@/api/spec";
import { ByteIndex } from "@/util/bytes";
import { drawnGraphs, graphAt, nameOf, specAt } from "./place";
import type { StudioState } from "./store";

type Drawn = Pick<StudioState, "spec" | "specSource" | "source" | "graphName" | "nodes" | "edges">;

/** UTF-16 range in the text of what is selected on the canvas. */
export function rangeOf(state: Drawn, id: string): { start: number; end: number } | undefined {
  // Places of an older text would mark the wrong lines.
  if (state.source !== state.specSource || !state.spec) return undefined;
  const node = specAt(state, id);
  const span = node ? (functionSpan(state.spec, node) ?? node.span) : edgeSpan(state, id);
  if (!span) return undefined;
  const index = new ByteIndex(state.source);
  return { start: index.toUnit(span.start), end: index.toUnit(span.end) };
}

/** What is drawn of the text at a place: the innermost of a node's code, its call, an edge's call. */
export function drawnAt(state: Drawn, offset: number): string | undefined {
  if (state.source !== state.specSource || !state.spec) return undefined;
  const spec = state.spec;
  const byte = new ByteIndex(state.source).toByte(offset);
  let found: { id: string; length: number } | undefined;
  const consider = (id: string, span: Span | undefined) => {
    if (!span || span.start > byte || byte > span.end) return;
    const length = span.end - span.start;
    if (!found || length < found.length) found = { id, length };
  };
  for (const { prefix, graph } of drawnGraphs(state)) {
    for (const node of graph.nodes) {
      consider(prefix + node.name, node.span);
      consider(prefix + node.name, functionSpan(spec, node));
    }
    for (const { source, target, span } of graph.edges) consider(`${prefix}${source}→${prefix}${target}`, span);
  }
  return found?.id;
}

function edgeSpan(state: Drawn, id: string): Span | undefined {
  const edge = state.edges.find((edge) => edge.id === id);
  if (!edge) return undefined;
  const [source, target] = [nameOf(edge.source), nameOf(edge.target)];
  return graphAt(state, id)?.edges.find((made) => made.source === source && made.target === target)?.span;
}

function functionSpan(spec: FileSpec, node: { kind: string; id?: string }): Span | undefined {
  return node.kind === "function" ? spec.functions.find((made) => made.id === node.id)?.span : undefined;
}
