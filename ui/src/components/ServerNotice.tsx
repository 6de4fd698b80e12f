import { useQuery } from "@tanstack/react-query";
import { healthQuery } from "@/api/queries";
import { useT } from "@/i18n";
import classes from "./ServerNotice.module.css";

/** Says that the server is gone, for as long as it is. */
export function ServerNotice() {
  const t = useT();
  const { isError } = useQuery(healthQuery());
  return (
    <div role="status" aria-live="polite">
      {isError && <p className={classes.notice}>{t("server.lost")}</p>}
    </div>
  );
}
