import { Button, NumberInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/actions";
import { Refused } from "@/api/client";
import { quotasQuery } from "@/api/queries";
import type { Quotas } from "@/api/types";
import { useSpeech } from "@/i18n";
import { money } from "@/util/format";
import { Loading } from "./Loading";
import classes from "./ProviderKeys.module.css";
import { say } from "./say";
import { Trouble } from "./Trouble";

/** How much clients of the gateway may spend and ask; an empty field sets no limit. */
export function QuotaForm() {
  const { data, error, refetch } = useQuery(quotasQuery());
  if (error) return <Trouble error={error} retry={() => void refetch()} />;
  if (!data) return <Loading rows={2} />;
  return <Fields key={JSON.stringify(limitsOf(data))} quotas={data} />;
}

type Amount = number | string;

function Fields({ quotas }: { quotas: Quotas }) {
  const { t, locale } = useSpeech();
  const client = useQueryClient();
  const [limits, setLimits] = useState(() => limitsOf(quotas));
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    try {
      const usd = (amount: Amount) => (amount === "" ? null : Number(amount).toFixed(6));
      const kept = await api.setQuotas({
        gateway_day: usd(limits.day),
        gateway_month: usd(limits.month),
        gateway_calls_per_minute: limits.calls === "" ? null : Number(limits.calls),
      });
      client.setQueryData(quotasQuery().queryKey, kept);
      say.done(t("studio.saved"));
    } catch (error) {
      say.trouble(error instanceof Refused ? error.message : t("error.unreachable"));
    } finally {
      setBusy(false);
    }
  };
  const spent = (budget: Quotas["gateway_day"]) =>
    budget ? t("quotas.spent", { amount: money(Number(budget.spent) * 1_000_000, locale) }) : t("quotas.unlimited");
  return (
    <form
      className={`${classes.keys} ${classes.form}`}
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <NumberInput
        label={t("quotas.day")}
        description={spent(quotas.gateway_day)}
        prefix="$"
        min={0}
        decimalScale={2}
        value={limits.day}
        onChange={(day) => setLimits({ ...limits, day })}
        w={190}
      />
      <NumberInput
        label={t("quotas.month")}
        description={spent(quotas.gateway_month)}
        prefix="$"
        min={0}
        decimalScale={2}
        value={limits.month}
        onChange={(month) => setLimits({ ...limits, month })}
        w={190}
      />
      <NumberInput
        label={t("quotas.calls")}
        description={limits.calls === "" ? t("quotas.unlimited") : t("quotas.perServer")}
        min={1}
        allowDecimal={false}
        value={limits.calls}
        onChange={(calls) => setLimits({ ...limits, calls })}
        w={190}
      />
      <Button type="submit" size="sm" variant="default" loading={busy}>
        {t("common.save")}
      </Button>
    </form>
  );
}

function limitsOf(quotas: Quotas): { day: Amount; month: Amount; calls: Amount } {
  return {
    day: quotas.gateway_day ? Number(quotas.gateway_day.limit) : "",
    month: quotas.gateway_month ? Number(quotas.gateway_month.limit) : "",
    calls: quotas.gateway_calls_per_minute ?? "",
  };
}
