import { Button, Group, Modal, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useCallback, useState } from "react";
import { api } from "@/api/actions";
import { call, Refused } from "@/api/client";
import { workflowQuery } from "@/api/queries";
import type { Workflow } from "@/api/types";
import { say } from "@/components/say";
import { useT } from "@/i18n";
import { useStudio } from "./store";
import { drafts, type OpenWorkflow } from "./workflow";

const DiffView = lazy(() => import("./DiffView"));

/** Saves text and places; a quiet one says nothing when it is done. One that was changed elsewhere in the meantime is shown beside one's own. */
export function useSave(workflow: OpenWorkflow, onSaved: (saved: Partial<OpenWorkflow>) => void): { save(quiet?: boolean): Promise<void>; conflict: ReactNode } {
  const t = useT();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [theirs, setTheirs] = useState<Workflow>();

  const saved = useCallback(
    (fresh: Workflow, quiet = false) => {
      drafts.drop(workflow.key);
      if (fresh.id === workflow.id) onSaved({ source: fresh.source ?? "", layout: fresh.layout ?? {}, version: fresh.version });
      client.setQueryData(workflowQuery(fresh.id).queryKey, fresh);
      void client.invalidateQueries({ queryKey: ["workflows"] });
      if (!quiet) say.done(t("studio.saved"));
    },
    [client, onSaved, t, workflow.key, workflow.id],
  );

  const save = useCallback(async (quiet = false) => {
    const { source, layout, file } = useStudio.getState();
    const { id, name, script, version } = workflow;
    try {
      if (id === undefined) {
        const made = await api.createWorkflow({ name, file, source, script, layout });
        saved(made);
        await navigate({ to: "/workflows/$id", params: { id: made.id }, search: (old) => ({ run: old.run }), replace: true });
      } else {
        saved(await api.changeWorkflow(id, { source, layout, version }), quiet);
      }
    } catch (error) {
      if (id !== undefined && error instanceof Refused && error.problem.code === "version_conflict") {
        setTheirs(await call<Workflow>(`/workflows/${id}`));
      } else {
        say.trouble(error instanceof Refused ? error.message : t("error.unreachable"));
      }
    }
  }, [navigate, saved, t, workflow]);

  const keepMine = async () => {
    const { source, layout } = useStudio.getState();
    saved(await api.changeWorkflow(theirs!.id, { source, layout, version: theirs!.version }));
    setTheirs(undefined);
  };
  const takeTheirs = () => {
    // As an edit: undo brings one's own text back.
    useStudio.getState().editor?.replaceAll(theirs!.source ?? "");
    saved(theirs!);
    setTheirs(undefined);
  };
  const conflict = theirs && (
    <Modal opened onClose={() => setTheirs(undefined)} title={t("conflict.title")} size="90%">
      <Text size="sm" mb="sm">
        {t("conflict.text")}
      </Text>
      <div style={{ height: "56vh", border: "1px solid var(--line)", borderRadius: 8, overflow: "hidden" }}>
        <Suspense>
          <DiffView before={theirs.source ?? ""} after={useStudio.getState().source} />
        </Suspense>
      </div>
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={takeTheirs}>
          {t("conflict.theirs")}
        </Button>
        <Button onClick={() => void keepMine()}>{t("conflict.mine")}</Button>
      </Group>
    </Modal>
  );
  return { save, conflict };
}
