/**
 * Draws a directed graph in layers, top down: each arrow goes down at least one
 * layer, and between two layers each has a lane of its own, so that arrows keep
 * clear of nodes and labels of each other. It runs at each key press that changes
 * the picture; a sweep is linear in what is drawn.
 */
import type { Place } from "@/api/types";

export interface Box {
  id: string;
  width: number;
  height: number;
}

export interface Link {
  id: string;
  source: string;
  target: string;
  /** Pixels that its label takes; 0 without one. */
  labelWidth: number;
}

export interface Layered {
  /** The middle of each box. */
  places: Map<string, Place>;
  /** By link: its way, and where its label stands. Links that skip many layers have none, and those to themselves. */
  ways: Map<string, { points: Place[]; label: Place }>;
}

const NODE_GAP = 36;
const LANE_GAP = 18;
/** Between a layer of nodes and the lanes below it. */
const LAYER_GAP = 26;
const LABEL_HEIGHT = 18;
/** A longer arrow is drawn straight: lanes for it would be as many as nodes it passes. */
const SPAN_MAX = 16;
const ORDER_SWEEPS = 8;
const ALIGN_SWEEPS = 6;
/** How much straighter the way of a long arrow is to be than that of a short one. */
const STRAIGHT = 8;

/** A box, or the place where an arrow passes a layer. */
interface Item {
  box?: Box;
  layer: number;
  width: number;
  x: number;
  /** Position in its layer, and the one that its neighbours would give it. */
  at: number;
  wish: number;
  up: Item[];
  down: Item[];
}

interface Arrow {
  link: Link;
  /** It leads up: then the upper end is its target. */
  turned: boolean;
  upper: Item;
  lower: Item;
  lanes: Item[];
}

export function layered(boxes: Box[], links: Link[]): Layered {
  const items = new Map(boxes.map((box) => [box.id, newItem(box.width, box)]));
  const arrows = acyclic(items, links);
  rank([...items.values()], arrows);
  const layers = layersOf([...items.values()], arrows);
  order(layers);
  align(layers);
  return drawn(layers, items, arrows);
}

function newItem(width: number, box?: Box): Item {
  return { box, layer: 0, width, x: 0, at: 0, wish: 0, up: [], down: [] };
}

/** Turns the arrows that close a circle, found from the first boxes on. */
function acyclic(items: Map<string, Item>, links: Link[]): Arrow[] {
  const out = new Map<Item, { link: Link; to: Item }[]>([...items.values()].map((item) => [item, []]));
  for (const link of links) {
    const from = items.get(link.source);
    const to = items.get(link.target);
    if (from && to && from !== to) out.get(from)!.push({ link, to });
  }
  const arrows: Arrow[] = [];
  const state = new Map<Item, "open" | "done">();
  for (const first of items.values()) {
    if (state.has(first)) continue;
    const path = [{ item: first, next: 0 }];
    state.set(first, "open");
    while (path.length > 0) {
      const top = path.at(-1)!;
      const way = out.get(top.item)![top.next++];
      if (!way) {
        state.set(top.item, "done");
        path.pop();
        continue;
      }
      const turned = state.get(way.to) === "open";
      const [upper, lower] = turned ? [way.to, top.item] : [top.item, way.to];
      arrows.push({ link: way.link, turned, upper, lower, lanes: [] });
      if (!state.has(way.to)) {
        state.set(way.to, "open");
        path.push({ item: way.to, next: 0 });
      }
    }
  }
  return arrows;
}

/** Gives each box its layer: below all that lead to it, and close above what it leads to. Odd layers are for lanes. */
function rank(items: Item[], arrows: Arrow[]) {
  const below = new Map<Item, Item[]>(items.map((item) => [item, []]));
  const waiting = new Map<Item, number>(items.map((item) => [item, 0]));
  for (const { upper, lower } of arrows) {
    below.get(upper)!.push(lower);
    waiting.set(lower, waiting.get(lower)! + 1);
  }
  const sources = items.filter((item) => waiting.get(item) === 0);
  const ready = [...sources];
  for (let item = ready.pop(); item; item = ready.pop()) {
    for (const lower of below.get(item)!) {
      lower.layer = Math.max(lower.layer, item.layer + 2);
      const left = waiting.get(lower)! - 1;
      waiting.set(lower, left);
      if (left === 0) ready.push(lower);
    }
  }
  for (const source of sources) {
    const nearest = Math.min(...below.get(source)!.map((lower) => lower.layer));
    if (Number.isFinite(nearest)) source.layer = nearest - 2;
  }
}

function layersOf(items: Item[], arrows: Arrow[]): Item[][] {
  const count = Math.max(0, ...items.map((item) => item.layer)) + 1;
  const layers: Item[][] = Array.from({ length: count }, () => []);
  for (const item of items) layers[item.layer]!.push(item);
  for (const arrow of arrows) {
    const { upper, lower, link } = arrow;
    const lanes = lower.layer - upper.layer - 1;
    if (lanes >= 2 * SPAN_MAX) continue;
    let above = upper;
    for (let number = 0; number < lanes; number += 1) {
      const lane = newItem(number === (lanes - 1) / 2 ? link.labelWidth : 0);
      lane.layer = upper.layer + 1 + number;
      join(above, lane);
      layers[lane.layer]!.push(lane);
      arrow.lanes.push(lane);
      above = lane;
    }
    join(above, lower);
  }
  for (const layer of layers) number(layer);
  return layers;
}

function join(above: Item, below: Item) {
  above.down.push(below);
  below.up.push(above);
}

function number(layer: Item[]) {
  for (const [at, item] of layer.entries()) item.at = at;
}

/** Sorts each layer by the middle of its neighbours, down and up in turn, and keeps the order with the fewest crossings. */
function order(layers: Item[][]) {
  let best = layers.map((layer) => [...layer]);
  let fewest = crossings(layers);
  for (let sweep = 0; sweep < ORDER_SWEEPS && fewest > 0; sweep += 1) {
    const isDown = sweep % 2 === 0;
    for (const layer of isDown ? layers : [...layers].reverse()) {
      for (const item of layer) item.wish = mean(isDown ? item.up : item.down) ?? item.at;
      layer.sort((a, b) => a.wish - b.wish || a.at - b.at);
      number(layer);
    }
    const found = crossings(layers);
    if (found >= fewest) continue;
    fewest = found;
    best = layers.map((layer) => [...layer]);
  }
  for (const [index, layer] of best.entries()) {
    layers[index] = layer;
    number(layer);
  }
}

/** How many pairs of arrows cross: inversions, counted with a tree of sums. */
function crossings(layers: Item[][]): number {
  let count = 0;
  for (const layer of layers) {
    const ends = layer.flatMap((item) => item.down.map((other) => other.at).sort((a, b) => a - b));
    const size = Math.max(0, ...ends) + 1;
    const sums = new Int32Array(size + 1);
    for (const [seen, end] of ends.entries()) {
      let notBeyond = 0;
      for (let at = end + 1; at > 0; at -= at & -at) notBeyond += sums[at]!;
      count += seen - notBeyond;
      for (let at = end + 1; at <= size; at += at & -at) sums[at]! += 1;
    }
  }
  return count;
}

/** Moves each layer as near to its neighbours as the widths of its items allow. */
function align(layers: Item[][]) {
  for (const layer of layers) {
    let x = 0;
    for (const [at, item] of layer.entries()) {
      x += at === 0 ? 0 : apart(layer[at - 1]!, item);
      item.x = x;
    }
    for (const item of layer) item.x -= x / 2;
  }
  for (let sweep = 0; sweep < ALIGN_SWEEPS; sweep += 1) {
    for (const layer of layers) settle(layer, (item) => item.up);
    for (const layer of [...layers].reverse()) settle(layer, (item) => item.down);
  }
  for (const layer of layers) settle(layer, (item) => [...item.up, ...item.down]);
}

/**
 * The places of a layer's items that are together nearest to where each would like
 * to be (least squares) and keep their order and distances: an isotonic regression,
 * by pooling neighbours that would come too close.
 */
function settle(layer: Item[], neighbours: (item: Item) => Item[]) {
  const blocks: { first: number; sum: number; weight: number }[] = [];
  const offsets: number[] = [];
  for (const [at, item] of layer.entries()) {
    offsets.push(at === 0 ? 0 : offsets[at - 1]! + apart(layer[at - 1]!, item));
    let weight = 0;
    let sum = 0;
    for (const other of neighbours(item)) {
      const pull = item.box || other.box ? 1 : STRAIGHT;
      weight += pull;
      sum += pull * other.x;
    }
    const wished = weight > 0 ? sum / weight : item.x;
    weight = Math.max(weight, 0.1);
    let block = { first: at, sum: (wished - offsets[at]!) * weight, weight };
    for (let last = blocks.at(-1); last && last.sum / last.weight >= block.sum / block.weight; last = blocks.at(-1)) {
      blocks.pop();
      block = { first: last.first, sum: last.sum + block.sum, weight: last.weight + block.weight };
    }
    blocks.push(block);
  }
  for (const [index, block] of blocks.entries()) {
    const end = blocks[index + 1]?.first ?? layer.length;
    for (let at = block.first; at < end; at += 1) layer[at]!.x = block.sum / block.weight + offsets[at]!;
  }
}

function apart(left: Item, right: Item): number {
  return (left.width + right.width) / 2 + (left.box && right.box ? NODE_GAP : LANE_GAP);
}

function drawn(layers: Item[][], items: Map<string, Item>, arrows: Arrow[]): Layered {
  const heights = layers.map((layer) => Math.max(0, ...layer.map((item) => item.box?.height ?? (item.width > 0 ? LABEL_HEIGHT : 0))));
  const middles: number[] = [];
  let y = 0;
  for (const height of heights) {
    middles.push(y + height / 2);
    y += height + LAYER_GAP;
  }
  const left = Math.min(0, ...layers.flat().map((item) => item.x - item.width / 2));
  const places = new Map<string, Place>();
  for (const [id, item] of items) places.set(id, { x: item.x - left, y: middles[item.layer]! });
  const ways: Layered["ways"] = new Map();
  for (const { link, turned, upper, lower, lanes } of arrows) {
    if (lanes.length === 0) continue;
    // What leads back keeps beside what leads on between the same two.
    const shift = (item: Item) => (turned ? item.width / 4 : 0);
    const points = [{ x: upper.x + shift(upper) - left, y: middles[upper.layer]! + upper.box!.height / 2 }];
    for (const lane of lanes) {
      const x = lane.x - left;
      const middle = middles[lane.layer]!;
      const half = heights[lane.layer]! / 2;
      // Beside a tall box an arrow goes straight down.
      if (half > LABEL_HEIGHT) points.push({ x, y: middle - half }, { x, y: middle + half });
      else points.push({ x, y: middle });
    }
    points.push({ x: lower.x + shift(lower) - left, y: middles[lower.layer]! - lower.box!.height / 2 });
    const labelled = lanes[(lanes.length - 1) / 2]!;
    const label = { x: labelled.x - left, y: middles[labelled.layer]! };
    ways.set(link.id, { points: turned ? points.reverse() : points, label });
  }
  return { places, ways };
}

/** Of the positions of items. */
function mean(items: Item[]): number | undefined {
  return items.length === 0 ? undefined : items.reduce((sum, item) => sum + item.at, 0) / items.length;
}
