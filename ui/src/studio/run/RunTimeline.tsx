import { IconTimeline } from "@tabler/icons-react";
import { useMemo } from "react";
import type { TraceSpan } from "@/canvas/model/run";
import { traceOf } from "@/canvas/model/trace";
import { useT } from "@/i18n";
import { Empty } from "@/ui/Empty";
import { Rows } from "@/ui/Rows";
import { duration } from "@/util/format";
import { useStudio } from "../store";
import classes from "./run.module.css";

/** Which node, model call and tool call took how long, and when. */
export function RunTimeline() {
  const t = useT();
  const spans = useStudio((state) => state.run.spans);
  const select = useStudio((state) => state.select);
  if (spans.length === 0) return <Empty icon={IconTimeline} title={t("run.nothingYet")} text={t("run.nothingYetHint")} />;
  return <Waterfall spans={spans} onChoose={(span) => select(span.node)} />;
}

const ROW_HEIGHT = 26;

export function Waterfall({ spans, onChoose }: { spans: TraceSpan[]; onChoose?(span: TraceSpan): void }) {
  const t = useT();
  const { ordered, begin, end } = useMemo(() => traceOf(spans), [spans]);
  return (
    <div className={classes.timeline}>
      <Rows
        label={t("run.timeline")}
        items={ordered}
        height={ROW_HEIGHT}
        keyOf={(span) => span.key}
        row={(span) => <Bar span={span} begin={begin} end={end} onChoose={onChoose} />}
      />
    </div>
  );
}

interface BarProps {
  span: TraceSpan;
  /** Microseconds of the whole. */
  begin: number;
  end: number;
  onChoose?(span: TraceSpan): void;
}

function Bar({ span, begin, end, onChoose }: BarProps) {
  const t = useT();
  const part = (time: number) => `${((time - begin) / (end - begin)) * 100}%`;
  const kind = span.kind === "node" ? "" : ` (${t(span.kind === "model" ? "node.model" : "node.tool")})`;
  return (
    <button type="button" className={classes.bar} onClick={() => onChoose?.(span)} title={`${label(span)}${kind}`}>
      <span className={classes.barName} style={{ paddingLeft: span.depth * 10, color: span.kind === "node" ? undefined : "var(--ink-3)" }}>
        {label(span)}
      </span>
      <span className={classes.track}>
        <span
          className={classes.length}
          data-kind={span.kind}
          data-failed={span.failed || undefined}
          data-open={span.end === undefined || undefined}
          style={{ left: part(span.start), width: `calc(${part(span.end ?? end)} - ${part(span.start)})` }}
        />
      </span>
      <span className={classes.barTime}>{span.end === undefined ? "…" : duration(span.end - span.start)}</span>
    </button>
  );
}

function label(span: TraceSpan): string {
  return span.kind === "model" ? shortModel(span.name) : span.name;
}

/** The scripted model's name holds the path of its script; the log may leave a name out. */
function shortModel(name: string): string {
  return name.startsWith("scripted:") ? "scripted" : name === "" || name === "…" ? "model" : name;
}
