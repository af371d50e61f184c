/** One recording: the player, what was done in it, what is known about it, what it proves. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { ownCommands } from "../../player/lanes.ts";
import type { StenoPlayerElement, StenoPlayerEventDetails } from "../../player/public.ts";
import { playerSource } from "../api/client.ts";
import type { RecordingDetail, Verification } from "../api/types.ts";
import { counted } from "../format.ts";
import "../parts/actions.ts";
import "../parts/evidence.ts";
import { factCards, factStyles } from "../parts/facts.ts";
import "../parts/moments.ts";
import "../parts/tabs.ts";
import type { Tab } from "../parts/tabs.ts";
import { worstTone } from "../trail/alerts.ts";
import "../trail/commands.ts";
import { TrailData } from "../trail/data.ts";
import "../trail/panel.ts";
import { PageElement } from "../parts/page.ts";
import { Polling } from "../parts/polling.ts";
import { badge, foreign, instant, notLoaded, problemBox, span } from "../parts/templates.ts";
import { navigate, type Route, recordingPath } from "../router.ts";
import { shown } from "../text.ts";
import type { Trail } from "../trail/panel.ts";
import { chainSaying, newestChain, stateSaying } from "../words.ts";

interface Start {
  at: number | null;
  find: string;
}

/** What is known of a growing recording is asked for so often, while somebody sees the page. */
const RECOUNT_MS = 3000;
/** A player that is ready still says a word or two (verified, live), which may take a line more. */
const SETTLE_MS = 200;

/** Wait until the page's scripts have run, or could not be had. */
async function scriptsRan(): Promise<void> {
  if (document.readyState === "complete") return;
  await new Promise((resolve) => window.addEventListener("load", resolve, { once: true }));
}

/** Then what stands beside the player comes below it, and the trail has a tab of its own. */
const NARROW = matchMedia("(max-width: 1000px)");

const ALL = { path: "/", label: "All recordings" };

@customElement("steno-recording-page")
export class RecordingPage extends PageElement {
  static override styles = [
    PageElement.styles,
    factStyles,
    css`
      .watch {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 26rem;
        gap: 1rem;
        align-items: stretch;
      }
      .watch > .card {
        padding: 0;
        overflow: hidden;
        position: relative;
        min-height: 20rem;
      }
      /* As tall as the player, whatever is in it. */
      steno-tabs {
        position: absolute;
        inset: 0;
      }
      steno-player {
        display: block;
        min-width: 0;
        color-scheme: inherit;
      }
      .waits {
        visibility: hidden;
      }
      .no-audit {
        padding: 0.5rem 0.75rem;
        border-top: 1px solid var(--line);
      }
      .failed {
        padding: 0.75rem;
        display: grid;
        gap: 0.5rem;
        justify-items: start;
      }
      .wide {
        grid-column: 1 / -1;
      }
      @media (max-width: 1000px) {
        .watch {
          grid-template-columns: minmax(0, 1fr);
        }
        .watch > .card {
          height: 30rem;
        }
      }
    `,
  ];

  @property({ attribute: false }) route!: Extract<Route, { page: "recording" }>;
  @state() private recording: RecordingDetail | null = null;
  /** What the chain proves by what is stored now; null until the player asked. */
  @state() private checked: Verification | null = null;
  /** Where the player starts; later jumps are seeks. */
  @state() private start: Start = { at: null, find: "" };
  /** Whether the player has its size: until then it, and what stands around it, is not shown. */
  @state() private hasPlayer = false;
  @state() private atUs = 0;
  @state() private tab = "commands";
  /** The command's number whose trail is shown; null: the whole session's. */
  @state() private chosen: number | null = null;
  @state() private isNarrow = NARROW.matches;
  @query("steno-player") private player?: StenoPlayerElement;
  @query("steno-trail") private trail?: Trail;
  #meanwhile = new TrailData(this, () => this.context);
  #polling = new Polling(
    this,
    RECOUNT_MS,
    () => this.#recount(),
    () => this.recording?.is_live === true,
  );
  #settleTimer = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    NARROW.addEventListener("change", this.#onWidth);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    NARROW.removeEventListener("change", this.#onWidth);
    clearTimeout(this.#settleTimer);
  }

  #onWidth = (): void => {
    this.isNarrow = NARROW.matches;
  };

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("route")) return;
    if (this.route.event !== null) this.tab = "trail";
    if (this.recording?.rec === this.route.rec) {
      this.#jump();
      return;
    }
    this.recording = null;
    this.checked = null;
    this.chosen = null;
    this.hasPlayer = false;
    this.#settleTimer = 0;
    this.start = { at: this.route.atSeconds, find: this.route.find };
    void this.load(async (signal) => {
      const { rec, atSeconds, find, event } = this.route;
      this.recording = await this.context.api.recording(rec, signal);
      // A player that never comes must not hide the rest.
      void scriptsRan().then(() => {
        if (!customElements.get("steno-player")) this.hasPlayer = true;
      });
      if (this.recording.rec === rec) return;
      // The address had the id's beginning only: the whole one is what should be kept and sent on.
      const atUs = atSeconds === null ? null : atSeconds * 1e6;
      navigate(recordingPath(this.recording.rec, atUs, find, event), { replace: true });
    });
  }

  protected override updated(changed: PropertyValues): void {
    const { recording } = this;
    if (!changed.has("recording") || !recording) return;
    document.title = `${shown(recording.user)} on ${shown(recording.host)} · Steno`;
    this.#meanwhile.follow(recording.rec, recording.is_live);
    this.#polling.soon();
  }

  /** Take the player to the address's instant, and mark there what was looked for. */
  #jump(): void {
    const { player } = this;
    const { atSeconds, find } = this.route;
    if (!player || atSeconds === null) return;
    void player.seek(atSeconds).then(() => (find ? player.find(find) : 0));
    player.scrollIntoView({ block: "nearest" });
  }

  async #recount(): Promise<void> {
    const fresh = await this.context.api.unattended.recording(this.route.rec);
    if (fresh.rec === this.recording?.rec) this.recording = fresh;
  }

  override render() {
    const { recording } = this;
    // The heading stays the same element from the start: it has the keyboard's focus.
    return html`<div class="stack">
      <div>
        <h1 tabindex="-1">${recording ? this.#name(recording) : "Recording"}</h1>
        <p class="row">${recording ? this.#facts(recording) : this.isBusy ? "Loading…" : nothing}</p>
      </div>
      ${this.problem ? notLoaded(this.problem, html`There is no recording ${foreign(this.route.rec)}`, ALL, this.tryAgain) : nothing}
      ${recording && !this.problem ? this.#body(recording) : nothing}
    </div>`;
  }

  #body(recording: RecordingDetail) {
    const { context } = this;
    const waits = this.hasPlayer ? "" : "waits";
    return html`${this.#actions(recording)} ${this.#watch(recording)}
      <div class="cards-grid ${waits}">
        ${this.#alerts(recording)} ${factCards(recording)}
        <steno-chain
          class="card"
          .context=${context}
          .recording=${recording}
          .checked=${this.checked}
          @steno-verification=${this.#onVerification}
        ></steno-chain>
        <steno-notes class="card" .context=${context} .recording=${recording}></steno-notes>
        <steno-downloads class="card" .context=${context} .recording=${recording}></steno-downloads>
        ${
          context.user.role === "user"
            ? nothing
            : html`<steno-viewings
                class="card wide"
                .context=${context}
                .recording=${recording}
              ></steno-viewings>`
        }
      </div>`;
  }

  #alerts({ rec }: RecordingDetail) {
    const { alerts } = this.#meanwhile;
    if (alerts.length === 0) return nothing;
    return html`<steno-recording-alerts
      class="card wide"
      .context=${this.context}
      .rec=${rec}
      .alerts=${alerts}
    ></steno-recording-alerts>`;
  }

  #actions(recording: RecordingDetail) {
    if (this.context.user.role === "user") return nothing;
    return html`<steno-actions .context=${this.context} .recording=${recording}></steno-actions>`;
  }

  #name({ user, host }: RecordingDetail) {
    return user || host ? html`${foreign(user)} on ${foreign(host)}` : "Nothing has come yet";
  }

  #facts(recording: RecordingDetail) {
    const { user, login_user: login, remote } = recording;
    const { alerts } = this.#meanwhile;
    return html`<span>${instant(recording.started_unix_us)} · ${span(recording.duration_us)}</span>
      ${login && login !== user ? html`<span>logged in as ${foreign(login)}</span>` : nothing}
      ${remote ? html`<span>from ${foreign(remote)}</span>` : nothing}
      ${badge(stateSaying(recording))} ${badge(chainSaying(newestChain(recording.chain, this.checked)))}
      ${
        alerts.length > 0
          ? html`<span class="badge ${worstTone(alerts)}">${counted(alerts.length, "alert")}</span>`
          : nothing
      }`;
  }

  #watch(recording: RecordingDetail) {
    const { rec, lines_count: lines } = recording;
    return html`<div class="watch ${this.hasPlayer ? "" : "waits"}">
      <steno-player
        src=${playerSource(rec)}
        at=${this.start.at ?? nothing}
        query=${this.start.find || nothing}
        linkable
        .trail=${this.#meanwhile.timeline}
        @steno-time=${this.#onTime}
        @steno-ready=${this.#onPlayer}
        @steno-error=${this.#onPlayer}
        @steno-verification=${this.#onVerification}
        @steno-lane=${this.#onLane}
      ></steno-player>
      <section class="card" aria-label="Moments in it">
        <steno-tabs
          .tabs=${this.#tabs(recording)}
          .chosen=${this.tab}
          .halved=${this.#hasTrail && !this.isNarrow}
          @steno-tab=${(event: CustomEvent<string>) => {
            this.tab = event.detail;
          }}
        >
          ${this.#commands(rec)}
          <steno-screen-text
            slot="text"
            .context=${this.context}
            .rec=${rec}
            .count=${lines}
            .isOpen=${this.tab === "text"}
          ></steno-screen-text>
          ${this.#hasTrail ? this.#trail(rec) : nothing}
        </steno-tabs>
      </section>
    </div>`;
  }

  get #hasTrail(): boolean {
    return this.#meanwhile.commands?.source === "audit";
  }

  #tabs({ commands_count, lines_count }: RecordingDetail): Tab[] {
    const { commands } = this.#meanwhile;
    const ran = commands ? ownCommands(commands.items).length : commands_count;
    const tabs = [
      { id: "commands", label: counted(ran, "command") },
      { id: "text", label: `${counted(lines_count, "line")} of text` },
    ];
    if (!this.#hasTrail || !this.isNarrow) return tabs;
    return [...tabs.slice(0, 1), { id: "trail", label: "Trail" }, { id: "text", label: "Text" }];
  }

  #commands(rec: string) {
    const { commands, problem } = this.#meanwhile;
    if (problem && !commands) {
      return html`<div slot="commands" class="failed">
        ${problemBox(problem)}
        <button @click=${() => void this.#meanwhile.load()}>Try again</button>
      </div>`;
    }
    return html`<steno-commands
      slot="commands"
      .context=${this.context}
      .rec=${rec}
      .commands=${commands}
      .atUs=${this.atUs}
      .chosen=${this.chosen}
      @steno-choose=${this.#onChoose}
      ><p slot="no-audit" class="hint no-audit">
        Read from the screen's prompt lines: there is no audit trail of this session. To have one of the
        next, run <code>steno audit rules install session</code> on the host.
      </p></steno-commands
    >`;
  }

  #trail(rec: string) {
    const { commands, growth } = this.#meanwhile;
    const isOpen = !this.isNarrow || this.tab === "trail";
    return html`<steno-trail
      slot=${this.isNarrow ? "trail" : "below"}
      .context=${this.context}
      .rec=${rec}
      .command=${commands?.items.find(({ number }) => number === this.chosen) ?? null}
      .atUs=${this.atUs}
      .growth=${growth}
      .opens=${this.route.event}
      .isOpen=${isOpen}
      @steno-choose=${this.#onChoose}
      @steno-whole=${() => {
        this.chosen = null;
      }}
    ></steno-trail>`;
  }

  #onChoose(event: CustomEvent<number>): void {
    this.chosen = event.detail;
    if (this.isNarrow) this.tab = "trail";
  }

  #onLane(event: CustomEvent<StenoPlayerEventDetails["steno-lane"]>): void {
    const { kind, from_us } = event.detail;
    if (kind === "commands") {
      const items = this.#meanwhile.commands?.items ?? [];
      this.chosen = ownCommands(items).find(({ at_us }) => at_us === from_us)?.number ?? null;
    } else this.chosen = null;
    if (this.isNarrow) this.tab = "trail";
    if (kind !== "commands") {
      void this.updateComplete.then(() => this.trail?.showLane(kind, from_us));
    }
  }

  #onVerification(event: CustomEvent<StenoPlayerEventDetails["steno-verification"]>): void {
    this.checked = event.detail.verification;
  }

  #onPlayer(): void {
    this.#settleTimer ||= window.setTimeout(() => {
      this.hasPlayer = true;
    }, SETTLE_MS);
  }

  #onTime(event: CustomEvent<StenoPlayerEventDetails["steno-time"]>): void {
    this.atUs = Math.round(event.detail.time * 1e6);
  }
}
