import { ActionIcon, Button, Tabs, Tooltip } from "@mantine/core";
import {
  IconPlayerPause,
  IconPlayerPlayFilled,
  IconPlayerStop,
  IconPlayerTrackNext,
  IconRecycle,
  IconRefresh,
  IconX,
} from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api } from "@/api/actions";
import type { StreamState } from "@/api/events";
import { Refused } from "@/api/client";
import { type Execution, type Failure, isFinal } from "@/api/types";
import { FailureNote } from "@/components/FailureNote";
import { Saved } from "@/components/Saved";
import { say } from "@/components/say";
import { useSpeech } from "@/i18n";
import { Status } from "@/ui/Status";
import { count, duration, money, shortId } from "@/util/format";
import { breakpointsOf, useStudio } from "../store";
import type { Forking } from "./EditState";
import { QuestionCard } from "./QuestionCard";
import { RunInput } from "./RunInput";
import { RunLog } from "./RunLog";
import classes from "./run.module.css";
import { RunState } from "./RunState";
import { RunTimeline } from "./RunTimeline";

interface Props {
  execution: Execution | undefined;
  stream: StreamState;
  starting: boolean;
  onStart(input: Record<string, unknown>): void;
  /** Does the run again with the text that is open, and only what changed. */
  onRerun(id: string): Promise<void>;
  onFork: Forking;
  onClose(): void;
  sample: Record<string, unknown> | undefined;
}

/** One run: what goes in, what happens, what it asks, what comes out. */
export function RunPanel({ execution, stream, starting, onStart, onRerun, onFork, onClose, sample }: Props) {
  const { t } = useSpeech();
  const [tab, setTab] = useState<string | null>("input");
  useEffect(() => setTab(execution ? "log" : "input"), [execution?.id]);
  const questions = execution?.status === "waiting" ? (execution.questions ?? []) : [];
  return (
    <aside className={classes.panel} aria-label={t("run.title")}>
      <header className={classes.header}>
        {execution ? <Status status={execution.status} /> : <h2 className={classes.title}>{t("run.title")}</h2>}
        {stream === "lost" && execution && !isFinal(execution.status) && <span className={classes.lost}>{t("run.lost")}</span>}
        <div className={classes.controls}>{execution && <Controls execution={execution} onRerun={onRerun} />}</div>
        <Tooltip label={t("common.close")}>
          <ActionIcon onClick={onClose} aria-label={t("common.close")}>
            <IconX size={16} />
          </ActionIcon>
        </Tooltip>
      </header>
      {execution && <Figures execution={execution} />}
      {execution && <Origin execution={execution} />}
      {execution?.savings && <Saved savings={execution.savings} />}
      {(execution?.stopped_before ?? []).length > 0 && (
        <p className={classes.stopped}>{t("run.stoppedBefore", { nodes: execution!.stopped_before!.join(", ") })}</p>
      )}
      {execution?.status === "failed" && execution.error != null && (
        <div className={classes.failure}>
          <FailureNote failure={execution.error as Failure} />
        </div>
      )}
      {questions.map((question) => (
        <QuestionCard key={question.id} execution={execution!.id} question={question} />
      ))}
      <Tabs value={tab} onChange={setTab} className={classes.tabs} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="input">{t("run.input")}</Tabs.Tab>
          <Tabs.Tab value="log">{t("run.log")}</Tabs.Tab>
          <Tabs.Tab value="state">{t("run.state")}</Tabs.Tab>
          <Tabs.Tab value="timeline">{t("run.timeline")}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="input" className={classes.page}>
          <RunInput sample={sample} starting={starting} again={execution !== undefined} onStart={onStart} />
        </Tabs.Panel>
        <Tabs.Panel value="log" className={classes.page}>
          <RunLog />
        </Tabs.Panel>
        <Tabs.Panel value="state" className={classes.page}>
          <RunState execution={execution} onFork={onFork} />
        </Tabs.Panel>
        <Tabs.Panel value="timeline" className={classes.page}>
          <RunTimeline />
        </Tabs.Panel>
      </Tabs>
    </aside>
  );
}

function Controls({ execution, onRerun }: { execution: Execution; onRerun(id: string): Promise<void> }) {
  const { t } = useSpeech();
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const { id, status } = execution;
  const act = async (ask: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await ask();
    } catch (error) {
      say.trouble(error instanceof Refused ? error.message : t("error.unreachable"));
    } finally {
      setBusy(false);
      void client.invalidateQueries({ queryKey: ["execution", id] });
    }
  };
  // At a breakpoint there is no question, and any way on may stop before the next node again.
  const stopped = (execution.stopped_before ?? []).length > 0;
  const { breakpoints } = useStudio.getState();
  const buttons = [
    stopped
      ? {
          label: t("run.resume"),
          icon: IconPlayerPlayFilled,
          run: () => api.resume(id, { breakpoints: breakpointsOf(breakpoints) ?? {} }),
        }
      : undefined,
    stopped
      ? { label: t("run.stepOn"), icon: IconPlayerTrackNext, run: () => api.resume(id, { breakpoints: { before: ["*"] } }) }
      : undefined,
    status === "running" || status === "queued"
      ? { label: t("run.pause"), icon: IconPlayerPause, run: () => api.pause(id) }
      : undefined,
    status === "paused" ? { label: t("run.resume"), icon: IconPlayerPlayFilled, run: () => api.resume(id, {}) } : undefined,
    status === "failed" ? { label: t("run.retry"), icon: IconRefresh, run: () => api.retry(id) } : undefined,
    isFinal(status) ? { label: t("run.rerun"), icon: IconRecycle, run: () => onRerun(id) } : undefined,
    isFinal(status) ? undefined : { label: t("run.cancel"), icon: IconPlayerStop, run: () => api.cancel(id) },
  ].filter((button) => button !== undefined);
  return buttons.map(({ label, icon: Icon, run }) => (
    <Button
      key={label}
      size="compact-xs"
      variant="default"
      className={classes.control}
      disabled={busy}
      leftSection={<Icon size={13} />}
      onClick={() => void act(run)}
    >
      {label}
    </Button>
  ));
}

/** What a fork goes on from, and the way to see both beside each other. */
function Origin({ execution }: { execution: Execution }) {
  const { t } = useSpeech();
  const origin = execution.forked_from?.execution ?? execution.rerun_of;
  if (!origin) return null;
  return (
    <p className={classes.origin}>
      <Link to="/executions/$id" params={{ id: origin }} search={{ tab: "history" }}>
        {execution.forked_from ? t("history.forkedFrom", { id: shortId(origin) }) : t("saved.rerunOf", { id: shortId(origin) })}
      </Link>
      <Link to="/compare" search={{ left: origin, right: execution.id }}>
        {t("compare.with")}
      </Link>
    </p>
  );
}

function Figures({ execution }: { execution: Execution }) {
  const { t, locale } = useSpeech();
  const run = useStudio((state) => state.run);
  const now = useNow(run.startedAt !== undefined && run.endedAt === undefined && !isFinal(execution.status));
  const elapsed = run.startedAt === undefined ? undefined : (run.endedAt ?? now * 1_000) - run.startedAt;
  const tokens = Math.max(run.usage.input + run.usage.output, execution.tokens_input + execution.tokens_output);
  const micros = Math.max(run.costMicros, Math.round(Number(execution.cost) * 1_000_000));
  const figures = [
    { label: t("run.time"), value: elapsed === undefined ? "–" : duration(Math.max(0, elapsed)) },
    { label: t("run.tokens"), value: count(tokens, locale) },
    { label: t("run.cost"), value: money(micros, locale) },
  ];
  return (
    <dl className={classes.figures}>
      {figures.map(({ label, value }) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd className="numeric">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Milliseconds since 1970, moving while something goes on. */
function useNow(moving: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!moving) return;
    const timer = setInterval(() => setNow(Date.now()), 200);
    return () => clearInterval(timer);
  }, [moving]);
  return now;
}
