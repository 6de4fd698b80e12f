import { IconGauge } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { executionsQuery, summaryQuery } from "@/api/queries";
import type { Minute, OpenCounts, Status as StatusName, Summary } from "@/api/types";
import { Loading } from "@/components/Loading";
import { RunList } from "@/components/RunList";
import { Trouble } from "@/components/Trouble";
import { useSpeech } from "@/i18n";
import { Empty } from "@/ui/Empty";
import { PageFrame, Section } from "@/ui/PageFrame";
import { Status } from "@/ui/Status";
import { count, duration, minuteOf } from "@/util/format";
import classes from "./MonitoringPage.module.css";

const OPEN = ["queued", "running", "waiting", "paused"] as const satisfies (StatusName & keyof OpenCounts)[];

export default function MonitoringPage() {
  const { t } = useSpeech();
  const { data, error, isPending, refetch } = useQuery(summaryQuery());
  const failed = useQuery(executionsQuery({ status: "failed", limit: 5 })).data?.items ?? [];
  return (
    <PageFrame title={t("nav.monitoring")} lead={data && t("monitoring.lead", { count: data.minutes.length })}>
      {isPending && <Loading />}
      {error && <Trouble error={error} retry={() => void refetch()} />}
      {data && (
        <>
          <Figures summary={data} />
          <Section title={t("monitoring.open")}>
            <Open open={data.open} />
          </Section>
          <Section title={t("monitoring.throughput")}>
            <Throughput minutes={data.minutes} />
          </Section>
          {data.errors.length > 0 && (
            <Section title={t("monitoring.errors")}>
              <Errors errors={data.errors} />
            </Section>
          )}
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

function Figures({ summary }: { summary: Summary }) {
  const { t, locale } = useSpeech();
  const { latency, oldest_queued: oldest, now, minutes } = summary;
  const ended = minutes.reduce((sum, minute) => sum + minute.completed + minute.failed, 0);
  const failed = minutes.reduce((sum, minute) => sum + minute.failed, 0);
  const part = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
  const figures = [
    { label: t("monitoring.ended"), value: count(ended, locale) },
    { label: t("monitoring.failedPart"), value: ended > 0 ? part.format(failed / ended) : "–" },
    { label: t("monitoring.median"), value: latency ? duration(latency.p50_ms * 1_000) : "–" },
    { label: t("monitoring.slow"), value: latency ? duration(latency.p95_ms * 1_000) : "–" },
    {
      label: t("monitoring.oldest"),
      value: oldest ? duration(Math.max(0, Date.parse(now) - Date.parse(oldest)) * 1_000) : "–",
    },
  ];
  return (
    <dl className={classes.figures}>
      {figures.map(({ label, value }) => (
        <div key={label} className={classes.figure}>
          <dt>{label}</dt>
          <dd className="numeric">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Open({ open }: { open: OpenCounts }) {
  const { locale } = useSpeech();
  const most = Math.max(1, ...OPEN.map((status) => open[status]));
  return (
    <ul className={classes.bars}>
      {OPEN.map((status) => (
        <li key={status} className={classes.row}>
          <Link to="/executions" search={{ status }} className={classes.link}>
            <Status status={status} />
          </Link>
          <span className={classes.track}>
            {open[status] > 0 && (
              <span className={classes.bar} data-status={status} style={{ width: `${(open[status] / most) * 100}%` }} />
            )}
          </span>
          <span className="numeric">{count(open[status], locale)}</span>
        </li>
      ))}
    </ul>
  );
}

/** A column for each minute, as high as what ended in it. */
function Throughput({ minutes }: { minutes: Minute[] }) {
  const { t, locale } = useSpeech();
  const most = Math.max(...minutes.map((minute) => minute.completed + minute.failed), 0);
  if (most === 0) return <Empty icon={IconGauge} title={t("monitoring.quiet")} text={t("runs.noneHint")} />;
  const height = (number: number) => `${(number / most) * 100}%`;
  return (
    <figure className={classes.chart}>
      <div className={classes.columns} role="img" aria-label={t("monitoring.chart", { most, count: minutes.length })}>
        {minutes.map((minute) => (
          <span
            key={minute.from}
            className={classes.column}
            title={t("monitoring.minute", { time: minuteOf(minute.from, locale), completed: minute.completed, failed: minute.failed })}
          >
            <span className={classes.part} data-status="failed" style={{ height: height(minute.failed) }} />
            <span className={classes.part} data-status="completed" style={{ height: height(minute.completed) }} />
          </span>
        ))}
      </div>
      <figcaption className={classes.axis}>
        <time>{minuteOf(minutes[0]!.from, locale)}</time>
        <span>{t("monitoring.most", { count: most })}</span>
        <time>{minuteOf(minutes.at(-1)!.from, locale)}</time>
      </figcaption>
    </figure>
  );
}

function Errors({ errors }: { errors: Summary["errors"] }) {
  const { locale } = useSpeech();
  const most = Math.max(1, ...errors.map((error) => error.count));
  return (
    <ul className={classes.bars}>
      {errors.map((error) => (
        <li key={error.code} className={classes.row}>
          <code className={classes.link}>{error.code}</code>
          <span className={classes.track}>
            <span className={classes.bar} data-status="failed" style={{ width: `${(error.count / most) * 100}%` }} />
          </span>
          <span className="numeric">{count(error.count, locale)}</span>
        </li>
      ))}
    </ul>
  );
}
