import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { watchWorkflows } from "@/api/events";
import { workflowQuery } from "@/api/queries";
import { useStudio } from "./store";
import { drafts, type OpenWorkflow } from "./workflow";

/**
 * The workflow that what is open here is based on. A newer one that somebody else
 * saved, here or in a file of the folder, takes its place at once where nothing was
 * typed; else it waits, and saving shows both.
 */
export function useBase(newest: OpenWorkflow, opened: boolean): { base: OpenWorkflow; onSaved(saved: Partial<OpenWorkflow>): void } {
  const [base, setBase] = useState(newest);
  useWatch(newest.id);
  useEffect(() => {
    if (!opened || base.version === newest.version) return;
    const { source, editor, typed } = useStudio.getState();
    if (source !== base.source && source !== newest.source) return;
    if (source !== newest.source) {
      // As an edit: undo brings the text back that was open before.
      if (editor) editor.replaceAll(newest.source);
      else typed(newest.source);
    }
    drafts.drop(newest.key);
    setBase(newest);
  }, [opened, base, newest]);
  const onSaved = useCallback((saved: Partial<OpenWorkflow>) => setBase((old) => ({ ...old, ...saved })), []);
  return { base, onSaved };
}

function useWatch(id: string | undefined) {
  const client = useQueryClient();
  useEffect(() => {
    if (id === undefined) return;
    const controller = new AbortController();
    const look = (changed: string | undefined) => {
      if (changed === undefined || changed === id) void client.invalidateQueries({ queryKey: workflowQuery(id).queryKey });
    };
    watchWorkflows(look, controller.signal).catch((error: unknown) => console.warn(error));
    return () => controller.abort();
  }, [id, client]);
}
