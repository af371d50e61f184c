/** What the audit trail says of a recording: loaded at first, and again while more may come in. */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { TrailData as PlayerTrail } from "../../player/public.ts";
import { asProblem, type Problem } from "../api/problem.ts";
import type { Alert, Commands, Lanes } from "../api/types.ts";
import type { Context } from "../parts/page.ts";
import { timelineOf } from "./alerts.ts";

/** A live recording's trail is asked for so often, while somebody sees the page. */
const AGAIN_MS = 4000;
/** Hosts deliver their trail seconds after the recording: so often it is asked for at its end. */
const ROUNDS_AT_END = 5;

const NO_LANES: Lanes = { lanes: {} };
const NO_ALERTS: readonly Alert[] = [];

export class TrailData implements ReactiveController {
  commands: Commands | null = null;
  lanes: Lanes | null = null;
  alerts: readonly Alert[] = NO_ALERTS;
  /** The same object for the same trail: the player draws its timeline anew for another one. */
  timeline: PlayerTrail | null = null;
  problem: Problem | null = null;
  /** Another one each time that more came in. */
  growth = 0;
  #rec = "";
  #isLive = false;
  #roundsLeft = 0;
  #timer = 0;
  #loading: AbortController | null = null;

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly context: () => Context,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    document.addEventListener("visibilitychange", this.#againSoon);
  }

  hostDisconnected(): void {
    document.removeEventListener("visibilitychange", this.#againSoon);
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#loading?.abort();
    this.#rec = "";
  }

  /** Load what belongs to `rec`, and go on as long as it grows. */
  follow(rec: string, isLive: boolean): void {
    const hasEnded = this.#isLive && !isLive;
    this.#isLive = isLive;
    if (hasEnded) this.#roundsLeft = ROUNDS_AT_END;
    if (rec !== this.#rec) {
      this.#rec = rec;
      this.commands = null;
      this.lanes = null;
      this.alerts = NO_ALERTS;
      this.timeline = null;
      this.#roundsLeft = 0;
      void this.load();
    }
    this.#againSoon();
  }

  async load(): Promise<void> {
    this.#loading?.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    const rec = this.#rec;
    try {
      const { api, user } = this.context();
      // Alerts are for those who look after others; nobody else is asked to do without.
      const alerting = user.role === "user" ? NO_ALERTS : api.recordingAlerts(rec, signal);
      const [commands, alerts] = await Promise.all([api.commands(rec, signal), alerting]);
      const lanes = commands.source === "audit" ? await api.lanes(rec, signal) : NO_LANES;
      if (signal.aborted) return;
      this.#take(commands, lanes, alerts);
      this.problem = null;
    } catch (error) {
      if (signal.aborted) return;
      this.problem = asProblem(error);
    }
    this.host.requestUpdate();
    this.#againSoon();
  }

  /** Keep the very same object for what has not changed: then nothing is drawn anew. */
  #take(commands: Commands, lanes: Lanes, alerts: readonly Alert[]): void {
    const isSame = (one: unknown, other: unknown): boolean =>
      JSON.stringify(one) === JSON.stringify(other);
    const before = [this.commands, this.lanes, this.alerts];
    if (!isSame(commands, this.commands)) this.commands = commands;
    if (!isSame(lanes, this.lanes)) this.lanes = lanes;
    if (!isSame(alerts, this.alerts)) this.alerts = alerts;
    const hasGrown = before[0] !== this.commands || before[1] !== this.lanes;
    if (hasGrown) this.growth++;
    if (hasGrown || before[2] !== this.alerts) {
      this.timeline = timelineOf(this.commands, this.lanes, this.alerts);
    }
  }

  #againSoon = (): void => {
    if (this.#timer || document.visibilityState !== "visible" || this.#rec === "") return;
    if (!this.#isLive && this.#roundsLeft <= 0) return;
    this.#timer = window.setTimeout(() => {
      this.#timer = 0;
      this.#roundsLeft--;
      void this.load();
    }, AGAIN_MS);
  };
}
