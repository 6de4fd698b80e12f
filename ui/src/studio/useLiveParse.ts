import { useEffect, useRef } from "react";
import { api } from "@/api/actions";
import { useStudio } from "./store";

/** Pause after a key press before the text is sent. */
const QUIET_MS = 40;

/** Keeps what is understood of the text up with the text. */
export function useLiveParse() {
  const source = useStudio((state) => state.source);
  const file = useStudio((state) => state.file);
  const first = useRef(true);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const ask = async () => {
      try {
        useStudio.getState().parsed(source, await api.parse({ source, file }, signal));
      } catch (error) {
        // The next key press, or the notice of a lost server, says more than an error here would.
        if (!signal.aborted) console.warn(error);
      }
    };
    const timer = setTimeout(ask, first.current ? 0 : QUIET_MS);
    first.current = false;
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [source, file]);
}
