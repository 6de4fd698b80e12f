import type { Edge, Node } from "@xyflow/react";
import type { Layout, PlacedEdge, PlacedNode } from "./layout";
import type { Picture } from "./picture";

export type FlowNode = Node<{ node: PlacedNode }, "work" | "end" | "fold">;
export type FlowEdge = Edge<{ edge: PlacedEdge }, "thread">;

/** What of a picture decides how it is laid out and drawn. */
export function keyOf(picture: Picture): string {
  const nodes = picture.nodes.map(({ id, kind, detail, unfolded, trouble }) => [id, kind, detail, unfolded, trouble]);
  const edges = picture.edges.map(({ id, kind, labels }) => [id, kind, labels]);
  return JSON.stringify([nodes, edges]);
}

interface Flow {
  nodes: FlowNode[];
  edges: FlowEdge[];
}

/** Nodes and edges as the canvas library takes them. What did not change stays the same object, and is not drawn again. */
export function flowOf(layout: Layout, before: Flow): Flow {
  const nodes = new Map(before.nodes.map((node) => [node.id, node]));
  const edges = new Map(before.edges.map((edge) => [edge.id, edge]));
  return {
    nodes: layout.nodes.map((node) => flowNode(node, nodes.get(node.id))),
    edges: layout.edges.map((edge) => flowEdge(edge, edges.get(edge.id))),
  };
}

function flowNode(node: PlacedNode, known: FlowNode | undefined): FlowNode {
  const { id, x, y, width, height, parent } = node;
  const isPlaced = known?.position.x === x && known.position.y === y;
  if (known && isPlaced && isSame(known.data.node, node)) return known;
  const type = node.kind === "start" || node.kind === "end" ? "end" : node.unfolded ? "fold" : "work";
  const made: FlowNode = {
    id,
    type,
    position: { x, y },
    width,
    height,
    parentId: parent,
    extent: parent === undefined ? undefined : "parent",
    data: { node },
    deletable: type !== "end",
    ariaLabel: node.name,
  };
  if (!known || known.width !== width || known.height !== height) return made;
  return { ...made, measured: known.measured };
}

function flowEdge(edge: PlacedEdge, known: FlowEdge | undefined): FlowEdge {
  if (known?.data && isSame(known.data.edge, edge)) return known;
  return {
    id: edge.id,
    type: "thread",
    source: edge.source,
    target: edge.target,
    data: { edge },
    zIndex: edge.parent === undefined ? 0 : 2,
  };
}

function isSame(a: PlacedNode | PlacedEdge, b: PlacedNode | PlacedEdge): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
