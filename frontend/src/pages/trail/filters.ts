/** What of a trail is shown: a text to look for, kinds, only failures. */
import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { EventsQuery } from "../api/client.ts";
import type { TrailKind } from "../api/types.ts";
import { sharedStyles } from "../styles.ts";
import { kindStyles } from "./styles.ts";
import { KINDS } from "./words.ts";

export interface Wanted {
  kinds: ReadonlySet<TrailKind>;
  onlyFailures: boolean;
  /** One by one what says the same, and what Steno's own programs did. */
  everySingle: boolean;
  /** In the query language. */
  text: string;
}

/** Everything; compared by identity. */
export const ALL: Wanted = { kinds: new Set(), onlyFailures: false, everySingle: false, text: "" };

/** After the last key, a text is looked for so much later. */
const TYPING_MS = 350;

/** What the API is asked for. */
export function queryOf({ kinds, onlyFailures, everySingle, text }: Wanted): Asked {
  const parts = [text.trim(), onlyFailures ? "result:failure" : ""];
  return {
    kinds: [...kinds].join(","),
    q: parts.filter((part) => part !== "").join(" "),
    bunched: !everySingle,
    own: everySingle,
  };
}

type Asked = Required<Pick<EventsQuery, "kinds" | "q" | "bunched" | "own">>;

@customElement("steno-trail-filters")
export class TrailFilters extends LitElement {
  static override styles = [
    sharedStyles,
    kindStyles,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 0.4rem;
      }
      .row {
        flex-wrap: nowrap;
      }
      button,
      input {
        min-height: 1.9rem;
        padding: 0.1rem 0.6rem;
        font-size: 0.85rem;
      }
      .kinds {
        display: flex;
        flex-wrap: wrap;
        gap: 0.25rem;
      }
      .kinds button {
        min-height: 1.6rem;
        padding: 0 0.5rem;
        gap: 0;
        border-radius: 1rem;
        font-size: 0.8rem;
      }
      [aria-pressed="true"] {
        background: var(--accent-fill);
        border-color: var(--accent-fill);
        color: var(--on-accent);
      }
      button[aria-pressed="true"]:hover:not(:disabled) {
        background: var(--accent-hover);
      }
    `,
  ];

  @property({ attribute: false }) wanted: Wanted = ALL;
  @state() private isOpen = false;
  #typingTimer = 0;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#typingTimer);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    // What is filtered must be seen, also where the timeline asked for it.
    if (changed.has("wanted") && this.wanted.kinds.size > 0) this.isOpen = true;
  }

  override render() {
    const { kinds, onlyFailures, everySingle, text } = this.wanted;
    const set = kinds.size + (onlyFailures ? 1 : 0) + (everySingle ? 1 : 0);
    return html`<div class="row" role="search">
        <input
          type="search"
          aria-label="Find in the trail"
          placeholder="Find: a word, file:/etc/*, ran:curl"
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          .value=${text}
          @input=${this.#onText}
        />
        <button
          aria-expanded=${String(this.isOpen)}
          @click=${() => {
            this.isOpen = !this.isOpen;
          }}
        >
          Filter${set > 0 ? ` (${set})` : ""}
        </button>
      </div>
      ${this.isOpen ? this.#kinds() : nothing}`;
  }

  #kinds() {
    const { kinds, onlyFailures, everySingle } = this.wanted;
    return html`<div class="kinds" role="group" aria-label="What is shown">
      <button
        aria-pressed=${String(onlyFailures)}
        @click=${() => this.#want({ onlyFailures: !onlyFailures })}
      >
        Only failures
      </button>
      <button
        title="Denials that say the same one by one, and what Steno's own programs did"
        aria-pressed=${String(everySingle)}
        @click=${() => this.#want({ everySingle: !everySingle })}
      >
        Every single one
      </button>
      ${KINDS.map(
        ({ kind, label, more }) => html`<button
          title=${more}
          aria-pressed=${String(kinds.has(kind))}
          @click=${() => this.#toggle(kind)}
        >
          <span class="kind ${kind}" aria-hidden="true"></span>${label}
        </button>`,
      )}
    </div>`;
  }

  #toggle(kind: TrailKind): void {
    const kinds = new Set(this.wanted.kinds);
    if (!kinds.delete(kind)) kinds.add(kind);
    this.#want({ kinds });
  }

  #onText(event: Event): void {
    const { value } = event.target as HTMLInputElement;
    clearTimeout(this.#typingTimer);
    this.#typingTimer = window.setTimeout(() => this.#want({ text: value }), TYPING_MS);
  }

  #want(change: Partial<Wanted>): void {
    const wanted = { ...this.wanted, ...change };
    const { kinds, q } = queryOf(wanted);
    const detail = kinds === "" && q === "" && !wanted.everySingle ? ALL : wanted;
    this.dispatchEvent(new CustomEvent<Wanted>("steno-wanted", { detail }));
  }
}
