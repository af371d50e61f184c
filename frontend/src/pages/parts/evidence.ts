/** What a recording proves and lacks: its chain, its notes and damages, who viewed it. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { exportPath } from "../api/client.ts";
import type { Notes, RecordingDetail, Verification, Viewing } from "../api/types.ts";
import { clock, count, counted, exactSize } from "../format.ts";
import { recordingPath } from "../router.ts";
import { shown } from "../text.ts";
import {
  chainSaying,
  exportWords,
  newestChain,
  noteFacts,
  noteKind,
  viewingWords,
} from "../words.ts";
import { factStyles } from "./facts.ts";
import { PageElement } from "./page.ts";
import { type PlainColumn, plainTable } from "./plain-table.ts";
import { badge, emptyState, foreign, instant, problemBox } from "./templates.ts";

abstract class RecordingPart extends PageElement {
  static override styles = [
    PageElement.styles,
    factStyles,
    css`
      h2 {
        margin-bottom: 0.5rem;
      }
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
        display: grid;
        gap: 0.6rem;
      }
      .stack {
        gap: 0.75rem;
      }
      .small {
        font-size: 0.9rem;
      }
    `,
  ];

  @property({ attribute: false }) recording!: RecordingDetail;
}

/** The chain of digests: what it proves, and a check of it now. */
@customElement("steno-chain")
export class Chain extends RecordingPart {
  /** What the chain proves by what is stored now; null as long as nobody asked. */
  @property({ attribute: false }) checked: Verification | null = null;

  override render() {
    const chain = newestChain(this.recording.chain, this.checked);
    const saying = chainSaying(chain);
    return html`<h2>Is it genuine?</h2>
      <div class="stack">
        <div role="status">
          ${badge(saying)}
          <p>${saying.more}</p>
          <p class="hint">
            ${chain === this.checked ? "Checked now, from the original lines." : "As checked when it came in."}
          </p>
        </div>
        ${
          chain.head
            ? html`<dl>
                <dt>Good lines</dt>
                <dd>${count(chain.lines)}</dd>
                <dt>Digest of the last one</dt>
                <dd><code>${chain.head}</code></dd>
              </dl>`
            : nothing
        }
        <div class="row">
          <button ?disabled=${this.isBusy} @click=${this.#check}>
            ${this.isBusy ? "Checking…" : "Check again now"}
          </button>
          <span class="hint">Or yourself: <code>steno verify ${shown(this.recording.rec)}</code></span>
        </div>
        ${problemBox(this.problem)}
      </div>`;
  }

  #check(): Promise<void> {
    return this.load(async (signal) => {
      const verification = await this.context.api.verification(this.recording.rec, signal);
      this.dispatchEvent(new CustomEvent("steno-verification", { detail: { verification } }));
    });
  }
}

/** What else happened to the recording, and what could not be read. */
@customElement("steno-notes")
export class NotesPart extends RecordingPart {
  @state() private found: Notes | null = null;

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get("recording");
    const key = (recording?: RecordingDetail): string =>
      JSON.stringify([recording?.rec, recording?.notes, recording?.damages]);
    if (!changed.has("recording") || key(before) === key(this.recording)) return;
    void this.load(async (signal) => {
      this.found = await this.context.api.notes(this.recording.rec, signal);
    });
  }

  override render() {
    return html`<h2>Is it whole?</h2>
      ${problemBox(this.problem)} ${this.found ? this.#list(this.found) : nothing}`;
  }

  #list({ notes, damages }: Notes) {
    if (notes.length === 0 && damages.length === 0) {
      return html`<span class="badge ok">whole</span>
        <p>Nothing was dropped, held back, missing or damaged.</p>`;
    }
    const { rec } = this.recording;
    return html`<ul>
      ${notes.map((note) => {
        const { label, story, tone } = noteKind(note.kind);
        const facts = noteFacts(note);
        return html`<li>
          <span class="row">
            <a class="number" href=${recordingPath(rec, note.at_us)}>${clock(note.at_us)}</a>
            <span class="badge ${tone}">${shown(label)}</span>
          </span>
          <p class="small">${story} ${facts ? html`<span class="muted">${shown(facts)}</span>` : ""}</p>
        </li>`;
      })}
      ${damages.map(
        (damage) => html`<li>
          <span class="badge bad">Unreadable: line ${count(damage.line)}</span>
          <p class="small">
            ${shown(damage.reason)}
            <span class="muted">
              (${exactSize(damage.length_bytes)} from byte ${count(damage.offset_bytes)})
            </span>
          </p>
        </li>`,
      )}
    </ul>`;
  }
}

/** The formats that a recording can be downloaded in. */
@customElement("steno-downloads")
export class Downloads extends RecordingPart {
  override render() {
    const { rec, exports } = this.recording;
    return html`<h2>Download</h2>
      <ul>
        ${exports.map((format) => {
          const [name, use] = exportWords(format);
          return html`<li>
            <a href=${exportPath(rec, format)} download>${name}</a>
            <span class="small muted">${use}</span>
          </li>`;
        })}
      </ul>`;
  }
}

const VIEWING_COLUMNS: PlainColumn<Viewing>[] = [
  { name: "Who", cell: ({ user }) => foreign(user) },
  { name: "Did", cell: did },
  { name: "From", cell: ({ address }) => foreign(address) },
  { name: "When", cell: ({ first_unix_us }) => instant(first_unix_us) },
];

function did({ how, detail, requests, through }: Viewing) {
  const by = through === "session" ? "" : `, by ${through}`;
  return html`<span title=${counted(requests, "request")}
    >${shown(viewingWords(how, detail) + by)}</span
  >`;
}

/** Who looked at the recording; for auditors and administrators. */
@customElement("steno-viewings")
export class Viewings extends RecordingPart {
  @state() private viewings: Viewing[] | null = null;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("recording") && changed.get("recording")?.rec !== this.recording.rec) {
      void this.#look();
    }
  }

  #look(): Promise<void> {
    return this.load(async (signal) => {
      this.viewings = await this.context.api.viewings(this.recording.rec, signal);
    });
  }

  override render() {
    return html`<div class="row">
        <h2>Viewed by</h2>
        <button class="quiet push" ?disabled=${this.isBusy} @click=${this.#look}>Look again</button>
      </div>
      ${problemBox(this.problem)} ${this.viewings ? this.#table(this.viewings) : nothing}`;
  }

  #table(viewings: Viewing[]) {
    if (viewings.length === 0) return emptyState("Nobody yet", "Every look at it is listed here.");
    return plainTable("Viewings", VIEWING_COLUMNS, viewings);
  }
}
