/** What the server's API answers of hosts' audit trails: commands, events, logins, alerts. */

import type { LaneKind, LaneStretch } from "../../player/public.ts";
import type { Page } from "./types.ts";

/** How many events of some sorts, and programs. */
export interface Counts {
  programs: number;
  events: number;
  files_changed: number;
  connections: number;
  denials: number;
}

/** A command of a recording: from the host's audit trail, or as the screen showed it. */
export interface Command {
  number: number;
  /** Parents stand before their children. */
  parent: number | null;
  at_us: number;
  text: string;
  source: "audit" | "screen";
  kind: "shell" | "line" | "program" | "subshell";
  end_us: number | null;
  ended: "exit" | "signal" | "replaced" | "next" | "last" | "unknown";
  origin: "typed" | "script" | "other";
  typed: string | null;
  arguments: string[] | null;
  /** So many more of them only its event has. */
  arguments_left_out: number;
  program: string | null;
  pid: number | null;
  user: string | null;
  exit_status: number | null;
  signal: number | null;
  error: string | null;
  is_background: boolean;
  pipeline: number | null;
  privilege: string | null;
  own: Counts;
  below: Counts;
}

export interface Commands {
  source: "audit" | "screen";
  items: Command[];
  counts: Counts;
  /** How many audit events are missing in between. */
  lost: number;
  /** There are more events than the server joins; later ones are left out. */
  is_cut: boolean;
}

/** What an audit event is about. */
export interface Thing {
  kind: string;
  name: string;
  role?: string;
  name_hex?: string;
  mode?: string;
  owner?: string;
}

export interface AuditRecord {
  type: string;
  fields: Record<string, { raw: string; value?: unknown }>;
}

/** Who did something. */
export interface Who {
  login_uid?: number | null;
  login_user?: string | null;
  uid?: number | null;
  user?: string | null;
  effective_uid?: number | null;
  effective_user?: string | null;
}

/** One audit event; docs/formats/event.md. */
export interface AuditEvent {
  serial: number;
  at_unix_us: number;
  action: string;
  result?: "success" | "failure" | "unknown";
  host?: string;
  boot_id?: string | null;
  audit_session?: number | null;
  error?: string | null;
  exit?: number | null;
  syscall?: string | null;
  keys?: string[];
  who?: Who;
  process?: {
    pid?: number;
    parent_pid?: number;
    program?: string;
    name?: string;
    terminal?: string;
    directory?: string;
    arguments?: string[];
    title?: string;
  };
  objects?: Thing[];
  text?: string;
  typed?: string | null;
  lost_before?: number;
  records?: AuditRecord[];
}

export type TrailKind =
  | "files"
  | "network"
  | "processes"
  | "privileges"
  | "denials"
  | "typed"
  | "other";

/** Several events that say the same, told as one. */
export interface Bunch {
  events: number;
  last_us: number;
  text: string;
  serials: number[];
}

/** An audit event of a recording; `event` is without its records. */
export interface RecordedEvent {
  at_us: number;
  command: number | null;
  kind: TrailKind;
  event: Omit<AuditEvent, "records">;
  /** What it stands for, where that is more than itself. */
  bunch?: Bunch | null;
}

/** One audit event of a recording with its records. */
export interface EventDetail {
  at_us: number;
  command: number | null;
  trail: string;
  event: AuditEvent;
}

/** What the system did, in stretches of time, by kind. */
export interface Lanes {
  lanes: Partial<Record<LaneKind, LaneStretch[]>>;
}

/** Events that say the same, told as one. */
export interface FoundBunch {
  first_unix_us: number;
  last_unix_us: number;
  text: string;
  serials: number[];
}

/** An audit event of any host; `rec` is the recording that was made when it happened. */
export interface FoundEvent {
  trail: string;
  sender: string | null;
  event: AuditEvent;
  rec: string | null;
  at_us: number | null;
  /** What it stands for, where that is more than itself. */
  bunch?: FoundBunch | null;
}

/** Who says so: the kernel's audit trail, or a program of itself in the journal. */
export type ToldBy = "audit" | "journal";

/** Somebody logged in; `recordings` are those that were made in the session. */
export interface Login {
  session: { sender: string | null; boot_id: string; audit_session: number } | null;
  host: string;
  user: string;
  service: string;
  source: string;
  terminal: string;
  opened_unix_us: number;
  closed_unix_us: number | null;
  trail: string;
  serial: number;
  recordings: string[];
  failures: number;
  failed_first_unix_us: number | null;
  failed_last_unix_us: number | null;
  told_by: ToldBy;
}

/** Attempts to log in that failed: of one host, account, program and source. */
export interface LoginFailures {
  host: string;
  sender: string | null;
  user: string;
  service: string;
  source: string;
  login_user: string;
  count: number;
  first_unix_us: number;
  last_unix_us: number;
  told_by: ToldBy;
}

/** Which logins; `*` stands for anything, "" for all. */
export interface LoginFilter {
  user: string;
  host: string;
  source: string;
  service: string;
  recorded: "" | "yes" | "no";
  /** Days of this browser's calendar, 2026-11-20; the second one is included. */
  from: string;
  until: string;
}

export type Severity = "low" | "medium" | "high" | "critical";

/** What an alert rule found. `rec` and `at_us` say where it can be seen. */
export interface Alert {
  id: number;
  rule: string;
  severity: Severity;
  description: string;
  at_unix_us: number;
  last_unix_us: number;
  raised_unix_us: number;
  count: number;
  text: string;
  /** What else these were: the first few. */
  others: string[];
  host: string;
  sender?: string | null;
  user?: string | null;
  login_user?: string | null;
  rec?: string | null;
  at_us?: number | null;
  trail?: string | null;
  serial?: number | null;
  acknowledged_by?: string | null;
  acknowledged_unix_us?: number | null;
  comment?: string | null;
}

export interface AlertPage extends Page<Alert> {
  /** How many of each severity nobody has acknowledged. */
  open: Partial<Record<Severity, number>>;
}
