import { expect, test } from "vitest";
import type { RunEvent } from "@/api/events";
import { compareRuns, firstDifference, stepsOf } from "./compare";

function run(first: number, ...updates: Record<string, unknown>[]) {
  const events = updates.map((update, at) => ({ sequence: at + 1, time: at, kind: "node_exit", step: first + at, node: `n${at}`, data: { update } }));
  return stepsOf(events as unknown as RunEvent[]);
}

test("runs are the same up to the first step that wrote something else", () => {
  const left = run(1, { a: 1, b: 2 }, { c: 3 }, { d: 4 });
  const right = run(1, { b: 2, a: 1 }, { c: 5 }, { d: 4 });
  const steps = compareRuns(left, right);
  expect(steps.map(({ verdict }) => verdict)).toEqual(["same", "different", "same"]);
  expect(firstDifference(steps)?.leftStep).toBe(2);
});

test("a second run of a thread counts on, and is compared from its own first step", () => {
  const steps = compareRuns(run(1, { a: 1 }, { c: 3 }), run(8, { a: 1 }));
  expect(steps.map(({ verdict, leftStep, rightStep }) => [verdict, leftStep, rightStep])).toEqual([
    ["same", 1, 8],
    ["left", 2, undefined],
  ]);
});

test("what a fork goes on from is shared, and an edit before it goes on shifts its steps", () => {
  const origin = run(1, { a: 1 }, { c: 3 }, { d: 4 });
  const forked = stepsOf([
    { sequence: 1, time: 0, kind: "node_exit", step: 3, node: "n1", data: { update: { c: 7 } } },
    { sequence: 2, time: 0, kind: "node_exit", step: 4, node: "n2", data: { update: { d: 4 } } },
  ] as unknown as RunEvent[]);
  const beside = (steps: ReturnType<typeof compareRuns>) => steps.map(({ verdict, leftStep, rightStep }) => [verdict, leftStep, rightStep]);
  expect(beside(compareRuns(origin, forked, { side: "right", at: 1 }))).toEqual([
    ["shared", 1, undefined],
    ["different", 2, 3],
    ["same", 3, 4],
  ]);
  expect(beside(compareRuns(forked, origin, { side: "left", at: 1 }))).toEqual([
    ["shared", undefined, 1],
    ["different", 3, 2],
    ["same", 4, 3],
  ]);
});

test("what the log leaves out is not taken for the same", () => {
  const long = { text: { $type: "elided", bytes: 5_000_000 } };
  const steps = compareRuns(run(1, long), run(1, long));
  expect(steps[0]?.verdict).toBe("long");
  expect(firstDifference(steps)).toBeUndefined();
});

test("the order in which tasks of a step end makes no difference", () => {
  const task = (node: string) => ({ sequence: 1, time: 0, kind: "node_exit", step: 1, node, data: { update: { node } } });
  const steps = (...nodes: string[]) => stepsOf(nodes.map(task) as unknown as RunEvent[]);
  expect(compareRuns(steps("a", "b"), steps("b", "a"))[0]?.verdict).toBe("same");
});
