import type { Place } from "@/api/types";
import { layered } from "./layered";
import type { Picture, PictureEdge, PictureNode } from "./picture";

/** A node with its place inside its parent, in pixels. */
export interface PlacedNode extends PictureNode {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface PlacedEdge extends PictureEdge {
  /** The way that keeps clear of other nodes; absent when an end was moved by hand. */
  points?: Place[];
  /** Where its label stands on that way. */
  label?: Place;
}

export interface Layout {
  nodes: PlacedNode[];
  edges: PlacedEdge[];
}

export const NODE_HEIGHT = 56;
const END_SIZE = { width: 72, height: 30 };
const LOOP_WIDTH = 48;
const FOLD_PADDING = { top: 44, side: 20, bottom: 20 };

/**
 * Places every node. One that was placed by hand stays where it is; the others
 * come in layers, moved along with the placed ones that they are connected to.
 */
export function layOut(picture: Picture, placed: Readonly<Record<string, Place>>): Layout {
  return inside(picture, undefined, placed);
}

function inside(picture: Picture, parent: string | undefined, placed: Readonly<Record<string, Place>>): Layout {
  const nested: Layout = { nodes: [], edges: [] };
  const own = picture.nodes
    .filter((node) => node.parent === parent)
    .map((node) => {
      if (!node.unfolded) return { ...node, ...sizeOf(node) };
      const layout = inside(picture, node.id, placed);
      nested.nodes.push(...layout.nodes);
      nested.edges.push(...layout.edges);
      return { ...node, ...bounds(layout.nodes) };
    });
  const edges = picture.edges.filter((edge) => edge.parent === parent);
  const layout = parent === undefined ? anchored(ranked(own, edges, {})) : ranked(own, edges, FOLD_PADDING);
  const moved = withPlaces(layout, placed);
  return { nodes: [...moved.nodes, ...nested.nodes], edges: [...moved.edges, ...nested.edges] };
}

function ranked(
  nodes: (PictureNode & { width: number; height: number })[],
  edges: PictureEdge[],
  padding: { top?: number; side?: number },
): Layout {
  const links = edges.map(({ id, source, target, labels }) => ({
    id,
    source,
    target,
    labelWidth: labels.length > 0 ? labelWidth(labels) : 0,
  }));
  const looping = new Set(edges.filter((edge) => edge.source === edge.target).map((edge) => edge.source));
  // An arrow to itself is drawn at a node's side, and takes room there.
  const boxes = nodes.map(({ id, width, height }) => ({ id, height, width: looping.has(id) ? width + 2 * LOOP_WIDTH : width }));
  const { places, ways } = layered(boxes, links);
  const left = padding.side ?? 0;
  const top = padding.top ?? 0;
  const moved = ({ x, y }: Place) => ({ x: x + left, y: y + top });
  return {
    nodes: nodes.map((node) => {
      const { x, y } = moved(places.get(node.id)!);
      return { ...node, x: Math.round(x - node.width / 2), y: Math.round(y - node.height / 2) };
    }),
    edges: edges.map((edge) => {
      const way = ways.get(edge.id);
      return way ? { ...edge, points: way.points.map(moved), label: moved(way.label) } : edge;
    }),
  };
}

/** Puts the first node where it always is: what is typed elsewhere then moves its neighbours only, not all of the picture. */
function anchored({ nodes, edges }: Layout): Layout {
  const first = nodes[0];
  if (!first) return { nodes, edges };
  const by = Math.round(first.x + first.width / 2);
  const moved = <T extends Place>(place: T): T => ({ ...place, x: place.x - by });
  return {
    nodes: nodes.map(moved),
    edges: edges.map((edge) => ({ ...edge, points: edge.points?.map(moved), label: edge.label && moved(edge.label) })),
  };
}

function withPlaces(layout: Layout, placed: Readonly<Record<string, Place>>): Layout {
  const byHand = new Set(layout.nodes.filter((node) => placed[node.id]).map((node) => node.id));
  if (byHand.size === 0) return layout;
  const shiftOf = (node: PlacedNode) => {
    const place = placed[node.id]!;
    return { x: place.x - node.x, y: place.y - node.y };
  };
  const shifts = new Map(layout.nodes.filter((node) => byHand.has(node.id)).map((node) => [node.id, shiftOf(node)]));
  const neighbours = new Map<string, string[]>();
  for (const { source, target } of layout.edges) {
    neighbours.set(source, [...(neighbours.get(source) ?? []), target]);
    neighbours.set(target, [...(neighbours.get(target) ?? []), source]);
  }
  const all = [...shifts.values()];
  const nodes = layout.nodes.map((node) => {
    const own = shifts.get(node.id);
    const near = (neighbours.get(node.id) ?? []).flatMap((id) => shifts.get(id) ?? []);
    const shift = own ?? mean(near.length > 0 ? near : all);
    return { ...node, x: Math.round(node.x + shift.x), y: Math.round(node.y + shift.y) };
  });
  makeRoom(nodes, byHand);
  const edges = layout.edges.map((edge) => ({ ...edge, points: undefined, label: undefined }));
  return { nodes, edges };
}

/** Moves nodes that nobody placed down until they cover no other. */
function makeRoom(nodes: PlacedNode[], byHand: ReadonlySet<string>) {
  const settled = nodes.filter((node) => byHand.has(node.id));
  const free = nodes.filter((node) => !byHand.has(node.id)).sort((a, b) => a.y - b.y);
  for (const node of free) {
    for (let tries = 0; tries < 200; tries += 1) {
      const covered = settled.find((other) => overlaps(node, other));
      if (!covered) break;
      node.y = covered.y + covered.height + 24;
    }
    settled.push(node);
  }
}

function overlaps(a: PlacedNode, b: PlacedNode): boolean {
  const gap = 12;
  return (
    a.x < b.x + b.width + gap && b.x < a.x + a.width + gap && a.y < b.y + b.height + gap && b.y < a.y + a.height + gap
  );
}

function mean(places: Place[]): Place {
  const sum = places.reduce((all, place) => ({ x: all.x + place.x, y: all.y + place.y }), { x: 0, y: 0 });
  return { x: sum.x / places.length, y: sum.y / places.length };
}

function sizeOf(node: PictureNode): { width: number; height: number } {
  if (node.kind === "start" || node.kind === "end") return END_SIZE;
  const widest = Math.max(textWidth(node.name) * 7.4, textWidth(node.detail) * 6.1);
  return { width: Math.round(Math.min(248, Math.max(156, widest + 70))), height: NODE_HEIGHT };
}

function bounds(nodes: PlacedNode[]): { width: number; height: number } {
  const right = Math.max(0, ...nodes.map((node) => node.x + node.width));
  const bottom = Math.max(0, ...nodes.map((node) => node.y + node.height));
  return { width: right + FOLD_PADDING.side, height: bottom + FOLD_PADDING.bottom };
}

export function labelWidth(labels: string[]): number {
  return Math.min(180, textWidth(labels.join(", ")) * 6.4 + 14);
}

/** Characters, where those of East Asia count as two. */
function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += (character.codePointAt(0) ?? 0) > 0x2e7f ? 1.9 : 1;
  return width;
}
