import type { RunEvent } from "@/api/events";
import { isElided, isRecord } from "./run";

/** What one node task of the root graph did. */
export interface TaskView {
  node: string;
  /** What it wrote; the failure of one that failed. */
  result: unknown;
  failed: boolean;
  durationUs: number;
}

export interface RunSteps {
  /** Tasks by superstep, each step's in a fixed order. */
  steps: Map<number, TaskView[]>;
}

/**
 * How two runs did a step: `long` when the log leaves out what they wrote, and
 * only the state tells; `shared` when one goes on from the other behind it.
 */
export type Verdict = "same" | "different" | "long" | "left" | "right" | "shared";

export interface ComparedStep {
  /** The superstep in each run; absent where that run has none. */
  leftStep?: number;
  rightStep?: number;
  left: TaskView[];
  right: TaskView[];
  verdict: Verdict;
}

export function stepsOf(events: RunEvent[]): RunSteps {
  const steps = new Map<number, TaskView[]>();
  for (const event of events) {
    if (event.kind !== "node_exit" || event.step == null || (event.namespace ?? []).length > 0) continue;
    const data = isRecord(event.data) ? event.data : {};
    const failed = data.error !== undefined;
    const task = { node: event.node ?? "", result: failed ? data.error : data.update, failed, durationUs: event.duration_us ?? 0 };
    steps.set(event.step, [...(steps.get(event.step) ?? []), task]);
  }
  // Tasks of a step end in any order.
  for (const tasks of steps.values()) tasks.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  return { steps };
}

/** Which of two runs goes on from the other, and behind which of its steps. */
export interface Branching {
  side: "left" | "right";
  at: number;
}

/**
 * Puts the steps of two runs beside each other, each counted from its own first: a
 * thread counts on from run to run, and a state that is edited takes a number too.
 * Those of a fork stand beside what came behind the place where it branched off.
 */
export function compareRuns(left: RunSteps, right: RunSteps, fork?: Branching): ComparedStep[] {
  const first = (run: RunSteps, side: Branching["side"]) =>
    fork && fork.side !== side ? fork.at + 1 : Math.min(...run.steps.keys());
  const shift = left.steps.size > 0 && right.steps.size > 0 ? first(right, "right") - first(left, "left") : 0;
  const numbers = [...new Set([...left.steps.keys(), ...[...right.steps.keys()].map((step) => step - shift)])].sort((a, b) => a - b);
  return numbers.map((number) => {
    const ours = left.steps.get(number);
    const theirs = right.steps.get(number + shift);
    return {
      leftStep: ours && number,
      rightStep: theirs && number + shift,
      left: ours ?? [],
      right: theirs ?? [],
      verdict: fork && (fork.side === "right" ? number : number + shift) <= fork.at ? "shared" : verdictOf(ours, theirs),
    };
  });
}

/** The first step that is known to differ. */
export function firstDifference(steps: ComparedStep[]): ComparedStep | undefined {
  return steps.find(({ verdict }) => verdict === "different" || verdict === "left" || verdict === "right");
}

function verdictOf(left: TaskView[] | undefined, right: TaskView[] | undefined): Verdict {
  if (!left) return "right";
  if (!right) return "left";
  const isSame = left.length === right.length && left.every((task, at) => keyOf(task) === keyOf(right[at]!));
  if (!isSame) return "different";
  return left.some((task) => holdsElided(task.result)) ? "long" : "same";
}

function keyOf({ node, failed, result }: TaskView): string {
  return `${node}\u0000${failed}\u0000${canonical(result)}`;
}

/** JSON with sorted keys: the same value gives the same text. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    isRecord(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  ) ?? "";
}

function holdsElided(value: unknown): boolean {
  if (isElided(value)) return true;
  if (Array.isArray(value)) return value.some(holdsElided);
  return isRecord(value) && Object.values(value).some(holdsElided);
}
