/** The line above the screen: what the chain proves, live or not, the terminal's size, messages. */
import { make, setText } from "./dom.ts";
import type { Verification } from "./public.ts";

export interface Badge {
  text: string;
  /** `good`, `open`, `bad` or `none`: how it looks. */
  tone: "good" | "open" | "bad" | "none";
  title: string;
}

/** Say what a verification proves, no more. */
export function badgeOf(verification: Verification | null): Badge | null {
  if (!verification) return null;
  const { state, lines, reason } = verification;
  if (state === "complete") {
    return {
      text: "verified: complete",
      tone: "good",
      title: `The chain is unbroken over all ${lines} lines, from the start to the end facts.`,
    };
  }
  if (state === "so_far") {
    return {
      text: `verified up to here (line ${lines})`,
      tone: "open",
      title: "The chain is unbroken so far; the recording has no end facts: live, or cut off.",
    };
  }
  if (state === "broken") {
    const line = verification.broken_line ?? lines + 1;
    return {
      text: `BROKEN at line ${line}: ${reason ?? "reason not known"}`,
      tone: "bad",
      title: `Lines 1 to ${lines} are good. From line ${line} on nothing is proven.`,
    };
  }
  return {
    text: "not chained",
    tone: "none",
    title: "The lines carry no chain (stock tlog's do not): changes would not show.",
  };
}

export class StatusLine {
  readonly element: HTMLElement;
  private readonly badge = make("span", { class: "badge", hidden: true });
  private readonly live = make("span", { class: "on-air", hidden: true });
  private readonly size = make("span", { class: "size" });
  private readonly message = make("span", { class: "message", role: "status" });
  private readonly alert = make("span", { class: "alert", role: "alert" });
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    this.element = make(
      "div",
      { class: "status" },
      this.badge,
      this.live,
      this.alert,
      this.message,
      make("span", { class: "spring" }),
      this.size,
    );
  }

  setVerification(verification: Verification | null): void {
    const badge = badgeOf(verification);
    this.badge.hidden = badge === null;
    if (!badge) return;
    setText(this.badge, badge.text);
    this.badge.className = `badge ${badge.tone}`;
    this.badge.title = badge.title;
  }

  /** @param connection null when the recording is not live. */
  setLive(connection: "up" | "lost" | null): void {
    this.live.hidden = connection === null;
    this.live.classList.toggle("is-lost", connection === "lost");
    setText(this.live, connection === "lost" ? "live: connection lost, trying again" : "live");
  }

  setSize(columns: number, rows: number): void {
    setText(this.size, `${columns}×${rows}`);
  }

  /** Say something that goes away again. */
  say(text: string): void {
    setText(this.message, text);
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => setText(this.message, ""), 4000);
  }

  /** Say what went wrong, until something goes well: "". */
  fail(text: string): void {
    setText(this.alert, text);
  }
}
