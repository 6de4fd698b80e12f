import { IconGauge } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { executionsQuery } from "@/api/queries";
import { type Execution, isFinal, STATUSES } from "@/api/types";
import { Loading } from "@/components/Loading";
import { RunList } from "@/components/RunList";
import { Trouble } from "@/components/Trouble";
import { useSpeech } from "@/i18n";
import { Empty } from "@/ui/Empty";
import { PageFrame, Section } from "@/ui/PageFrame";
import { Status } from "@/ui/Status";
import { count, duration } from "@/util/format";
import classes from "./MonitoringPage.module.css";

/** How many of the newest runs the figures are made of. */
const SAMPLE = 200;

export default function MonitoringPage() {
  const { t, locale } = useSpeech();
  const { data, error, isPending, refetch } = useQuery(executionsQuery({ limit: SAMPLE }));
  const runs = data?.items ?? [];
  const failed = runs.filter((run) => run.status === "failed").slice(0, 5);
  const lengths = runs.filter((run) => isFinal(run.status)).map(lengthMs).sort((a, b) => a - b);
  const figures = [
    { label: t("monitoring.queued"), value: count(runs.filter((run) => run.status === "queued").length, locale) },
    { label: t("monitoring.running"), value: count(runs.filter((run) => run.status === "running").length, locale) },
    { label: t("monitoring.median"), value: lengths.length > 0 ? duration(at(lengths, 0.5) * 1_000) : "–" },
    { label: t("monitoring.slow"), value: lengths.length > 0 ? duration(at(lengths, 0.95) * 1_000) : "–" },
  ];
  return (
    <PageFrame title={t("nav.monitoring")} lead={t("monitoring.lead", { count: runs.length })}>
      {isPending && <Loading />}
      {error && <Trouble error={error} retry={() => void refetch()} />}
      {data && runs.length === 0 && <Empty icon={IconGauge} title={t("runs.none")} text={t("runs.noneHint")} />}
      {runs.length > 0 && (
        <>
          <dl className={classes.figures}>
            {figures.map(({ label, value }) => (
              <div key={label} className={classes.figure}>
                <dt>{label}</dt>
                <dd className="numeric">{value}</dd>
              </div>
            ))}
          </dl>
          <Section title={t("monitoring.byStatus")}>
            <ul className={classes.bars}>
              {STATUSES.map((status) => ({ status, number: runs.filter((run) => run.status === status).length }))
                .filter(({ number }) => number > 0)
                .map(({ status, number }) => (
                  <li key={status} className={classes.row}>
                    <Link to="/executions" search={{ status }} className={classes.link}>
                      <Status status={status} />
                    </Link>
                    <span className={classes.track}>
                      <span className={classes.bar} data-status={status} style={{ width: `${(number / runs.length) * 100}%` }} />
                    </span>
                    <span className="numeric">{count(number, locale)}</span>
                  </li>
                ))}
            </ul>
          </Section>
          {failed.length > 0 && (
            <Section title={t("monitoring.failures")}>
              <RunList items={failed} />
            </Section>
          )}
        </>
      )}
    </PageFrame>
  );
}

function lengthMs(run: Execution): number {
  return Date.parse(run.completed_at ?? run.created_at) - Date.parse(run.created_at);
}

/** The value below which a part of the sorted numbers lies. */
function at(sorted: number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
