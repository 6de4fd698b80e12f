import { useQuery } from "@tanstack/react-query";
import { usageQuery } from "@/api/queries";
import { useSpeech } from "@/i18n";
import { List } from "@/ui/List";
import { count, money } from "@/util/format";
import { Loading } from "./Loading";
import classes from "./ModelList.module.css";
import { Trouble } from "./Trouble";

const DAYS = 30;

/** What clients of the gateway used in the last days, by model, the dearest first. */
export function UsageList() {
  const { t, locale } = useSpeech();
  const from = new Date(Date.now() - (DAYS - 1) * 86_400_000).toISOString().slice(0, 10);
  const { data, error, refetch } = useQuery(usageQuery(from));
  if (error) return <Trouble error={error} retry={() => void refetch()} />;
  if (!data) return <Loading rows={2} />;
  const models = new Map<string, { model: string; calls: number; sent: number; received: number; micros: number }>();
  for (const { model, calls, tokens, cost } of data.items) {
    const known = models.get(model) ?? { model, calls: 0, sent: 0, received: 0, micros: 0 };
    models.set(model, {
      model,
      calls: known.calls + calls,
      sent: known.sent + tokens.input,
      received: known.received + tokens.output,
      micros: known.micros + Number(cost) * 1_000_000,
    });
  }
  if (models.size === 0) return <p className={classes.quiet}>{t("usage.none", { days: DAYS })}</p>;
  const number = (value: number) => <span className="numeric">{count(value, locale)}</span>;
  return (
    <List
      label={t("usage.title")}
      items={[...models.values()].sort((a, b) => b.micros - a.micros || b.calls - a.calls)}
      keyOf={(used) => used.model}
      columns={[
        { label: t("models.model"), cell: (used) => <code>{used.model}</code> },
        { label: t("usage.calls"), cell: (used) => number(used.calls), end: true, width: "100px" },
        { label: t("usage.sent"), cell: (used) => number(used.sent), end: true, width: "130px", minor: true },
        { label: t("usage.received"), cell: (used) => number(used.received), end: true, width: "130px", minor: true },
        { label: t("run.cost"), cell: (used) => <span className="numeric">{money(used.micros, locale)}</span>, end: true, width: "110px" },
      ]}
    />
  );
}
