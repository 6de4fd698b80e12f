import { expect, test } from "vitest";
import { type Box, layered, type Link } from "./layered";

const boxes = (...ids: string[]): Box[] => ids.map((id) => ({ id, width: 160, height: 56 }));
const links = (...ways: string[]): Link[] =>
  ways.map((way) => {
    const [source = "", target = ""] = way.split(">");
    return { id: way, source, target, labelWidth: 0 };
  });

test("a chain is one straight line down", () => {
  const { places, ways } = layered(boxes("a", "b", "c"), links("a>b", "b>c"));
  const [a, b, c] = ["a", "b", "c"].map((id) => places.get(id)!);
  expect([a!.x, b!.x]).toEqual([b!.x, c!.x]);
  expect(a!.y < b!.y && b!.y < c!.y).toBe(true);
  expect(new Set(ways.get("a>b")!.points.map(({ x }) => x)).size).toBe(1);
});

test("a fork is balanced over what it joins in, and nothing crosses", () => {
  const { places } = layered(boxes("a", "l", "r", "z"), links("a>l", "a>r", "l>z", "r>z"));
  const x = (id: string) => places.get(id)!.x;
  expect(x("a")).toBeCloseTo((x("l") + x("r")) / 2);
  expect(x("z")).toBeCloseTo(x("a"));
});

test("an arrow that skips a layer keeps clear of the box in it", () => {
  const { places, ways } = layered(boxes("a", "b", "c"), links("a>b", "b>c", "a>c"));
  const b = places.get("b")!;
  const beside = ways.get("a>c")!.points.filter(({ y }) => Math.abs(y - b.y) <= 28);
  expect(beside.length).toBeGreaterThan(0);
  for (const point of beside) expect(Math.abs(point.x - b.x)).toBeGreaterThanOrEqual(80);
});

test("an arrow that leads back goes up from its source to its target", () => {
  const { places, ways } = layered(boxes("a", "b"), links("a>b", "b>a"));
  expect(places.get("a")!.y).toBeLessThan(places.get("b")!.y);
  const points = ways.get("b>a")!.points;
  expect(points[0]!.y).toBeGreaterThan(points.at(-1)!.y);
});

test("crossings are undone by another order", () => {
  const { places } = layered(boxes("s", "a", "b", "c", "x", "y", "z"), links("s>a", "s>b", "s>c", "a>z", "b>y", "c>x"));
  const x = (id: string) => places.get(id)!.x;
  expect(Math.sign(x("a") - x("c"))).toBe(Math.sign(x("z") - x("x")));
});

test("labels of arrows to neighbours do not cover each other", () => {
  const wide = links("a>b", "a>c").map((link) => ({ ...link, labelWidth: 240 }));
  const { ways } = layered(boxes("a", "b", "c"), wide);
  const at = (id: string) => ways.get(id)!.label;
  expect(Math.abs(at("a>b").x - at("a>c").x)).toBeGreaterThanOrEqual(240);
});

test("a long chain with an exit at each box is drawn, boxes of a layer apart", () => {
  const names = Array.from({ length: 300 }, (_, at) => `n${at}`);
  const ways = names.flatMap((name, at) => (at === 0 ? [] : [`${names[at - 1]}>${name}`, `${name}>end`]));
  const { places } = layered(boxes(...names, "end"), links(...ways));
  expect(places.size).toBe(301);
  expect(places.get("end")!.y).toBeGreaterThan(places.get("n299")!.y);
});
