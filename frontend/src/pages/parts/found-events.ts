/** Audit events of all hosts that a query finds, newest first, by host and day. */
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { Problem } from "../api/problem.ts";
import type { FoundEvent, Page } from "../api/types.ts";
import { counted, localDay, localTime } from "../format.ts";
import "../trail/event.ts";
import { eventLine, eventLink, hitStyles } from "./hit.ts";
import { PageElement } from "./page.ts";
import { emptyState, foreign } from "./templates.ts";

const PAGE_SIZE = 50;

interface Group {
  host: string;
  day: string;
  items: FoundEvent[];
}

/** Events of one host and day that follow each other, under one heading. */
function groupsOf(items: readonly FoundEvent[]): Group[] {
  const groups: Group[] = [];
  for (const item of items) {
    const host = item.event.host || item.sender || "";
    const day = localDay(item.event.at_unix_us);
    const last = groups.at(-1);
    if (last?.host === host && last.day === day) last.items.push(item);
    else groups.push({ host, day, items: [item] });
  }
  return groups;
}

/** How many events rows stand for. */
function countOf(items: readonly FoundEvent[]): number {
  return items.reduce((sum, { bunch }) => sum + (bunch?.serials.length ?? 1), 0);
}

@customElement("steno-found-events")
export class FoundEvents extends PageElement {
  static override styles = [PageElement.styles, hitStyles];

  @property() query = "";
  /** The events outside of recordings that were opened. */
  @state() private opened: ReadonlySet<string> = new Set();
  @state() private found: Page<FoundEvent> | null = null;

  protected override willUpdate(changed: PropertyValues): void {
    if (!changed.has("query")) return;
    this.found = null;
    void this.#more();
  }

  #more(): Promise<void> {
    return this.load(async (signal) => {
      const before = this.found;
      const cursor = before?.cursor ?? null;
      const next = await this.context.api.foundEvents(
        { q: this.query, cursor, limit: PAGE_SIZE, bunched: true },
        signal,
      );
      this.found = { ...next, items: [...(before?.items ?? []), ...next.items] };
    });
  }

  protected override updated(changed: PropertyValues): void {
    if (!changed.has("problem" as keyof this)) return;
    this.dispatchEvent(new CustomEvent<Problem | null>("steno-problem", { detail: this.problem }));
  }

  /** What was recorded leads to its moment; what was not opens here. */
  #row({ trail, event, rec, at_us, bunch }: FoundEvent) {
    const at = localTime(event.at_unix_us);
    const told = bunch ? { ...event, text: bunch.text } : event;
    if (rec !== null) return eventLink(told, rec, at_us, at);
    if (!bunch) return this.#detail(trail, event, eventLine(event, at));
    return html`<details>
      <summary class="hit event">${eventLine(told, at)}</summary>
      ${bunch.serials.map((serial) =>
        this.#detail(
          trail,
          { ...event, serial },
          html`<span class="number">Event ${serial}</span>`,
        ),
      )}
    </details>`;
  }

  /** One event that opens; it is asked for only then. */
  #detail(trail: string, event: FoundEvent["event"], summary: TemplateResult) {
    const key = `${trail} ${event.serial}`;
    const toggle = ({ target }: Event): void => {
      if ((target as HTMLDetailsElement).open) this.opened = new Set([...this.opened, key]);
    };
    return html`<details @toggle=${toggle}>
      <summary class="hit event">${summary}</summary>
      ${
        this.opened.has(key)
          ? html`<steno-event
              .context=${this.context}
              trail=${trail}
              .item=${{ event, command: null, at_us: null }}
            ></steno-event>`
          : nothing
      }
    </details>`;
  }

  override render() {
    const { found } = this;
    if (!found) return html`<p class="muted">${this.isBusy ? "Searching…" : ""}</p>`;
    if (found.items.length === 0) {
      return html`<div class="card">
        ${emptyState(
          "Nothing found",
          "No audit event says that; or the hosts deliver no audit trail.",
        )}
      </div>`;
    }
    const events = counted(countOf(found.items), "event");
    return html`<div class="stack">
      <p class="muted" aria-live="polite">
        ${found.cursor ? `The newest ${events}; there are more.` : `${events}, newest first.`}
      </p>
      ${groupsOf(found.items).map(
        ({ host, day, items }) => html`<section class="card">
          <header class="row">
            <h2>${foreign(host || "unknown host")}</h2>
            <span class="muted">${day}</span>
          </header>
          ${items.map((item) => this.#row(item))}
        </section>`,
      )}
      ${
        found.cursor
          ? html`<div>
              <button ?disabled=${this.isBusy} @click=${() => this.#more()}>Older events</button>
            </div>`
          : nothing
      }
    </div>`;
  }
}
