import type { Status as StatusName } from "@/api/types";
import { useT } from "@/i18n";
import classes from "./Status.module.css";

/** How something stands: a word beside its colour, since a colour alone says nothing to many. */
export function Status({ status }: { status: StatusName }) {
  const t = useT();
  return (
    <span className={classes.status} data-status={status}>
      <span className={classes.dot} aria-hidden />
      {t(`status.${status}`)}
    </span>
  );
}
