import { IconRecycle } from "@tabler/icons-react";
import type { Savings } from "@/api/types";
import { useSpeech } from "@/i18n";
import { count, duration, money } from "@/util/format";
import classes from "./Saved.module.css";

/** What a run took from an earlier one instead of doing it again. */
export function Saved({ savings }: { savings: Savings }) {
  const { t, locale } = useSpeech();
  const { ran, reused, duration_ms, tokens_input, tokens_output, cost } = savings;
  return (
    <p className={classes.saved}>
      <IconRecycle size={15} stroke={1.7} aria-hidden />
      {t("saved.text", {
        reused,
        all: ran + reused,
        time: duration(duration_ms * 1_000),
        tokens: count(tokens_input + tokens_output, locale),
        cost: money(Number(cost) * 1_000_000, locale),
      })}
    </p>
  );
}
