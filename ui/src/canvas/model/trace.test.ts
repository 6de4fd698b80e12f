import { expect, test } from "vitest";
import type { TraceSpan } from "./run";
import { traceOf } from "./trace";

function span(name: string, kind: TraceSpan["kind"], task: string, start: number): TraceSpan {
  return { key: start, kind, name, node: "n", task, start, end: start + 10, failed: false, depth: kind === "node" ? 0 : 1 };
}

test("what nodes that run at once call stands below each of them", () => {
  const spans = [
    span("b", "node", "2", 1),
    span("a", "node", "1", 0),
    span("of a", "tool", "1", 5),
    span("of b", "model", "2", 3),
    span("a again", "node", "1", 20),
    span("of a again", "tool", "1", 22),
  ];
  const { ordered, begin, end } = traceOf(spans);
  expect(ordered.map((span) => span.name)).toEqual(["a", "of a", "b", "of b", "a again", "of a again"]);
  expect([begin, end]).toEqual([0, 32]);
});
