import type { Edge, Node } from "@xyflow/react";
import type { Layout, PlacedEdge, PlacedNode } from "./layout";
import type { Picture } from "./picture";

export type FlowNode = Node<{ node: PlacedNode }, "work" | "end" | "fold">;
export type FlowEdge = Edge<{ edge: PlacedEdge }, "thread">;

/** What of a picture decides how it is laid out and drawn; spans are not part of it. */
export function keyOf(picture: Picture): string {
  const nodes = picture.nodes.map(({ id, kind, detail, unfolded, trouble }) => [id, kind, detail, unfolded, trouble]);
  const edges = picture.edges.map(({ id, kind, labels }) => [id, kind, labels]);
  return JSON.stringify([nodes, edges]);
}

/** Nodes and edges as the canvas library takes them. A node that did not change stays the same object. */
export function flowOf(layout: Layout, before: FlowNode[]): { nodes: FlowNode[]; edges: FlowEdge[] } {
  const known = new Map(before.map((node) => [node.id, node]));
  return { nodes: layout.nodes.map((node) => flowNode(node, known.get(node.id))), edges: layout.edges.map(flowEdge) };
}

function flowNode(node: PlacedNode, known: FlowNode | undefined): FlowNode {
  const { id, x, y, width, height, parent } = node;
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

function flowEdge(edge: PlacedEdge): FlowEdge {
  return {
    id: edge.id,
    type: "thread",
    source: edge.source,
    target: edge.target,
    data: { edge },
    zIndex: edge.parent === undefined ? 0 : 2,
  };
}
