/** Alerts in plain words; docs/alerts.md says the same. */
import type { Alert, Severity } from "./api/types.ts";
import { counted, localInstant } from "./format.ts";
import type { Saying } from "./words.ts";

export const SEVERITIES: Severity[] = ["critical", "high", "medium", "low"];

const TONES: Record<Severity, Saying["tone"]> = {
  critical: "bad",
  high: "bad",
  medium: "warn",
  low: "plain",
};

/** How bad an alert is. */
export function severitySaying({ severity, description }: Alert): Saying {
  return { text: severity, tone: TONES[severity] ?? "plain", more: description };
}

/** "3 times, the last at ..."; "" where it happened once. */
export function timesWords({ count, last_unix_us: last }: Alert): string {
  return count > 1 ? `${counted(count, "time")}, the last at ${localInstant(last)}` : "";
}

/** What is found so long after it happened is said to be: its host was away, or the rule is new. */
const LATE_US = 10 * 60 * 1_000_000;

/** "found only at ..."; "" where it was found when it happened. */
export function lateWords({ last_unix_us: last, raised_unix_us: raised }: Alert): string {
  return raised - last > LATE_US ? `found only at ${localInstant(raised)}` : "";
}

/** Who it was: who had logged in, and as whom they acted where that is another. */
export function whoWords({ user, login_user: login }: Alert): string {
  if (login && user && login !== user) return `${login} as ${user}`;
  return login ?? user ?? "";
}

/** "2 critical and 1 high"; "" where nothing is open. */
export function openWords(open: Partial<Record<Severity, number>>): string {
  const parts = SEVERITIES.flatMap((severity) => {
    const number = open[severity] ?? 0;
    return number > 0 ? [`${number} ${severity}`] : [];
  });
  const last = parts.pop();
  if (last === undefined) return "";
  return parts.length > 0 ? `${parts.join(", ")} and ${last}` : last;
}
