import { Button } from "@mantine/core";
import { IconArrowBackUp } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { versionsQuery } from "@/api/queries";
import { Loading } from "@/components/Loading";
import { Trouble } from "@/components/Trouble";
import { useSpeech } from "@/i18n";
import { TimeAgo } from "@/ui/TimeAgo";
import { useStudio } from "./store";
import classes from "./Versions.module.css";

const DiffView = lazy(() => import("./DiffView"));

/** The texts that a workflow has had, each beside what is open now, to bring one back. */
export function Versions({ id, onClose }: { id: string; onClose(): void }) {
  const { t } = useSpeech();
  const { data, error, refetch } = useQuery(versionsQuery(id));
  const open = useStudio((state) => state.source);
  const [chosen, setChosen] = useState<number>();
  if (error) return <Trouble error={error} retry={() => void refetch()} />;
  if (!data) return <Loading rows={4} />;
  const versions = data.items;
  // The one before the newest is most often what one looks for.
  const shown = versions.find((version) => version.version === chosen) ?? versions[1] ?? versions[0];
  if (!shown) return null;
  const same = shown.source === open;
  return (
    <div className={classes.versions}>
      <ol className={classes.list} aria-label={t("versions.title")}>
        {versions.map((version) => (
          <li key={version.version}>
            <button
              type="button"
              className={classes.version}
              aria-pressed={version.version === shown.version}
              onClick={() => setChosen(version.version)}
            >
              <span className={classes.number}>{t("versions.number", { number: version.version })}</span>
              <span className={classes.time}>
                <TimeAgo time={version.created_at} />
              </span>
            </button>
          </li>
        ))}
      </ol>
      <div className={classes.side}>
        <p className={classes.heads}>
          {t("versions.number", { number: shown.version })} → {t("versions.open")}
        </p>
        <div className={classes.diff}>
          <Suspense>
            <DiffView before={shown.source} after={open} />
          </Suspense>
        </div>
        <div className={classes.foot}>
          <span className={classes.time}>{same ? t("versions.same") : t("versions.hint")}</span>
          <Button
            disabled={same}
            leftSection={<IconArrowBackUp size={15} />}
            onClick={() => {
              // As an edit: undo takes it back, and saving makes it a version of its own.
              useStudio.getState().editor?.replaceAll(shown.source);
              onClose();
            }}
          >
            {t("versions.restore")}
          </Button>
        </div>
      </div>
    </div>
  );
}
