import { IconKey } from "@tabler/icons-react";
import type { Failure } from "@/api/types";
import { useT } from "@/i18n";
import classes from "./FailureNote.module.css";
import { LinkButton } from "./LinkButton";

/** Why a run failed, and where that is mended if a page of ours can do it. */
export function FailureNote({ failure }: { failure: Failure }) {
  const t = useT();
  return (
    <section className={classes.failed} role="alert">
      <p className={classes.text}>{failure.message ?? JSON.stringify(failure)}</p>
      {failure.help && <p className={classes.help}>{failure.help}</p>}
      <div className={classes.foot}>
        {failure.code && <code className={classes.code}>{failure.code}</code>}
        {failure.code === "model_key_missing" && (
          <LinkButton to="/settings" variant="default" leftSection={<IconKey size={15} />}>
            {t("run.addKey")}
          </LinkButton>
        )}
      </div>
    </section>
  );
}
