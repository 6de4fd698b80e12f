import { send, Unreachable } from "./client";
import type { components } from "./schema";

/** One event of a run. Live-only events repeat the number of the durable one before them. */
export type RunEvent = components["schemas"]["Event"];

export type StreamState = "open" | "lost" | "ended";

export interface Watcher {
  onEvents(events: RunEvent[]): void;
  onState?(state: StreamState): void;
}

const RETRY_MS = 250;
const RETRY_MS_MAX = 5_000;

/**
 * Reads the events of an execution from the first one on until it ends, going on
 * where a broken connection stopped. Events that arrive together are handed over
 * together, once a frame: a fast run must not draw more often than the screen.
 */
export async function watchEvents(id: string, watcher: Watcher, signal: AbortSignal): Promise<void> {
  let after = 0;
  let delay = RETRY_MS;
  const batch = new Batch(watcher.onEvents);
  while (!signal.aborted) {
    try {
      const headers = { Accept: "text/event-stream", "Last-Event-ID": String(after) };
      const response = await send(`/executions/${id}/events`, { headers, signal });
      watcher.onState?.("open");
      delay = RETRY_MS;
      for await (const message of messages(response)) {
        if (message.data === "" || (message.event !== "" && message.event !== "event")) continue;
        const event = JSON.parse(message.data) as RunEvent;
        if (message.id !== "") after = Number(message.id);
        batch.add(event);
      }
      // The server ends the stream when the execution has ended, and when it stops itself.
      if (await hasEnded(id, signal)) {
        batch.flush();
        watcher.onState?.("ended");
        return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Unreachable) && !(error instanceof TypeError)) throw error;
    }
    watcher.onState?.("lost");
    await pause(delay, signal);
    delay = Math.min(delay * 2, RETRY_MS_MAX);
  }
}

/** Says when a workflow was changed, by anyone: its id, or nothing when some were missed. Ends with the signal. */
export async function watchWorkflows(onChange: (id: string | undefined) => void, signal: AbortSignal): Promise<void> {
  for (let delay = RETRY_MS; !signal.aborted; delay = Math.min(delay * 2, RETRY_MS_MAX)) {
    try {
      const response = await send("/workflows/events", { headers: { Accept: "text/event-stream" }, signal });
      // What changed while nobody listened was not told.
      if (delay > RETRY_MS) onChange(undefined);
      delay = RETRY_MS;
      for await (const message of messages(response)) {
        if (message.data !== "") onChange((JSON.parse(message.data) as { id?: string }).id);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Unreachable) && !(error instanceof TypeError)) throw error;
    }
    await pause(delay, signal);
  }
}

async function hasEnded(id: string, signal: AbortSignal): Promise<boolean> {
  const response = await send(`/executions/${id}`, { signal });
  const { status } = (await response.json()) as { status: string };
  return ["completed", "failed", "cancelled"].includes(status);
}

class Batch {
  private waiting: RunEvent[] = [];
  private planned = false;

  constructor(private readonly deliver: (events: RunEvent[]) => void) {}

  add(event: RunEvent) {
    this.waiting.push(event);
    if (this.planned) return;
    this.planned = true;
    // A hidden page gets no frames, and must not fall behind for ever.
    if (document.hidden) setTimeout(() => this.flush(), 100);
    else requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.planned = false;
    const events = this.waiting;
    this.waiting = [];
    if (events.length > 0) this.deliver(events);
  }
}

export interface Message {
  id: string;
  event: string;
  data: string;
}

async function* messages(response: Response): AsyncGenerator<Message> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new MessageParser();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield* parser.push(value);
  }
}

/** Server-sent events out of pieces of text that break anywhere. */
export class MessageParser {
  private rest = "";
  private message: Message = { id: "", event: "", data: "" };

  *push(piece: string): Generator<Message> {
    const lines = (this.rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (this.message.data !== "") yield { ...this.message, data: this.message.data.slice(0, -1) };
        this.message = { id: "", event: "", data: "" };
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "id") this.message.id = value;
      else if (field === "event") this.message.event = value;
      else if (field === "data") this.message.data += `${value}\n`;
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
