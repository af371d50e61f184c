/**
 * Tabs: one panel of several, chosen by pointer or with the arrow keys. Panels are slotted by id.
 * What is in the slot "below" is always shown, in the lower half.
 */
import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { sharedStyles } from "../styles.ts";

export interface Tab {
  id: string;
  label: string;
}

@customElement("steno-tabs")
export class Tabs extends LitElement {
  static override styles = [
    sharedStyles,
    css`
      :host {
        display: grid;
        grid-template-rows: auto minmax(0, 1fr);
        min-height: 0;
      }
      [role="tablist"] {
        display: flex;
        border-bottom: 1px solid var(--line);
        padding: 0 0.5rem;
      }
      [role="tab"] {
        border: 0;
        border-bottom: 3px solid transparent;
        border-radius: 0;
        background: none;
        color: var(--muted);
        min-height: 2.75rem;
        white-space: normal;
      }
      [role="tab"]:focus-visible {
        outline-offset: -3px;
      }
      [role="tab"][aria-selected="true"] {
        color: var(--text);
        font-weight: 600;
        border-bottom-color: var(--accent);
      }
      :host([halved]) {
        grid-template-rows: auto minmax(0, 4fr) minmax(0, 5fr);
      }
      [role="tabpanel"] {
        overflow: auto;
        min-height: 0;
      }
      .below {
        border-top: 1px solid var(--line);
        min-height: 0;
      }
    `,
  ];

  @property({ attribute: false }) tabs: Tab[] = [];
  @property() chosen = "";
  /** Whether there is something below. */
  @property({ type: Boolean, reflect: true }) halved = false;

  override render() {
    const chosen = this.#shown;
    return html`<div role="tablist" @keydown=${this.#move}>
        ${this.tabs.map(
          ({ id, label }) => html`<button
            role="tab"
            id=${`tab-${id}`}
            aria-controls=${`panel-${id}`}
            aria-selected=${id === chosen ? "true" : "false"}
            tabindex=${id === chosen ? 0 : -1}
            @click=${() => this.#choose(id)}
          >
            ${label}
          </button>`,
        )}
      </div>
      ${this.tabs.map(
        ({ id }) => html`<div
          role="tabpanel"
          id=${`panel-${id}`}
          aria-labelledby=${`tab-${id}`}
          tabindex="0"
          ?hidden=${id !== chosen}
        >
          <slot name=${id}></slot>
        </div>`,
      )}
      ${this.halved ? html`<div class="below"><slot name="below"></slot></div>` : nothing}`;
  }

  /** The chosen tab; the first where it is none of those that there are. */
  get #shown(): string | undefined {
    const isThere = this.tabs.some(({ id }) => id === this.chosen);
    return isThere ? this.chosen : this.tabs[0]?.id;
  }

  #choose(id: string): void {
    this.chosen = id;
    this.dispatchEvent(new CustomEvent<string>("steno-tab", { detail: id }));
  }

  #move(event: KeyboardEvent): void {
    const at = this.tabs.findIndex(({ id }) => id === this.#shown);
    const last = this.tabs.length - 1;
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const tab = this.tabs[(next + this.tabs.length) % this.tabs.length];
    if (!tab) return;
    this.#choose(tab.id);
    void this.updateComplete.then(() => {
      this.renderRoot.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
    });
  }
}
