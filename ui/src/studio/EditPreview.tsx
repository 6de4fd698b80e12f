import { Button, Group, Modal } from "@mantine/core";
import { lazy, Suspense } from "react";
import { useT } from "@/i18n";
import classes from "./EditPreview.module.css";
import { useStudio } from "./store";

const DiffView = lazy(() => import("./DiffView"));

/** An edit of the canvas as text, before it touches code that is not fully understood. */
export function EditPreview() {
  const t = useT();
  const proposal = useStudio((state) => state.proposal);
  if (!proposal) return null;
  const { before, after, doubts, decide } = proposal;
  return (
    <Modal opened onClose={() => decide(false)} title={t("preview.title")} size="90%">
      <p className={classes.text}>{t("preview.text")}</p>
      <ul className={classes.doubts}>
        {doubts.slice(0, 5).map(({ reason, line }) => (
          <li key={`${line}.${reason}`}>
            <span className={classes.line}>{t("problems.line", { line })}</span> {reason}
          </li>
        ))}
      </ul>
      <div className={classes.diff}>
        <Suspense>
          <DiffView before={before} after={after} />
        </Suspense>
      </div>
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={() => decide(false)}>
          {t("common.cancel")}
        </Button>
        <Button data-autofocus onClick={() => decide(true)}>
          {t("preview.make")}
        </Button>
      </Group>
    </Modal>
  );
}
