/** Marks of the timeline, from what the recording says about itself. */
import { visibleControls, visibleText } from "./cells.ts";
import { ownCommands } from "./lanes.ts";
import type {
  RanCommand,
  RecordingDamage,
  RecordingNote,
  SegmentEvent,
  SegmentIndex,
  TrailData,
} from "./public.ts";
import type { SearchHit } from "./source.ts";
import type { Mark } from "./timeline.ts";

/** docs/formats/steno.md has the words; an unknown one is shown as it is. */
const NOTES: Readonly<Record<string, string>> = {
  unseen: "typed unseen, not kept",
  drop: "output dropped by the rate limit",
  message: "a message to the person",
  kill: "the session was ended by somebody",
  delay: "output held back by the rate limit",
  restart: "the recorder was restarted",
  torn: "a crash left a torn line, cut off",
  gap: "messages are missing",
  lost: "the format could not hold something",
};

function factsText(facts: Record<string, unknown>): string {
  return Object.entries(facts)
    .map(([name, value]) => {
      const text = typeof value === "object" ? JSON.stringify(value) : String(value);
      return `${name} ${text}`;
    })
    .join(", ");
}

export function noteMark(note: RecordingNote): Mark {
  const facts = factsText(note.facts ?? {});
  const name = Object.hasOwn(NOTES, note.kind) ? NOTES[note.kind] : note.kind;
  const label = visibleText(facts ? `${name} (${facts})` : String(name));
  return { at: note.at_us / 1e6, label, kind: "note" };
}

/** A damage that does not say when it happened stands at the begin: it must not go unseen. */
export function damageMark(damage: RecordingDamage): Mark {
  const label = visibleText(
    `unreadable: line ${damage.line}, ${damage.length_bytes} bytes: ${damage.reason}`,
  );
  return { at: (damage.at_us ?? 0) / 1e6, label, kind: "damage" };
}

/** Marks that stand among the events, as a live recording sends them: notes' kinds, damages. */
export function eventMarks(events: readonly SegmentEvent[]): Mark[] {
  return events
    .filter((event) => event[1] === "m")
    .map(([at, , label]) => {
      const text = Object.hasOwn(NOTES, label) ? NOTES[label] : label;
      const kind = label.startsWith("damage") ? "damage" : "note";
      return { at, label: visibleText(String(text)), kind };
    });
}

function endWords({ exit_status: status, signal }: RanCommand): string {
  if (signal) return `  (ended by signal ${signal})`;
  return status ? `  (exit ${status})` : "";
}

/** The commands: what the trail says ran, where there is one, else the index's markers. */
export function commandMarks(index: SegmentIndex, trail: TrailData | null = null): Mark[] {
  if (trail?.commands) {
    return ownCommands(trail.commands).map((command) => ({
      at: command.at_us / 1e6,
      label: visibleControls(String(command.text)) + endWords(command),
      kind: "command" as const,
    }));
  }
  return (index.markers ?? []).map(([at, label]) => ({
    at,
    label: visibleText(String(label)),
    kind: "command" as const,
  }));
}

/** Denials and alerts, in order: what somebody who looks for trouble goes through. */
export function troubles(trail: TrailData | null): { at: number; label: string }[] {
  const { denials = [], alerts = [] } = trail?.lanes ?? {};
  return [...denials, ...alerts]
    .map(({ first_us, text }) => ({ at: first_us / 1e6, label: visibleControls(text) }))
    .sort((a, b) => a.at - b.at);
}

export function hitMarks(hits: readonly SearchHit[]): Mark[] {
  return hits.map((hit) => ({ at: hit.at, label: visibleText(hit.text), kind: "hit" as const }));
}

const NAMED_KEYS: Readonly<Record<string, string>> = {
  "\r": "⏎",
  "\n": "⏎",
  "\t": "⇥",
  "\u007f": "⌫",
  "\b": "⌫",
  "\u001b": "⎋",
  "\u001b[A": "↑",
  "\u001b[B": "↓",
  "\u001b[C": "→",
  "\u001b[D": "←",
  "\u001bOA": "↑",
  "\u001bOB": "↓",
  "\u001bOC": "→",
  "\u001bOD": "←",
};

/** What was typed, readable: arrows, ⏎, ^C; nothing that acts. */
export function typedText(data: string): string {
  return visibleText(data).replace(
    /\u001b[[O][A-D]|[\u0000-\u001f\u007f-\u009f]/g,
    (keys) => NAMED_KEYS[keys] ?? `^${String.fromCharCode((keys.charCodeAt(0) & 0x1f) | 0x40)}`,
  );
}
