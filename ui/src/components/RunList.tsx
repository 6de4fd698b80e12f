import type { Execution } from "@/api/types";
import { useSpeech } from "@/i18n";
import { type Column, List } from "@/ui/List";
import { Status } from "@/ui/Status";
import { TimeAgo } from "@/ui/TimeAgo";
import { count, duration, money, shortId } from "@/util/format";
import { path } from "@/util/path";

/** Runs as a table, the newest first. */
export function RunList({ items }: { items: Execution[] }) {
  const { t, locale } = useSpeech();
  const columns: Column<Execution>[] = [
    { label: t("runs.workflow"), cell: (run) => run.workflow.replace(/\.py$/, "") },
    { label: t("runs.status"), cell: (run) => <Status status={run.status} />, width: "150px" },
    { label: t("runs.started"), cell: (run) => <TimeAgo time={run.created_at} />, width: "150px" },
    { label: t("run.time"), cell: (run) => <span className="numeric">{lengthOf(run)}</span>, width: "100px", minor: true, end: true },
    {
      label: t("run.tokens"),
      cell: (run) => <span className="numeric">{count(run.tokens_input + run.tokens_output, locale)}</span>,
      width: "100px",
      minor: true,
      end: true,
    },
    {
      label: t("run.cost"),
      cell: (run) => <span className="numeric">{money(Number(run.cost) * 1_000_000, locale)}</span>,
      width: "100px",
      minor: true,
      end: true,
    },
    { label: t("runs.id"), cell: (run) => <code>{shortId(run.id)}</code>, width: "110px", minor: true },
  ];
  return (
    <List
      label={t("nav.executions")}
      items={items}
      columns={columns}
      keyOf={(run) => run.id}
      linkOf={(run) => path.execution(run.id)}
    />
  );
}

/** From acceptance to the end. */
export function lengthOf(run: Execution): string {
  if (!run.completed_at) return "–";
  return duration((Date.parse(run.completed_at) - Date.parse(run.created_at)) * 1_000);
}
