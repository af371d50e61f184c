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

/**
 * Call `onRecording` for every recording that is new or changed, and `onState` when the
 * connection comes or goes; the browser reconnects by itself. Returns what ends it.
 */
export function watchRecordings(
  onRecording: (recording: Recording) => void,
  onState: (isConnected: boolean) => void,
): () => void {
  const source = new EventSource(apiPath(["changes"]));
  source.addEventListener("recording", (event: MessageEvent<string>) => {
    const recording = recordingFrom(event.data);
    if (recording) onRecording(recording);
  });
  source.addEventListener("open", () => onState(true));
  source.addEventListener("error", () => onState(false));
  return () => source.close();
}
