/** What the server's API answers of hosts, and of what was asked of them. */

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

/** How a host's audit trail fares; `lost` counts events by the reason; deaf: journald takes none any more. */
export interface HostAudit {
  source: string;
  events?: number;
  kept?: number;
  lost?: Record<string, number>;
  lag_us?: number;
  is_deaf?: boolean;
}

/** A recording or audit trail at which indexing fails. */
export interface LeftAlone {
  rec: string;
  sender: string | null;
  since_unix_us: number;
  reason: string;
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
  /** What it delivered and the server's index follows no more. */
  left_alone: LeftAlone[];
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
