import { useEffect } from "react";
import { api } from "@/api/actions";
import { Unreachable } from "@/api/client";
import { useStudio } from "./store";

/** Pause before a server that is gone is asked again. */
const RETRY_MS = 1_000;

/**
 * Keeps what is understood of the text up with the text. The first key press is sent
 * at once; while an answer is on its way others only wait for it, so that one request
 * at most is under way and the newest text is always the last that is asked about.
 */
export function useLiveParse() {
  const file = useStudio((state) => state.file);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    let busy = false;
    let refused: string | undefined;
    const ask = async (source: string) => {
      try {
        const parsed = await api.parse({ source, file }, signal);
        if (!signal.aborted) useStudio.getState().parsed(source, parsed);
      } catch (error) {
        if (signal.aborted) return;
        // A refusal would be one again; who lost the server sees a notice, and the picture follows when it is back.
        if (!(error instanceof Unreachable)) {
          refused = source;
          return console.warn(error);
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    };
    const follow = async () => {
      if (busy) return;
      busy = true;
      for (let state = useStudio.getState(); !signal.aborted; state = useStudio.getState()) {
        if (state.source === state.readSource || state.source === refused) break;
        await ask(state.source);
      }
      busy = false;
    };
    void follow();
    const stop = useStudio.subscribe((state, before) => {
      if (state.source !== before.source) void follow();
    });
    return () => {
      controller.abort();
      stop();
    };
  }, [file]);
}
