/**
 * What the server's API answers, as docs/api.md describes it.
 *
 * `*_us` are microseconds since a recording's start, `*_unix_us` microseconds since 1970 UTC.
 */

import type {
  RecordingDamage as Damage,
  LaneKind,
  LaneStretch,
  RecordingNote as Note,
  TextLine as NumberedLine,
  Verification,
} from "../../player/public.ts";

export type { Damage, Note, NumberedLine, Verification };

export type Role = "admin" | "auditor" | "user";

export interface User {
  name: string;
  role: Role;
}

export interface Session {
  user: User;
  csrf_token: string;
}

export interface Page<T> {
  items: T[];
  cursor: string | null;
}

export interface End {
  reason: string;
  exit_status?: number | null;
  signal?: number | null;
  output_bytes?: number;
  input_bytes?: number;
}

export interface Recording {
  rec: string;
  host: string;
  user: string;
  started_unix_us: number;
  duration_us: number;
  is_live: boolean;
  messages: number;
  size_bytes: number;
  chain: Verification;
  sender?: string | null;
  login_user?: string | null;
  uid?: number | null;
  service?: string | null;
  remote?: string | null;
  command?: string[] | null;
  terminal?: string | null;
  term?: string;
  columns?: number | null;
  rows?: number | null;
  records?: string[];
  labels?: string[];
  policy?: string | null;
  boot_id?: string | null;
  audit_session?: number | null;
  number?: number | null;
  end?: End | null;
  output_bytes?: number;
  input_bytes?: number;
  notes?: Record<string, number>;
  damages?: number;
}

export interface RecordingDetail extends Recording {
  commands_count: number;
  lines_count: number;
  exports: string[];
}

export interface Line {
  at_us: number;
  text: string;
}

export interface LinesPage {
  items: NumberedLine[];
  next: number | null;
}

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

/** One audit event of a recording with its records. */
export interface EventDetail {
  at_us: number;
  command: number | null;
  trail: string;
  event: AuditEvent;
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
  who?: Record<string, string | number | null>;
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

/** An audit event of a recording; `event` is without its records. */
export interface RecordedEvent {
  at_us: number;
  command: number | null;
  kind: TrailKind;
  event: AuditEvent;
}

/** What the system did, in stretches of time, by kind. */
export interface Lanes {
  lanes: Partial<Record<LaneKind, LaneStretch[]>>;
}

export interface Notes {
  notes: Note[];
  damages: Damage[];
}

/** A line or an audit event that a search found, or the recording itself. */
export interface Hit {
  recording: Recording;
  kind: "line" | "event" | "recording";
  /** For an event; its sentence is `text`. */
  event?: { trail: string; event: AuditEvent } | null;
  number: number | null;
  at_us: number | null;
  text: string | null;
  highlights: [number, number][];
  before: Line[];
  after: Line[];
}

/** An audit event of any host; `rec` is the recording that was made when it happened. */
export interface FoundEvent {
  trail: string;
  sender: string | null;
  event: AuditEvent;
  rec: string | null;
  at_us: number | null;
}

/** Somebody logged in; `recordings` are those that were made in the session. */
export interface Login {
  session: { sender: string | null; boot_id: string; audit_session: number };
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

/** An enrolled host, and how it is; null is what it never told. */
export interface Host {
  name: string;
  enrolled_unix_us: number;
  last_seen_unix_us?: number | null;
  revoked_unix_us?: number | null;
  recordings: number;
  state: string;
  warnings: string[];
  heard_unix_us?: number | null;
  silence_us?: number | null;
  sessions: number;
  open: number;
  missing: number;
  lag_us?: number | null;
  clock_offset_us?: number | null;
  agent_version?: string | null;
  version?: string | null;
  spool_bytes?: number | null;
  spool_limit_bytes?: number | null;
  undelivered_bytes?: number | null;
}

/** A session that a host's agent records. */
export interface OpenSession {
  rec: string;
  user?: string;
  started_unix_us?: number;
  login_user?: string | null;
  service?: string | null;
  terminal?: string | null;
  remote?: string | null;
}

/** How a host's audit trail fares; `lost` counts events by the reason. */
export interface HostAudit {
  source: string;
  events?: number;
  kept?: number;
  lost?: Record<string, number>;
  lag_us?: number;
}

export interface HostDetail extends Host {
  open_sessions: OpenSession[];
  missing_numbers: [number, number][];
  last_number?: number | null;
  boot_id?: string | null;
  uptime_s?: number | null;
  agent_started_unix_us?: number | null;
  policy?: string | null;
  failures: string[];
  audit?: HostAudit | null;
  certificate_serial?: string | null;
}

/** A host that somebody should look at now. */
export interface HostWarning {
  kind: string;
  host: string;
  open: number;
  heard_unix_us?: number | null;
}

export type Do = "kill" | "message";

/** What was asked of a session that is being recorded, and what came of it. */
export interface Order {
  id: number;
  rec: string;
  do: Do;
  user: string;
  text: string;
  reason: string;
  made_unix_us: number;
  state: "waiting" | "done" | "failed" | "expired";
  failure: string;
}

export interface Orders {
  items: Order[];
  may: Do[];
}

export interface EnrolmentCode {
  code: string;
  expires_unix_us: number;
}

/** An account, as administrators see it. */
export interface Account extends User {
  has_password: boolean;
  created_unix_us: number;
  disabled_unix_us?: number | null;
}

/** A token for programs; its role never exceeds its user's. */
export interface Token {
  id: string;
  user: string;
  role: Role;
  label: string;
  created_unix_us: number;
  expires_unix_us?: number | null;
  used_unix_us?: number | null;
  revoked_unix_us?: number | null;
}

/** A new token with its secret, which is told only now. */
export interface MadeToken {
  token: Token;
  secret: string;
}

/** A link that signs its user in once. */
export interface SignInLink {
  path: string;
  expires_unix_us: number;
}

/** Somebody looked at a recording, in one or many requests. */
export interface Viewing {
  id: number;
  user: string;
  rec: string | null;
  how: string;
  /** The query of a search, the format of an export. */
  detail: string;
  address: string;
  /** `session`, or `token ID`. */
  through: string;
  first_unix_us: number;
  last_unix_us: number;
  requests: number;
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
