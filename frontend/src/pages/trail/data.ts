/** What the audit trail says of a recording: loaded at first, and again while more may come in. */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { Api } from "../api/client.ts";
import { asProblem, type Problem } from "../api/problem.ts";
import type { Commands, Lanes } from "../api/types.ts";

/** A live recording's trail is asked for so often, while somebody sees the page. */
const AGAIN_MS = 4000;
/** Hosts deliver their trail seconds after the recording: so often it is asked for at its end. */
const ROUNDS_AT_END = 5;

const NO_LANES: Lanes = { lanes: {} };

export class TrailData implements ReactiveController {
  commands: Commands | null = null;
  lanes: Lanes | null = null;
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
    private readonly api: () => Api,
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
      const commands = await this.api().commands(rec, signal);
      const hasTrail = commands.source === "audit";
      const lanes = hasTrail ? await this.api().lanes(rec, signal) : NO_LANES;
      if (signal.aborted) return;
      this.#take(commands, lanes);
      this.problem = null;
    } catch (error) {
      if (signal.aborted) return;
      this.problem = asProblem(error);
    }
    this.host.requestUpdate();
    this.#againSoon();
  }

  /** Keep the very same object for what has not changed: then nothing is drawn anew. */
  #take(commands: Commands, lanes: Lanes): void {
    if (JSON.stringify(commands) !== JSON.stringify(this.commands)) this.commands = commands;
    if (JSON.stringify(lanes) === JSON.stringify(this.lanes)) return;
    this.lanes = lanes;
    this.growth++;
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
