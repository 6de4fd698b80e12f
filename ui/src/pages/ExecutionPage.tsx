import { Button, Tabs } from "@mantine/core";
import { IconColumns, IconSchema } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { api } from "@/api/actions";
import { executionQuery } from "@/api/queries";
import { type Execution, type Failure, isFinal } from "@/api/types";
import { LinkButton } from "@/components/LinkButton";
import { Loading } from "@/components/Loading";
import { FailureNote } from "@/components/FailureNote";
import { History } from "@/components/History";
import { Replay } from "@/components/Replay";
import { Saved } from "@/components/Saved";
import { lengthOf } from "@/components/RunList";
import { Trouble } from "@/components/Trouble";
import { useSpeech } from "@/i18n";
import { execution as route } from "@/routes";
import { QuestionCard } from "@/studio/run/QuestionCard";
import { RunLog } from "@/studio/run/RunLog";
import { Waterfall } from "@/studio/run/RunTimeline";
import { useStudio } from "@/studio/store";
import { useRun } from "@/studio/useRun";
import { JsonTree } from "@/ui/JsonTree";
import { PageFrame } from "@/ui/PageFrame";
import { Status } from "@/ui/Status";
import { count, moment, money, shortId } from "@/util/format";
import classes from "./ExecutionPage.module.css";

export default function ExecutionPage() {
  const { id } = route.useParams();
  const { data, error, refetch } = useQuery(executionQuery(id));
  if (error) return <Trouble error={error} retry={() => void refetch()} />;
  if (!data) return <PageFrame title=" "><Loading /></PageFrame>;
  return <Whole id={data.id} />;
}

function Whole({ id }: { id: string }) {
  const { t } = useSpeech();
  const navigate = useNavigate();
  const { tab = "timeline" } = route.useSearch();
  const { execution } = useRun(id);
  const spans = useStudio((state) => state.run.spans);
  if (!execution) return null;
  return (
    <PageFrame
      wide
      title={
        <span className={classes.title}>
          {execution.workflow.replace(/\.py$/, "")} <Status status={execution.status} />
        </span>
      }
      lead={
        <>
          <code>{execution.id}</code>
          {execution.rerun_of && (
            <>
              {" · "}
              <Link to="/executions/$id" params={{ id: execution.rerun_of }}>
                {t("saved.rerunOf", { id: shortId(execution.rerun_of) })}
              </Link>
            </>
          )}
          {execution.forked_from && (
            <>
              {" · "}
              <Link to="/executions/$id" params={{ id: execution.forked_from.execution }} search={{ tab: "history" }}>
                {t("history.forkedFrom", { id: shortId(execution.forked_from.execution) })}
              </Link>
            </>
          )}
        </>
      }
      actions={<Actions execution={execution} />}
    >
      <Facts execution={execution} />
      {execution.savings && <Saved savings={execution.savings} />}
      {execution.error != null && (
        <div className={classes.failed}>
          <FailureNote failure={execution.error as Failure} />
        </div>
      )}
      {execution.status === "waiting" && (
        <div className={classes.questions}>
          {(execution.questions ?? []).map((question) => (
            <QuestionCard key={question.id} execution={id} question={question} />
          ))}
        </div>
      )}
      <Tabs
        value={tab}
        keepMounted={false}
        onChange={(tab) => void navigate({ to: ".", search: (old) => ({ ...old, tab: tab as typeof old.tab }), replace: true })}
      >
        <Tabs.List>
          <Tabs.Tab value="timeline">{t("run.timeline")}</Tabs.Tab>
          <Tabs.Tab value="log">{t("run.log")}</Tabs.Tab>
          <Tabs.Tab value="state">{t("run.state")}</Tabs.Tab>
          <Tabs.Tab value="history">{t("history.title")}</Tabs.Tab>
          {isFinal(execution.status) && <Tabs.Tab value="replay">{t("replay.title")}</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="timeline" className={classes.page}>
          {spans.length > 0 ? <Waterfall spans={spans} /> : <p className={classes.quiet}>{t("run.nothingYet")}</p>}
        </Tabs.Panel>
        <Tabs.Panel value="log" className={classes.page}>
          <RunLog />
        </Tabs.Panel>
        <Tabs.Panel value="state" className={classes.page}>
          <Output execution={execution} />
        </Tabs.Panel>
        <Tabs.Panel value="history" className={classes.page}>
          <History execution={execution} />
        </Tabs.Panel>
        <Tabs.Panel value="replay" className={classes.page}>
          <Replay execution={execution} />
        </Tabs.Panel>
      </Tabs>
    </PageFrame>
  );
}

function Actions({ execution }: { execution: Execution }) {
  const { t } = useSpeech();
  const { refetch } = useQuery(executionQuery(execution.id));
  const act = (ask: (id: string) => Promise<unknown>) => void ask(execution.id).finally(() => void refetch());
  const { status } = execution;
  const origin = execution.forked_from?.execution ?? execution.rerun_of ?? undefined;
  return (
    <>
      {(status === "running" || status === "queued") && (
        <Button variant="default" onClick={() => act(api.pause)}>
          {t("run.pause")}
        </Button>
      )}
      {status === "paused" && <Button onClick={() => act((id) => api.resume(id, {}))}>{t("run.resume")}</Button>}
      {status === "failed" && <Button onClick={() => act(api.retry)}>{t("run.retry")}</Button>}
      {!isFinal(status) && (
        <Button variant="default" onClick={() => act(api.cancel)}>
          {t("run.cancel")}
        </Button>
      )}
      <LinkButton
        to="/compare"
        search={{ left: origin ?? execution.id, right: origin && execution.id }}
        variant="default"
        leftSection={<IconColumns size={15} />}
      >
        {t("compare.with")}
      </LinkButton>
      <LinkButton
        to="/workflows/$id"
        params={{ id: execution.workflow_id ?? "new" }}
        search={{ run: execution.id }}
        leftSection={<IconSchema size={15} />}
      >
        {t("runs.onCanvas")}
      </LinkButton>
    </>
  );
}

function Facts({ execution }: { execution: Execution }) {
  const { t, locale } = useSpeech();
  const facts = [
    [t("runs.started"), moment(execution.created_at, locale)],
    [t("run.time"), lengthOf(execution)],
    [t("run.tokens"), `${count(execution.tokens_input, locale)} → ${count(execution.tokens_output, locale)}`],
    [t("run.cost"), money(Number(execution.cost) * 1_000_000, locale)],
  ];
  return (
    <dl className={classes.facts}>
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd className="numeric">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Output({ execution }: { execution: Execution }) {
  const { t } = useSpeech();
  const values = useStudio((state) => state.run.values);
  const shown = (execution.output ?? values) as Record<string, unknown>;
  const entries = Object.entries(shown);
  if (entries.length === 0) return <p className={classes.quiet}>{t("run.noState")}</p>;
  return (
    <div className={classes.tree}>
      {entries.map(([name, value]) => (
        <JsonTree key={name} name={name} value={value} />
      ))}
    </div>
  );
}
