import { ActionIcon, Button, Slider, Tooltip } from "@mantine/core";
import { IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import { useMemo } from "react";
import type { RunEvent } from "@/api/events";
import { useT } from "@/i18n";
import classes from "./Studio.module.css";
import { useStudio } from "./store";

const VISIBLE = new Set(["start", "node_enter", "node_exit", "interrupt", "error", "done"]);

function isVisible({ kind, data }: RunEvent): boolean {
  // A run that waits is put away: that is said by its question.
  const isPutAway = kind === "done" && (data as { status?: string }).status === "interrupted";
  return VISIBLE.has(kind) && !isPutAway;
}

/** Goes back and forth through what happened: canvas, log and state show that moment. */
export function Scrubber() {
  const t = useT();
  const events = useStudio((state) => state.events);
  const moment = useStudio((state) => state.moment);
  const travel = useStudio((state) => state.travel);
  const moments = useMemo(() => events.flatMap((event, at) => (isVisible(event) ? [at] : [])), [events]);
  if (moments.length < 3) return null;
  const last = moments.length - 1;
  const at = moment === null ? last : Math.max(0, moments.findLastIndex((index) => index <= moment));
  const go = (to: number) => travel(to >= last ? null : moments[Math.max(0, to)]!);
  const event = events[moments[at]!];
  const words = event ? [event.node, t(`event.${event.kind}`)].filter(Boolean).join(" ") : "";
  return (
    <div className={classes.scrubber} data-past={moment !== null || undefined}>
      <Tooltip label={t("travel.back")}>
        <ActionIcon onClick={() => go(at - 1)} disabled={at === 0} aria-label={t("travel.back")}>
          <IconChevronLeft size={16} />
        </ActionIcon>
      </Tooltip>
      <Slider
        className={classes.slider}
        size="sm"
        min={0}
        max={last}
        value={at}
        onChange={go}
        label={null}
        thumbLabel={t("travel.moment")}
      />
      <Tooltip label={t("travel.forward")}>
        <ActionIcon onClick={() => go(at + 1)} disabled={at === last} aria-label={t("travel.forward")}>
          <IconChevronRight size={16} />
        </ActionIcon>
      </Tooltip>
      <span className={classes.moment}>{words}</span>
      {moment !== null && (
        <Button size="compact-xs" variant="light" onClick={() => travel(null)}>
          {t("travel.now")}
        </Button>
      )}
    </div>
  );
}
