import type { FileSpec, GraphSpec, Span } from "@/api/spec";
import type { FlowEdge, FlowNode } from "@/canvas/model/flow";
import { ByteIndex } from "@/util/bytes";

interface Drawn {
  spec: FileSpec | null;
  specSource: string;
  source: string;
  nodes: FlowNode[];
  edges: FlowEdge[];
}

/** UTF-16 range in the text of what is selected on the canvas. */
export function rangeOf(state: Drawn, id: string): { start: number; end: number } | undefined {
  // Places of an older text would mark the wrong lines.
  if (state.source !== state.specSource || !state.spec) return undefined;
  const index = new ByteIndex(state.source);
  const units = ({ start, end }: { start: number; end: number }) => ({ start: index.toUnit(start), end: index.toUnit(end) });
  const node = state.nodes.find((node) => node.id === id)?.data.node;
  if (node) {
    const spec = node.spec;
    if (!spec) return undefined;
    return units(functionSpan(state.spec, spec) ?? spec.span);
  }
  const edge = state.edges.find((edge) => edge.id === id)?.data?.edge;
  return edge?.spans[0] && units(edge.spans[0]);
}

/** What is drawn of the text at a place: the innermost of a node's code, its call, an edge's call. */
export function drawnAt(state: Drawn, graph: GraphSpec | undefined, offset: number): string | undefined {
  if (state.source !== state.specSource || !state.spec || !graph) return undefined;
  const spec = state.spec;
  const byte = new ByteIndex(state.source).toByte(offset);
  const found: { id: string; length: number }[] = [];
  const consider = (id: string, span: Pick<Span, "start" | "end"> | undefined) => {
    if (span && span.start <= byte && byte <= span.end) found.push({ id, length: span.end - span.start });
  };
  for (const { id, data } of state.nodes) {
    if (!data.node.spec) continue;
    consider(id, data.node.spec.span);
    consider(id, functionSpan(spec, data.node.spec));
  }
  for (const { id, data } of state.edges) for (const span of data?.edge.spans ?? []) consider(id, span);
  return found.sort((a, b) => a.length - b.length)[0]?.id;
}

function functionSpan(spec: FileSpec, node: { kind: string; id?: string }): Span | undefined {
  return node.kind === "function" ? spec.functions.find((made) => made.id === node.id)?.span : undefined;
}
