import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { type StreamState, watchEvents } from "@/api/events";
import { executionQuery, newestStateQuery } from "@/api/queries";
import type { Execution } from "@/api/types";
import { useStudio } from "./store";

/** Follows a run: its events go to the canvas, how it stands is asked for when that may have changed. */
export function useRun(id: string | undefined): { execution: Execution | undefined; stream: StreamState } {
  const [stream, setStream] = useState<StreamState>("open");
  const client = useQueryClient();
  useEffect(() => {
    const { watch, happened } = useStudio.getState();
    watch(id ?? null);
    if (id === undefined) return;
    const controller = new AbortController();
    const look = () => void client.invalidateQueries({ queryKey: ["execution", id] });
    const watcher = {
      onEvents: (events: Parameters<typeof happened>[0]) => {
        happened(events);
        if (events.some((event) => STANDING.has(event.kind))) look();
      },
      onState: (state: StreamState) => {
        setStream(state);
        if (state === "ended") look();
      },
    };
    watchEvents(id, watcher, controller.signal).catch((error: unknown) => console.warn(error));
    return () => controller.abort();
  }, [id, client]);
  const { data } = useQuery({
    ...executionQuery(id ?? ""),
    enabled: id !== undefined,
    // A cancel or a pause is not an event of the run.
    refetchInterval: (query) => (isSettled(query.state.data) ? false : 1_500),
  });
  // What was changed by hand is no event of the run, and large values are left out of its log.
  const stands = data !== undefined && STILL.has(data.status);
  const { data: state } = useQuery({ ...newestStateQuery(id ?? ""), enabled: stands });
  useEffect(() => {
    if (stands && state) useStudio.getState().stood(state);
  }, [stands, state]);
  return { execution: data, stream };
}

const STILL = new Set(["waiting", "paused", "completed", "failed", "cancelled"]);
const STANDING = new Set(["start", "interrupt", "error", "done"]);

function isSettled(execution: Execution | undefined): boolean {
  return execution !== undefined && ["completed", "failed", "cancelled"].includes(execution.status);
}
