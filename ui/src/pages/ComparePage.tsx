import { Select, Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useMemo } from "react";
import { checkpointsQuery, eventsQuery, executionQuery, executionSourceQuery, executionsQuery, stateQuery } from "@/api/queries";
import type { Execution } from "@/api/types";
import { type Branching, type ComparedStep, compareRuns, firstDifference, stepsOf } from "@/canvas/model/compare";
import { Loading } from "@/components/Loading";
import { lengthOf } from "@/components/RunList";
import { StateTree } from "@/components/StateTree";
import { Trouble } from "@/components/Trouble";
import { useSpeech } from "@/i18n";
import { compare as route } from "@/routes";
import { PageFrame } from "@/ui/PageFrame";
import { Status } from "@/ui/Status";
import { Rows } from "@/ui/Rows";
import { count, duration, moment, money, shortId } from "@/util/format";
import classes from "./ComparePage.module.css";

const DiffView = lazy(() => import("@/studio/DiffView"));
const ROW_HEIGHT = 38;

/** Two runs beside each other: how they stand, what each step did, where they part, and their texts. */
export default function ComparePage() {
  const { t } = useSpeech();
  const { left, right } = route.useSearch();
  const ours = useQuery({ ...executionQuery(left ?? ""), enabled: left !== undefined });
  const theirs = useQuery({ ...executionQuery(right ?? ""), enabled: right !== undefined });
  const error = ours.error ?? theirs.error;
  return (
    <PageFrame wide title={t("compare.title")} lead={named(ours.data, theirs.data)}>
      {error && <Trouble error={error} />}
      {!error && !ours.data && <Loading />}
      {ours.data && (
        <>
          <div className={classes.heads}>
            <Head side="left" execution={ours.data} />
            <Head side="right" execution={theirs.data} other={ours.data} />
          </div>
          {theirs.data && <Whole left={ours.data} right={theirs.data} />}
        </>
      )}
    </PageFrame>
  );
}

/** The workflows of both runs, once where they are one. */
function named(...runs: (Execution | undefined)[]) {
  const names = runs.flatMap((run) => (run ? [run.workflow.replace(/\.py$/, "")] : []));
  return [...new Set(names)].join(" · ");
}

function Head({ side, execution, other }: { side: "left" | "right"; execution: Execution | undefined; other?: Execution }) {
  const { t, locale } = useSpeech();
  const navigate = useNavigate();
  const file = (execution ?? other)?.workflow;
  const runs = useQuery({ ...executionsQuery({ workflow: file, limit: 50 }), enabled: file !== undefined, refetchInterval: false });
  const items = runs.data?.items ?? [];
  const offered = execution && !items.some((run) => run.id === execution.id) ? [execution, ...items] : items;
  return (
    <div className={classes.head}>
      <Select
        label={t(`compare.${side}`)}
        placeholder={t("compare.choose")}
        searchable
        allowDeselect={false}
        value={execution?.id ?? null}
        onChange={(id) => id && void navigate({ to: ".", search: (old) => ({ ...old, [side]: id, step: undefined }), replace: true })}
        data={offered.map((run) => ({
          value: run.id,
          label: `${moment(run.created_at, locale)} · ${t(`status.${run.status}`)} · ${shortId(run.id)}`,
        }))}
      />
      {execution && (
        <p className={classes.about}>
          <Status status={execution.status} />
          <Link to="/executions/$id" params={{ id: execution.id }}>
            {t("compare.open")}
          </Link>
          {execution.forked_from && <span>{t("history.forkedFrom", { id: shortId(execution.forked_from.execution) })}</span>}
        </p>
      )}
    </div>
  );
}

function Whole({ left, right }: { left: Execution; right: Execution }) {
  const { t } = useSpeech();
  const navigate = useNavigate();
  const { tab = "steps" } = route.useSearch();
  return (
    <>
      <Figures left={left} right={right} />
      <Tabs
        value={tab}
        keepMounted={false}
        onChange={(tab) => void navigate({ to: ".", search: (old) => ({ ...old, tab: tab as typeof old.tab }), replace: true })}
      >
        <Tabs.List>
          <Tabs.Tab value="steps">{t("compare.steps")}</Tabs.Tab>
          <Tabs.Tab value="end">{t("compare.end")}</Tabs.Tab>
          <Tabs.Tab value="code">{t("studio.code")}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="steps" className={classes.page}>
          <Steps left={left} right={right} />
        </Tabs.Panel>
        <Tabs.Panel value="end" className={classes.page}>
          <StateTree values={left.output} other={{ values: right.output }} />
        </Tabs.Panel>
        <Tabs.Panel value="code" className={classes.page}>
          <Code left={left} right={right} />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}

/** The figures of both, and by how much they differ. */
function Figures({ left, right }: { left: Execution; right: Execution }) {
  const { t, locale } = useSpeech();
  const signed = (value: number, say: (value: number) => string) => `${value > 0 ? "+" : "−"}${say(Math.abs(value))}`;
  const number = (value: number) => count(value, locale);
  const micros = (run: Execution) => Math.round(Number(run.cost) * 1_000_000);
  const figures = [
    { label: t("run.time"), say: (us: number) => duration(us), of: lengthUs, text: lengthOf },
    { label: t("compare.sent"), say: number, of: (run: Execution) => run.tokens_input },
    { label: t("compare.received"), say: number, of: (run: Execution) => run.tokens_output },
    { label: t("run.cost"), say: (value: number) => money(value, locale), of: micros },
  ];
  return (
    <table className={classes.figures} aria-label={t("compare.figures")}>
      <thead>
        <tr>
          <td />
          <th scope="col">{t("compare.left")}</th>
          <th scope="col">{t("compare.right")}</th>
          <th scope="col">{t("compare.difference")}</th>
        </tr>
      </thead>
      <tbody>
        {figures.map(({ label, say, of, text }) => {
          const by = (of(right) ?? 0) - (of(left) ?? 0);
          const known = of(left) !== undefined && of(right) !== undefined;
          return (
            <tr key={label}>
              <th scope="row">{label}</th>
              <td className="numeric">{text ? text(left) : say(of(left) ?? 0)}</td>
              <td className="numeric">{text ? text(right) : say(of(right) ?? 0)}</td>
              <td className="numeric">{!known ? "–" : by === 0 ? "=" : signed(by, say)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Steps({ left, right }: { left: Execution; right: Execution }) {
  const { t } = useSpeech();
  const navigate = useNavigate();
  const { step } = route.useSearch();
  const ours = useQuery(eventsQuery(left.id));
  const theirs = useQuery(eventsQuery(right.id));
  const branching = useBranching(left, right);
  const steps = useMemo(
    () =>
      ours.data && theirs.data && !branching.isPending
        ? compareRuns(stepsOf(ours.data), stepsOf(theirs.data), branching.fork)
        : undefined,
    [ours.data, theirs.data, branching.isPending, branching.fork],
  );
  const error = ours.error ?? theirs.error ?? branching.error;
  if (error) return <Trouble error={error} />;
  if (!steps) return <Loading />;
  const parted = firstDifference(steps);
  const shown = step !== undefined ? steps[step] : (parted ?? steps.at(-1));
  const choose = (chosen: ComparedStep) =>
    void navigate({ to: ".", search: (old) => ({ ...old, step: steps.indexOf(chosen) }), replace: true });
  return (
    <>
      {branching.fork && (
        <p className={classes.branched}>
          {t(`compare.forked.${branching.fork.side}`, { step: branching.fork.at })}
          {branching.edited && ` ${t("compare.edited")}`}
        </p>
      )}
      <p className={classes.parted} data-same={parted === undefined || undefined} role="status">
        {parted
          ? t("compare.parted", { step: nameOf(parted), nodes: nodesOf(parted) })
          : t(steps.some(({ verdict }) => verdict === "long") ? "compare.long" : "compare.same")}
      </p>
      <div className={classes.columns}>
        <div>
          <div className={classes.rowHead} aria-hidden>
            <span />
            <span>{t("compare.left")}</span>
            <span>{t("compare.right")}</span>
            <span />
          </div>
          <Rows
            label={t("compare.steps")}
            items={steps}
            height={ROW_HEIGHT}
            keyOf={nameOf}
            row={(item) => <Row step={item} chosen={item === shown} onChoose={() => choose(item)} />}
          />
        </div>
        {shown && <StateOf key={nameOf(shown)} left={left} right={right} step={shown} />}
      </div>
    </>
  );
}

function Row({ step, chosen, onChoose }: { step: ComparedStep; chosen: boolean; onChoose(): void }) {
  const { t } = useSpeech();
  return (
    <button type="button" className={classes.row} data-verdict={step.verdict} aria-pressed={chosen} onClick={onChoose}>
      <span className={classes.number}>{step.leftStep ?? step.rightStep}</span>
      <Tasks tasks={step.left} />
      <Tasks tasks={step.right} />
      <span className={classes.verdict}>{t(`verdict.${step.verdict}`)}</span>
    </button>
  );
}

function Tasks({ tasks }: { tasks: ComparedStep["left"] }) {
  const total = tasks.reduce((sum, task) => sum + task.durationUs, 0);
  const names = [...new Set(tasks.map((task) => task.node))];
  const many = tasks.length > names.length ? ` ×${tasks.length}` : "";
  return (
    <span className={classes.tasks} data-failed={tasks.some((task) => task.failed) || undefined}>
      <span className={classes.names}>{tasks.length > 0 ? names.join(", ") + many : "–"}</span>
      {tasks.length > 0 && <span className={classes.time}>{duration(total)}</span>}
    </span>
  );
}

/** The state behind a step in both, what differs marked. */
function StateOf({ left, right, step }: { left: Execution; right: Execution; step: ComparedStep }) {
  const { t } = useSpeech();
  const ours = useStateAt(left.id, step.leftStep);
  const theirs = useStateAt(right.id, step.rightStep);
  const error = ours.error ?? theirs.error;
  if (error) return <Trouble error={error} />;
  const isReady = (step.leftStep === undefined || ours.data) && (step.rightStep === undefined || theirs.data);
  if (!isReady) return <Loading rows={3} />;
  const both = ours.data && theirs.data;
  return (
    <section className={classes.state}>
      <h2 className={classes.stateTitle}>{t(both ? "compare.stateBoth" : "compare.stateOne", { step: nameOf(step) })}</h2>
      <StateTree values={(ours.data ?? theirs.data)?.values} other={both ? { values: theirs.data?.values } : undefined} />
    </section>
  );
}

/** The state at the end of a superstep of an execution. */
function useStateAt(execution: string, step: number | undefined) {
  const checkpoints = useQuery({ ...checkpointsQuery(execution), enabled: step !== undefined });
  const found = checkpoints.data?.items.find((made) => made.namespace === "" && made.step === step && made.execution === execution);
  const state = useQuery(stateQuery(execution, found?.id));
  // A run that was cut off has a step without its checkpoint: then its state is that of no moment.
  const none = checkpoints.data !== undefined && found === undefined ? { values: {} } : undefined;
  return { data: state.data ?? none, error: checkpoints.error ?? state.error };
}

function Code({ left, right }: { left: Execution; right: Execution }) {
  const { t } = useSpeech();
  const ours = useQuery(executionSourceQuery(left.id));
  const theirs = useQuery(executionSourceQuery(right.id));
  const error = ours.error ?? theirs.error;
  if (error) return <Trouble error={error} />;
  if (!ours.data || !theirs.data) return <Loading />;
  if (ours.data.source === theirs.data.source) return <p className={classes.quiet}>{t("compare.sameCode")}</p>;
  return (
    <div className={classes.code}>
      <Suspense fallback={<Loading />}>
        <DiffView before={ours.data.source} after={theirs.data.source} />
      </Suspense>
    </div>
  );
}

/** Where one goes on from the other, and whether its state was edited there. */
function useBranching(left: Execution, right: Execution) {
  const side = right.forked_from?.execution === left.id ? "right" : left.forked_from?.execution === right.id ? "left" : undefined;
  const forked = side === "left" ? left : right;
  const { data, error, isPending } = useQuery({ ...checkpointsQuery(forked.id), enabled: side !== undefined });
  const at = data?.items.find((made) => made.id === forked.forked_from?.checkpoint)?.step;
  const fork = useMemo<Branching | undefined>(() => (side && at !== undefined ? { side, at } : undefined), [side, at]);
  const edited = data?.items.some((made) => made.namespace === "" && made.source === "update" && made.step === (at ?? 0) + 1);
  return { fork, edited, error, isPending: side !== undefined && isPending };
}

function nameOf(step: ComparedStep): string {
  return String(step.leftStep ?? step.rightStep ?? "");
}

function nodesOf(step: ComparedStep): string {
  return [...new Set([...step.left, ...step.right].map((task) => task.node))].join(", ");
}

function lengthUs(run: Execution): number | undefined {
  return run.completed_at ? (Date.parse(run.completed_at) - Date.parse(run.created_at)) * 1_000 : undefined;
}
