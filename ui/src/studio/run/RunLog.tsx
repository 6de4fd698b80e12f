import {
  IconAlertTriangle,
  IconArrowRight,
  IconCheck,
  IconCircleX,
  IconFlag,
  IconHandStop,
  IconInfoCircle,
  IconPlayerPlay,
  IconRefresh,
  IconSparkles,
  IconTool,
} from "@tabler/icons-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { LogLine } from "@/canvas/model/run";
import { useSpeech } from "@/i18n";
import { Empty } from "@/ui/Empty";
import { JsonTree } from "@/ui/JsonTree";
import { clock, duration } from "@/util/format";
import { useStudio } from "../store";
import classes from "./run.module.css";

const ICONS: Partial<Record<LogLine["kind"], typeof IconCheck>> = {
  start: IconPlayerPlay,
  node_enter: IconArrowRight,
  node_exit: IconCheck,
  node_retry: IconRefresh,
  llm_request: IconSparkles,
  llm_response: IconSparkles,
  tool_call: IconTool,
  tool_result: IconTool,
  interrupt: IconHandStop,
  error: IconAlertTriangle,
  done: IconFlag,
};

/** How far back a long run is listed before one asks for more. */
const LINES_SHOWN = 400;

/** What happened, in order, with answers as they arrive. */
export function RunLog() {
  const { t } = useSpeech();
  const run = useStudio((state) => state.run);
  const end = useRef<HTMLDivElement>(null);
  const [all, setAll] = useState(false);
  const streams = Object.entries(run.streams);
  const length = run.log.length + streams.reduce((sum, [, { text }]) => sum + text.length, 0);
  useEffect(() => {
    const page = end.current?.parentElement?.parentElement;
    // Who has scrolled up to read is left there.
    if (page && page.scrollHeight - page.scrollTop - page.clientHeight < 160) end.current?.scrollIntoView({ block: "end" });
  }, [length]);

  const lines = useMemo(() => told(run.log), [run.log]);
  if (run.log.length === 0) return <Empty icon={IconInfoCircle} title={t("run.nothingYet")} text={t("run.nothingYetHint")} />;
  const shown = all ? lines : lines.slice(-LINES_SHOWN);
  return (
    <div>
      {lines.length > shown.length && (
        <button type="button" className={classes.line} onClick={() => setAll(true)}>
          <span />
          {t("run.earlier", { count: lines.length - shown.length })}
        </button>
      )}
      <ol className={classes.log} aria-label={t("run.log")}>
        {shown.map((line) => (
          <Line key={line.key} line={line} />
        ))}
      </ol>
      {streams.map(([task, { node, text }]) => (
        <p key={task} className={classes.stream} aria-label={node}>
          {text}
          <span className={classes.caret} aria-hidden />
        </p>
      ))}
      <div ref={end} />
    </div>
  );
}

/** What a reader is told: the start of a model call and its answer are one line, and so are the begin and end of a node. */
function told(log: LogLine[]): LogLine[] {
  const ends = new Map<string | undefined, number>();
  for (const { key, kind, task } of log) if (kind === "node_exit" || kind === "interrupt") ends.set(task, key);
  return log.filter(({ key, kind, task, step }) => {
    const isOver = kind === "node_enter" && step !== undefined && (ends.get(task) ?? -1) > key;
    return kind !== "llm_request" && !isOver;
  });
}

function Line({ line }: { line: LogLine }) {
  const { t, locale } = useSpeech();
  const [open, setOpen] = useState(false);
  const Icon = line.tone === "bad" ? IconCircleX : (ICONS[line.kind] ?? IconInfoCircle);
  const subject = line.node ?? t(`event.${line.kind}`);
  return (
    <li>
      <button
        type="button"
        className={classes.line}
        data-tone={line.tone}
        data-open={open || undefined}
        aria-expanded={open}
        title={clock(new Date(line.time / 1_000).toISOString(), locale)}
        onClick={() => setOpen(!open)}
      >
        <Icon size={15} stroke={1.8} className={classes.lineIcon} aria-hidden />
        <span style={{ minWidth: 0 }}>
          <span className={classes.lineHead}>{subject}</span>
          {line.node !== undefined && <span style={{ color: "var(--ink-3)" }}> {t(`event.${wordOf(line)}`)}</span>}
          {line.text && <span className={classes.lineText}>{line.text}</span>}
        </span>
        <span className={classes.lineSide}>{line.durationUs != null && duration(line.durationUs)}</span>
      </button>
      {open && line.data !== undefined && (
        <div className={classes.data}>
          <JsonTree value={line.data} />
        </div>
      )}
    </li>
  );
}

/** A node that failed did not just end. */
function wordOf({ kind, tone }: LogLine): LogLine["kind"] {
  return kind === "node_exit" && tone === "bad" ? "error" : kind;
}
