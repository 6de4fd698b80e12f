import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { executionsQuery, healthQuery, templatesQuery, workflowsQuery } from "@/api/queries";
import type { Workflow } from "@/api/types";
import { LinkButton } from "@/components/LinkButton";
import { Loading } from "@/components/Loading";
import { RunList } from "@/components/RunList";
import { TemplateCards } from "@/components/TemplateCards";
import { Trouble } from "@/components/Trouble";
import { WaitingList } from "@/components/WaitingList";
import { useT } from "@/i18n";
import { type Column, List } from "@/ui/List";
import { PageFrame, Section } from "@/ui/PageFrame";
import { TimeAgo } from "@/ui/TimeAgo";
import { path } from "@/util/path";
import classes from "./HomePage.module.css";

const RECENT = 6;
const RECENT_WORKFLOWS = 4;

export default function HomePage() {
  const t = useT();
  const runs = useQuery(executionsQuery({ limit: RECENT }));
  const isNew = runs.data?.items.length === 0;
  return (
    <PageFrame
      title={t(isNew ? "home.welcome" : "home.title")}
      lead={isNew ? t("home.welcomeLead") : undefined}
      actions={
        <>
          <LinkButton to="/templates" variant="default">
            {t("home.fromTemplate")}
          </LinkButton>
          <LinkButton to="/workflows/$id" params={{ id: "new" }} leftSection={<IconPlus size={15} />}>
            {t("palette.new")}
          </LinkButton>
        </>
      }
    >
      {runs.error && <Trouble error={runs.error} retry={() => void runs.refetch()} />}
      {runs.isPending && <Loading />}
      {isNew && <FirstRun />}
      {runs.data && !isNew && (
        <>
          <Waiting />
          <Workflows />
          <Section
            title={t("home.recent")}
            actions={
              <Link to="/executions" className={classes.all}>
                {t("home.allRuns")}
              </Link>
            }
          >
            <RunList items={runs.data.items} />
          </Section>
        </>
      )}
      <Begin />
      <Health />
    </PageFrame>
  );
}

/** Three steps to a workflow that has run. */
function FirstRun() {
  const t = useT();
  const steps = [
    { title: t("home.step1"), text: t("home.step1Text") },
    { title: t("home.step2"), text: t("home.step2Text") },
    { title: t("home.step3"), text: t("home.step3Text") },
  ];
  return (
    <section className={classes.first}>
      <ol className={classes.steps}>
        {steps.map(({ title, text }, at) => (
          <li key={title} className={classes.step}>
            <span className={classes.number}>{at + 1}</span>
            <div>
              <h2 className={classes.stepTitle}>{title}</h2>
              <p className={classes.stepText}>{text}</p>
            </div>
          </li>
        ))}
      </ol>
      <LinkButton to="/workflows/$id" params={{ id: "new" }} search={{ template: "approval_flow" }} size="sm">
        {t("home.begin")}
      </LinkButton>
    </section>
  );
}

function Waiting() {
  const t = useT();
  const waiting = useQuery(executionsQuery({ status: "waiting", limit: 5 })).data?.items ?? [];
  if (waiting.length === 0) return null;
  return (
    <Section title={t("home.waiting")}>
      <WaitingList items={waiting} />
    </Section>
  );
}

/** What was worked on last. */
function Workflows() {
  const t = useT();
  const { data } = useQuery(workflowsQuery());
  const recent = [...(data?.items ?? [])].sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1)).slice(0, RECENT_WORKFLOWS);
  if (recent.length === 0) return null;
  const columns: Column<Workflow>[] = [
    { label: t("common.name"), cell: (workflow) => workflow.name },
    { label: t("workflows.file"), cell: (workflow) => <code>{workflow.path ?? workflow.file}</code>, minor: true },
    { label: t("workflows.changed"), cell: (workflow) => <TimeAgo time={workflow.updated_at} />, width: "170px" },
  ];
  return (
    <Section
      title={t("home.workflows")}
      actions={
        <Link to="/workflows" className={classes.all}>
          {t("home.allWorkflows")}
        </Link>
      }
    >
      <List label={t("home.workflows")} items={recent} columns={columns} keyOf={(workflow) => workflow.id} linkOf={(workflow) => path.workflow(workflow.id)} />
    </Section>
  );
}

function Begin() {
  const t = useT();
  const templates = useQuery(templatesQuery()).data?.items.slice(0, 3) ?? [];
  if (templates.length === 0) return null;
  return (
    <Section
      title={t("home.begin3")}
      actions={
        <Link to="/templates" className={classes.all}>
          {t("home.allTemplates")}
        </Link>
      }
    >
      <TemplateCards items={templates} />
    </Section>
  );
}

function Health() {
  const t = useT();
  const { data } = useQuery(healthQuery());
  if (!data) return null;
  const store = data.store === "postgresql" ? "PostgreSQL" : "SQLite";
  return (
    <p className={classes.health}>
      <span className={classes.dot} data-ok={data.status === "ok" || undefined} aria-hidden />
      {t(data.status === "ok" ? "home.healthy" : "home.unhealthy", { version: data.version, store })}
    </p>
  );
}
