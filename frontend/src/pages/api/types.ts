/**
 * What the server's API answers, as docs/api.md describes it; of hosts and their audit trails in the files
 * beside this one. tests/web/test_page_types.py holds all of it to what the server's own types are.
 *
 * `*_us` are microseconds since a recording's start, `*_unix_us` microseconds since 1970 UTC.
 */

import type {
  RecordingDamage as Damage,
  RecordingNote as Note,
  TextLine as NumberedLine,
  Verification,
} from "../../player/public.ts";
import type { AuditEvent, FoundBunch } from "./audit.ts";

export type * from "./audit.ts";
export type * from "./hosts.ts";
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

export interface Notes {
  notes: Note[];
  damages: Damage[];
}

/** A line or an audit event that a search found, or the recording itself. */
export interface Hit {
  recording: Recording;
  kind: "line" | "event" | "recording";
  /** For an event; its sentence is `text`. */
  event?: { trail: string; event: AuditEvent; bunch?: FoundBunch | null } | null;
  number: number | null;
  at_us: number | null;
  text: string | null;
  highlights: [number, number][];
  before: Line[];
  after: Line[];
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
