import type { TraceSpan } from "./run";

/** Spans for reading: nodes as they began, and below each what it called. Also when all began and ended. */
export function traceOf(spans: TraceSpan[]): { ordered: TraceSpan[]; begin: number; end: number } {
  const byStart = [...spans].sort((a, b) => a.start - b.start || a.depth - b.depth);
  const begin = byStart[0]?.start ?? 0;
  const end = spans.reduce((last, span) => Math.max(last, span.end ?? span.start), begin + 1);
  return { ordered: nested(byStart), begin, end };
}

function nested(byStart: TraceSpan[]): TraceSpan[] {
  // A task that is tried again has a span for each attempt: a call is of the last that began.
  const groups: TraceSpan[][] = [];
  const ofTask = new Map<string, TraceSpan[]>();
  for (const span of byStart) {
    const known = span.kind === "node" || span.task === undefined ? undefined : ofTask.get(span.task);
    if (known) {
      known.push(span);
      continue;
    }
    const group = [span];
    groups.push(group);
    if (span.kind === "node" && span.task !== undefined) ofTask.set(span.task, group);
  }
  return groups.flat();
}
