import { expect, test } from "vitest";
import { layOut, type PlacedNode } from "./layout";
import type { Picture } from "./picture";

function chain(length: number): Picture {
  const names = Array.from({ length }, (_, at) => `n${at}`);
  return {
    nodes: names.map((name) => ({ id: name, name, kind: "function", detail: "" })),
    edges: names.slice(1).map((name, at) => ({
      id: `${names[at]}→${name}`,
      source: names[at]!,
      target: name,
      kind: "plain",
      routes: [],
      labels: [],
    })),
  };
}

function at(nodes: PlacedNode[], id: string): PlacedNode {
  return nodes.find((node) => node.id === id)!;
}

test("a node that was placed by hand stays, its neighbours come along, none covers another", () => {
  const placed = { n2: { x: 900, y: 40 }, n3: { x: 900, y: 80 } };
  const { nodes } = layOut(chain(12), placed);
  expect(at(nodes, "n2")).toMatchObject(placed.n2);
  expect(at(nodes, "n3")).toMatchObject(placed.n3);
  expect(at(nodes, "n4").x).toBeGreaterThan(500);
  const free = nodes.filter((node) => node.id !== "n2" && node.id !== "n3");
  for (const a of free) {
    for (const b of nodes) {
      if (a === b) continue;
      const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
      expect(apart, `${a.id} and ${b.id}`).toBe(true);
    }
  }
});

test("an unfolded subgraph holds its nodes", () => {
  const picture = chain(2);
  picture.nodes.push({ id: "n1/inner", name: "inner", parent: "n1", kind: "function", detail: "" });
  picture.nodes[1]!.unfolded = true;
  const { nodes } = layOut(picture, {});
  const outer = at(nodes, "n1");
  const inner = at(nodes, "n1/inner");
  expect(inner.x + inner.width).toBeLessThanOrEqual(outer.width);
  expect(inner.y + inner.height).toBeLessThanOrEqual(outer.height);
});
