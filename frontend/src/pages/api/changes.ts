/** Hears from the server which recordings are new or changed (server-sent events). */
import { apiPath } from "./client.ts";
import type { Recording } from "./types.ts";

/** The recording in an event's data; null when it holds none. */
export function recordingFrom(data: string): Recording | null {
  try {
    const value: unknown = JSON.parse(data);
    const rec = (value as { rec?: unknown } | null)?.rec;
    return typeof rec === "string" ? (value as Recording) : null;
  } catch {
    return null;
  }
}

/** A refused stream is asked for again after so long; one that breaks the browser opens again itself. */
const RETRY_MS = 5000;

/**
 * Call `onRecording` for every recording that is new or changed, and `onState` when the
 * connection comes or goes; what changed while there was none is not told. Returns what ends it.
 *
 * While nobody sees the page there is no connection: browsers open six to a server, over all of
 * their tabs, and a few forgotten ones would leave none for anything else.
 */
export function watchRecordings(
  onRecording: (recording: Recording) => void,
  onState: (isConnected: boolean) => void,
): () => void {
  let source: EventSource | null = null;
  let retryTimer = 0;
  const close = (): void => {
    window.clearTimeout(retryTimer);
    source?.close();
    source = null;
  };
  const open = (): void => {
    close();
    if (document.visibilityState === "hidden") return;
    const opened = new EventSource(apiPath(["changes"]));
    source = opened;
    opened.addEventListener("recording", (event: MessageEvent<string>) => {
      const recording = recordingFrom(event.data);
      if (recording) onRecording(recording);
    });
    opened.addEventListener("open", () => onState(true));
    opened.addEventListener("error", () => {
      onState(false);
      if (opened.readyState === EventSource.CLOSED) retryTimer = window.setTimeout(open, RETRY_MS);
    });
  };
  document.addEventListener("visibilitychange", open);
  open();
  return () => {
    document.removeEventListener("visibilitychange", open);
    close();
  };
}
