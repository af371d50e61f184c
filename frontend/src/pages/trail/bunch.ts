/** The events that one row stands for, one by one. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { EventsQuery } from "../api/client.ts";
import type { Page, RecordedEvent } from "../api/types.ts";
import { clock, count, exactDuration } from "../format.ts";
import { PageElement } from "../parts/page.ts";
import { problemBox } from "../parts/templates.ts";
import { recordingPath } from "../router.ts";
import { shownShort } from "../text.ts";
import "./event.ts";
import { listStyles } from "./styles.ts";

const PAGE = 100;
const MAX_TEXT = 400;

@customElement("steno-bunch")
export class BunchPart extends PageElement {
  static override styles = [
    PageElement.styles,
    listStyles,
    css`
      :host {
        display: block;
        height: auto;
        border-block: 1px solid var(--line);
        background: var(--bg);
      }
      .what {
        font-family: inherit;
      }
      .more {
        margin: 0.25rem 0.75rem;
        font-size: 0.85rem;
      }
    `,
  ];

  @property() rec = "";
  /** The row: the first of the events, with what it stands for. */
  @property({ attribute: false }) item!: RecordedEvent;
  /** What was asked for when the row was found. */
  @property({ attribute: false }) asked: Omit<EventsQuery, "limit"> = {};
  @property({ type: Boolean }) hasOthers = false;
  /** The serial of the one to open at first. */
  @property({ attribute: false }) opens: number | null = null;
  @state() private found: Page<RecordedEvent> | null = null;
  @state() private chosen: number | null = null;

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get("item") as RecordedEvent | undefined;
    if (!changed.has("item") || before?.event.serial === this.item.event.serial) return;
    this.found = null;
    this.chosen = this.opens;
    this.#more();
  }

  #more(): void {
    void this.load(async (signal) => {
      const { found } = this;
      const bunch = this.item.event.serial;
      const query = { ...this.asked, bunch, bunched: false, limit: PAGE };
      const cursor = found?.cursor ?? null;
      const next = await this.context.api.events(this.rec, { ...query, cursor }, signal);
      this.found = { ...next, items: [...(found?.items ?? []), ...next.items] };
    });
  }

  override render() {
    const { found } = this;
    const left = (this.item.bunch?.events ?? 0) - (found?.items.length ?? 0);
    return html`${problemBox(this.problem)}
      <div class="list">
        <ol>
          ${found?.items.map((item) => this.#row(item))}
        </ol>
        ${found ? nothing : html`<p class="foot muted">${this.isBusy ? "Loading…" : ""}</p>`}
        ${
          found?.cursor
            ? html`<button class="more" ?disabled=${this.isBusy} @click=${() => this.#more()}>
                ${count(Math.max(1, left))} more
              </button>`
            : nothing
        }
      </div>`;
  }

  #row(item: RecordedEvent) {
    const { at_us: atUs, event } = item;
    const isChosen = event.serial === this.chosen;
    return html`<li>
      <a
        href=${recordingPath(this.rec, Math.max(0, atUs))}
        aria-expanded=${String(isChosen)}
        @click=${() => {
          this.chosen = isChosen ? null : event.serial;
        }}
      >
        <span class="at" title=${exactDuration(atUs)}>${clock(atUs)}</span>
        <span class="what">${shownShort(event.text ?? event.action, MAX_TEXT)}</span>
      </a>
      ${
        isChosen
          ? html`<steno-event
              .context=${this.context}
              .rec=${this.rec}
              .item=${item}
              .hasOthers=${this.hasOthers}
            ></steno-event>`
          : nothing
      }
    </li>`;
  }
}
