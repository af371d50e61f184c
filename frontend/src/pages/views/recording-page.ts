/** One recording: the player, what was done in it, what is known about it, what it proves. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import type { StenoPlayerElement, StenoPlayerEventDetails } from "../../player/public.ts";
import { playerSource } from "../api/client.ts";
import type { RecordingDetail, Verification } from "../api/types.ts";
import { counted } from "../format.ts";
import "../parts/actions.ts";
import "../parts/evidence.ts";
import { factCards, factStyles } from "../parts/facts.ts";
import "../parts/moments.ts";
import "../parts/tabs.ts";
import { PageElement } from "../parts/page.ts";
import { badge, foreign, instant, problemBox, span } from "../parts/templates.ts";
import { navigate, type Route, recordingPath } from "../router.ts";
import { shown } from "../text.ts";
import { chainSaying, newestChain, stateSaying } from "../words.ts";

interface Start {
  at: number | null;
  find: string;
}

/** What is known of a growing recording is asked for so often, while somebody sees the page. */
const RECOUNT_MS = 3000;
/** A player that is ready still says a word or two (verified, live), which may take a line more. */
const SETTLE_MS = 200;

@customElement("steno-recording-page")
export class RecordingPage extends PageElement {
  static override styles = [
    PageElement.styles,
    factStyles,
    css`
      .watch {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 22rem;
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
      .wide {
        grid-column: 1 / -1;
      }
      @media (max-width: 1000px) {
        .watch {
          grid-template-columns: minmax(0, 1fr);
        }
        .watch > .card {
          height: 22rem;
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
  @query("steno-player") private player?: StenoPlayerElement;
  #recountTimer = 0;
  #settleTimer = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("visibilitychange", this.#recountSoon);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("visibilitychange", this.#recountSoon);
    clearTimeout(this.#recountTimer);
    clearTimeout(this.#settleTimer);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("route")) return;
    if (this.recording?.rec === this.route.rec) {
      this.#jump();
      return;
    }
    this.recording = null;
    this.checked = null;
    this.hasPlayer = false;
    this.#settleTimer = 0;
    this.start = { at: this.route.atSeconds, find: this.route.find };
    void this.load(async (signal) => {
      const { rec, atSeconds, find } = this.route;
      this.recording = await this.context.api.recording(rec, signal);
      // A player that is late, or never comes, must not hide the rest.
      if (!customElements.get("steno-player")) this.hasPlayer = true;
      if (this.recording.rec === rec) return;
      // The address had the id's beginning only: the whole one is what should be kept and sent on.
      const atUs = atSeconds === null ? null : atSeconds * 1e6;
      navigate(recordingPath(this.recording.rec, atUs, find), { replace: true });
    });
  }

  protected override updated(changed: PropertyValues): void {
    const { recording } = this;
    if (!changed.has("recording") || !recording) return;
    document.title = `${shown(recording.user)} on ${shown(recording.host)} · Steno`;
    this.#recountSoon();
  }

  /** Take the player to the address's instant, and mark there what was looked for. */
  #jump(): void {
    const { player } = this;
    const { atSeconds, find } = this.route;
    if (!player || atSeconds === null) return;
    void player.seek(atSeconds).then(() => (find ? player.find(find) : 0));
    player.scrollIntoView({ block: "nearest" });
  }

  #recountSoon = (): void => {
    const mayGrow = this.recording?.is_live && document.visibilityState === "visible";
    if (mayGrow) this.#recountTimer ||= window.setTimeout(() => void this.#recount(), RECOUNT_MS);
  };

  async #recount(): Promise<void> {
    this.#recountTimer = 0;
    const fresh = await this.context.api.recording(this.route.rec).catch(() => null);
    if (fresh && fresh.rec === this.recording?.rec) this.recording = fresh;
    // Also after a failure: the server may only be starting anew.
    this.#recountSoon();
  }

  override render() {
    const { recording } = this;
    // The heading stays the same element from the start: it has the keyboard's focus.
    return html`<div class="stack">
      <div>
        <h1 tabindex="-1">${recording ? this.#name(recording) : "Recording"}</h1>
        <p class="row">${recording ? this.#facts(recording) : this.isBusy ? "Loading…" : nothing}</p>
      </div>
      ${problemBox(this.problem)}
      ${this.problem ? html`<p><a href="/">All recordings</a></p>` : nothing}
      ${recording && !this.problem ? this.#body(recording) : nothing}
    </div>`;
  }

  #body(recording: RecordingDetail) {
    const { context } = this;
    const waits = this.hasPlayer ? "" : "waits";
    return html`${this.#actions(recording)} ${this.#watch(recording)}
      <div class="cards-grid ${waits}">
        ${factCards(recording)}
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

  #actions(recording: RecordingDetail) {
    if (this.context.user.role === "user") return nothing;
    return html`<steno-actions .context=${this.context} .recording=${recording}></steno-actions>`;
  }

  #name({ user, host }: RecordingDetail) {
    return html`${foreign(user)} on ${foreign(host)}`;
  }

  #facts(recording: RecordingDetail) {
    const { user, login_user: login, remote } = recording;
    return html`<span>${instant(recording.started_unix_us)} · ${span(recording.duration_us)}</span>
      ${login && login !== user ? html`<span>logged in as ${foreign(login)}</span>` : nothing}
      ${remote ? html`<span>from ${foreign(remote)}</span>` : nothing}
      ${badge(stateSaying(recording))} ${badge(chainSaying(newestChain(recording.chain, this.checked)))}`;
  }

  #watch(recording: RecordingDetail) {
    const { rec, commands_count: commands, lines_count: lines } = recording;
    const tabs = [
      { id: "commands", label: counted(commands, "command") },
      { id: "text", label: `${counted(lines, "line")} of text` },
    ];
    return html`<div class="watch ${this.hasPlayer ? "" : "waits"}">
      <steno-player
        src=${playerSource(rec)}
        at=${this.start.at ?? nothing}
        query=${this.start.find || nothing}
        linkable
        @steno-time=${this.#onTime}
        @steno-ready=${this.#onPlayer}
        @steno-error=${this.#onPlayer}
        @steno-verification=${this.#onVerification}
      ></steno-player>
      <section class="card" aria-label="Moments in it">
        <steno-tabs
          .tabs=${tabs}
          .chosen=${this.tab}
          @steno-tab=${(event: CustomEvent<string>) => {
            this.tab = event.detail;
          }}
        >
          <steno-commands
            slot="commands"
            .context=${this.context}
            .rec=${rec}
            .count=${commands}
            .atUs=${this.atUs}
          ></steno-commands>
          <steno-screen-text
            slot="text"
            .context=${this.context}
            .rec=${rec}
            .count=${lines}
            .isOpen=${this.tab === "text"}
          ></steno-screen-text>
        </steno-tabs>
      </section>
    </div>`;
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
