/** Commands and events of the audit trail in plain words. */
import type { Command, Counts, TrailKind } from "../api/types.ts";
import { counted, duration } from "../format.ts";
import { signalName, type Tone } from "../words.ts";

export interface KindWords {
  kind: TrailKind;
  label: string;
  more: string;
}

/** What can be asked for, as the filters name it. */
export const KINDS: readonly KindWords[] = [
  { kind: "files", label: "Files", more: "Files created, written, deleted, renamed, changed" },
  { kind: "network", label: "Network", more: "Addresses connected to, listened on, sent to" },
  { kind: "processes", label: "Processes", more: "Programs and processes that began and ended" },
  { kind: "privileges", label: "Rights", more: "Became somebody else, got or lost rights" },
  { kind: "denials", label: "Denied", more: "Refused for lack of rights" },
  { kind: "typed", label: "Typed", more: "What was typed, as the kernel saw it" },
  { kind: "other", label: "Other", more: "Everything else" },
];

/** What a kind is called. */
export function kindLabel(kind: string): string {
  return KINDS.find((each) => each.kind === kind)?.label ?? kind;
}

export interface Remark {
  text: string;
  tone: Tone;
  more: string;
}

/** The audit trail's clock ticks every 1 to 10 ms: nothing shorter can be told. */
const TICK_US = 10_000;

function lengthWords(us: number): string {
  if (us < TICK_US) return "< 10 ms";
  return us < 1_000_000 ? `${Math.round(us / 1000)} ms` : duration(us);
}

/** How long a command ran, as far as that is known. */
export function lastedWords(command: Command): Remark | null {
  const { at_us, end_us, ended } = command;
  if (end_us === null || ended === "unknown") return null;
  const text = lengthWords(end_us - at_us);
  const isTick = text.startsWith("<");
  if (ended === "next") {
    return {
      text: isTick ? text : `≤ ${text}`,
      tone: "plain",
      more: "It had ended when the next command began.",
    };
  }
  if (ended === "last" && isTick) return null;
  if (ended === "last") {
    return { text: `≥ ${text}`, tone: "plain", more: "The last thing it is known to have done." };
  }
  return { text, tone: "plain", more: "From its start to its end." };
}

/** How a command ended; null where that is not known, or went well. */
export function endedWords(command: Command): Remark | null {
  const { exit_status: status, signal, error } = command;
  if (error) return { text: error, tone: "bad", more: `It could not be run: ${error}.` };
  if (signal) {
    const name = signalName(signal);
    return { text: name, tone: "warn", more: `It was ended by ${name}.` };
  }
  if (status === null) return null;
  const tone = status === 0 ? "plain" : "bad";
  return { text: `exit ${status}`, tone, more: `It exited with status ${status}.` };
}

/** Whose will it was, where nobody typed it. */
export function originWords({ origin, kind }: Command): Remark | null {
  if (kind === "shell" || origin === "typed") return null;
  if (origin === "script") {
    return { text: "from a script", tone: "plain", more: "Not typed: a script ran it." };
  }
  return { text: "by itself", tone: "plain", more: "Not typed: a program or the shell ran it." };
}

/** What a command and all below it did: "3 file changes, 1 connection". */
export function countsWords(counts: Counts): Remark[] {
  const { files_changed: files, connections, denials } = counts;
  const remarks: Remark[] = [];
  if (files > 0) {
    remarks.push({
      text: counted(files, "file change"),
      tone: "plain",
      more: "Created, written, renamed, deleted: each time counts.",
    });
  }
  if (connections > 0) {
    remarks.push({ text: counted(connections, "connection"), tone: "plain", more: "Addresses." });
  }
  if (denials > 0) {
    remarks.push({ text: `${denials} denied`, tone: "bad", more: "Refused for lack of rights." });
  }
  return remarks;
}

/** All that a row says beside the command itself. */
export function remarksOn(command: Command): Remark[] {
  const remarks: (Remark | null)[] = [originWords(command)];
  if (command.kind === "shell") {
    remarks.push({ text: "shell", tone: "plain", more: "A shell that somebody typed into." });
  }
  if (command.privilege !== null) {
    const more = `It ran as ${command.privilege}, and not as what ran it.`;
    remarks.push({ text: `as ${command.privilege}`, tone: "warn", more });
  }
  if (command.is_background) {
    remarks.push({ text: "in the background", tone: "plain", more: "The shell did not wait." });
  }
  remarks.push(lastedWords(command), endedWords(command), ...countsWords(command.below));
  return remarks.filter((remark) => remark !== null);
}
