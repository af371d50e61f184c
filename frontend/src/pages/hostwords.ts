/** How hosts are, and what came of orders, in plain words; docs/hosts.md says the same. */
import type { Host, Order } from "./api/types.ts";
import { count, counted, duration } from "./format.ts";
import type { Saying } from "./words.ts";

const STATES: Record<string, Saying> = {
  good: { text: "good", tone: "ok", more: "Its heartbeats come." },
  away: {
    text: "away",
    tone: "plain",
    more: "No heartbeats come; nothing was being recorded when the last one came.",
  },
  left: {
    text: "stopped",
    tone: "plain",
    more: "Its courier stopped in good order, and nothing was being recorded.",
  },
  unheard: { text: "no heartbeats", tone: "plain", more: "It never sent a heartbeat." },
  revoked: { text: "refused", tone: "bad", more: "It was revoked, and may deliver no more." },
};

/** How a host is. */
export function hostSaying({ state, open }: Pick<Host, "state" | "open">): Saying {
  if (state === "silent") {
    return {
      text: "silent",
      tone: "bad",
      more: `No heartbeats come, though ${counted(open, "recording")} ${open === 1 ? "was" : "were"} being made there: the host, its network or its courier is down.`,
    };
  }
  return STATES[state] ?? { text: state, tone: "plain", more: "" };
}

/** What somebody should look at, one line each; silence is said by the state. */
export function hostWarnings(host: Host): Saying[] {
  const say: Record<string, () => [string, string]> = {
    missing: () => [
      `${count(host.missing)} missing`,
      `${counted(host.missing, "recording")} that the host counted never came.`,
    ],
    agent: () => [
      "no agent",
      "Its agent answered before and does not now: it was stopped, or hangs.",
    ],
    number: () => ["numbers went back", "The host's running number of recordings went back."],
    lag: () => [
      `${duration(host.lag_us ?? 0)} behind`,
      "Bytes have waited for so long in its spool, undelivered.",
    ],
    clock: () => [
      `clock ${offset(host.clock_offset_us)}`,
      "Its clock is off by so much against the server's.",
    ],
    full: () => ["spool nearly full", "Less than a tenth of what its spool may hold is left."],
    audit: () => [
      "no audit trail",
      "It wrote an audit trail since its boot, and does not now: auditd or Steno's plugin was stopped, auditing switched off, or journald has stopped to take its events.",
    ],
    index: () => [
      "not indexed",
      "The server's index follows something that it delivered no more; its page says what.",
    ],
    failures: () => ["failures", "It says that something goes wrong; its page shows what."],
  };
  return host.warnings.flatMap((kind) => {
    const words = say[kind]?.();
    return words ? [{ text: words[0], tone: "warn" as const, more: words[1] }] : [];
  });
}

/** A clock's offset in seconds, "+7.5 s"; "0.0 s" when it is right. */
export function offset(us: number | null | undefined): string {
  if (us === null || us === undefined) return "";
  const seconds = us / 1e6;
  if (Math.abs(seconds) < 0.05) return "0.0 s";
  const sign = seconds < 0 ? "−" : "+";
  const size = Math.abs(seconds);
  return `${sign}${size < 100 ? size.toFixed(1) : count(Math.round(size))} s`;
}

/** "6 s ago"; "never" for null. */
export function ago(us: number | null | undefined): string {
  if (us === null || us === undefined) return "never";
  return us < 1e6 ? "now" : `${duration(us)} ago`;
}

/** Ranges of running numbers, "41–43, 50". */
export function ranges(found: [number, number][]): string {
  return found
    .map(([first, last]) => (first === last ? count(first) : `${count(first)}–${count(last)}`))
    .join(", ");
}

/** What came of an order. */
export function orderSaying(order: Pick<Order, "state" | "failure">): Saying {
  switch (order.state) {
    case "waiting":
      return { text: "waiting for the host", tone: "live", more: "The host has not answered yet." };
    case "done":
      return { text: "done", tone: "ok", more: "The host says that it is done." };
    case "failed":
      return { text: `failed: ${order.failure}`, tone: "bad", more: "The host could not do it." };
    default:
      return {
        text: "expired",
        tone: "warn",
        more: "The host did not answer in time, and will not do it any more.",
      };
  }
}
