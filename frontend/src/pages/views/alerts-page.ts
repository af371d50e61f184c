/** What alert rules found: filtered by severity, led to the moment, acknowledged with a comment. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import {
  lateWords,
  openWords,
  SEVERITIES,
  severitySaying,
  timesWords,
  whoWords,
} from "../alertwords.ts";
import type { Api } from "../api/client.ts";
import type { Alert, AlertPage } from "../api/types.ts";
import { clock } from "../format.ts";
import { answered } from "../parts/confirm.ts";
import { PageElement } from "../parts/page.ts";
import { Polling } from "../parts/polling.ts";
import { badge, emptyState, foreign, instant, problemBox } from "../parts/templates.ts";
import { alertsPath, hostPath, navigate, type Route, recordingPath } from "../router.ts";

const PAGE_SIZE = 50;
/** New alerts are asked for so often, while somebody sees the page. */
const REFRESH_MS = 10_000;

const STATES: [value: string, label: string][] = [
  ["open", "Not acknowledged"],
  ["acknowledged", "Acknowledged"],
  ["all", "All"],
];

/** The host's name; of enrolled ones it leads to their page. */
function hostName({ sender, host }: Alert) {
  return sender ? html`<a href=${hostPath(sender)}>${foreign(host)}</a>` : foreign(host);
}

@customElement("steno-alerts-page")
export class AlertsPage extends PageElement {
  static override styles = [
    PageElement.styles,
    css`
      .filters .field {
        flex: 0 1 13rem;
      }
      ul {
        list-style: none;
        margin: 0;
        padding: 0;
      }
      .alerts {
        padding: 0;
        overflow: hidden;
      }
      li {
        padding: 0.75rem 1rem;
        border-bottom: 1px solid var(--line);
        display: grid;
        gap: 0.3rem;
      }
      li:last-child {
        border-bottom: 0;
      }
      .what {
        font-family: var(--mono);
        font-size: 0.9em;
        overflow-wrap: anywhere;
      }
      h2 {
        overflow-wrap: anywhere;
      }
      .severity {
        flex: 0 0 5.5rem;
      }
      @media (max-width: 760px) {
        li {
          padding: 0.75rem;
        }
      }
    `,
  ];

  @property({ attribute: false }) route!: Extract<Route, { page: "alerts" }>;
  @state() private found: AlertPage | null = null;
  #polling = new Polling(this, REFRESH_MS, () => this.#refresh());

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("route")) return;
    const before = changed.get("route");
    const { least, state } = this.route;
    if (before && before.least === least && before.state === state && this.found) return;
    this.found = null;
    void this.#more();
  }

  #ask(api: Api, cursor: string | null, signal?: AbortSignal): Promise<AlertPage> {
    const { least, state } = this.route;
    return api.alerts({ least, state, cursor, limit: PAGE_SIZE }, signal);
  }

  #more(): Promise<void> {
    return this.load(async (signal) => {
      const before = this.found;
      const next = await this.#ask(this.context.api, before?.cursor ?? null, signal);
      this.found = { ...next, items: [...(before?.items ?? []), ...next.items] };
    }).then(this.#polling.soon);
  }

  /** Look for newer ones; what was read further down stays. */
  async #refresh(): Promise<void> {
    const { route } = this;
    const newest = await this.#ask(this.context.api.unattended, null);
    if (route !== this.route || this.isBusy) return;
    this.noteAnswer();
    if (!this.found) {
      this.found = newest;
      return;
    }
    const known = new Set(newest.items.map(({ id }) => id));
    const oldest = newest.items.at(-1)?.id ?? Number.POSITIVE_INFINITY;
    const rest = newest.cursor
      ? this.found.items.filter(({ id }) => id < oldest && !known.has(id))
      : [];
    const cursor = rest.length > 0 ? this.found.cursor : newest.cursor;
    this.found = { ...newest, items: [...newest.items, ...rest], cursor };
  }

  override render() {
    return html`<div class="stack">
      <h1 tabindex="-1">Alerts</h1>
      ${this.#filters()} ${problemBox(this.problem, this.tryAgain)}
      <p class="muted" aria-live="polite">${this.#said()}</p>
      ${this.found ? this.#list(this.found) : nothing}
    </div>`;
  }

  #filters() {
    const { least, state } = this.route;
    const choose = (name: "least" | "state") => (event: Event) => {
      const { value } = event.target as HTMLSelectElement;
      navigate(name === "least" ? alertsPath(value, state) : alertsPath(least, value));
    };
    return html`<form class="form filters" @submit=${(event: Event) => event.preventDefault()}>
      <div class="field">
        <label for="state">State</label>
        <select id="state" @change=${choose("state")}>
          ${STATES.map(
            ([value, label]) =>
              html`<option value=${value} ?selected=${value === state}>${label}</option>`,
          )}
        </select>
      </div>
      <div class="field">
        <label for="least">Severity</label>
        <select id="least" @change=${choose("least")}>
          ${SEVERITIES.map(
            (value) =>
              html`<option value=${value} ?selected=${value === least}>
                ${value === "low" ? "all" : value === "critical" ? value : `${value} and worse`}
              </option>`,
          )}
        </select>
      </div>
    </form>`;
  }

  #said(): string {
    if (!this.found) return this.isBusy ? "Loading…" : "";
    const words = openWords(this.found.open);
    return words ? `Not acknowledged: ${words}.` : "All alerts are acknowledged.";
  }

  #list(found: AlertPage) {
    if (found.items.length === 0) {
      const { state } = this.route;
      return html`<div class="card">
        ${emptyState(
          state === "open" ? "Nothing to see to" : "No alerts",
          "Rules look at what people run, change and connect to, and at what stands on their screens.",
        )}
      </div>`;
    }
    return html`<div class="card alerts">
        <ul>
          ${found.items.map((alert) => this.#item(alert))}
        </ul>
      </div>
      ${
        found.cursor
          ? html`<div><button ?disabled=${this.isBusy} @click=${() => this.#more()}>Older alerts</button></div>`
          : nothing
      }`;
  }

  #item(alert: Alert) {
    const who = whoWords(alert);
    const remarks = [timesWords(alert), lateWords(alert)].filter((words) => words !== "");
    return html`<li>
      <div class="row">
        <span class="severity">${badge(severitySaying(alert))}</span>
        <h2>${foreign(alert.rule)}</h2>
        <span class="muted push">${instant(alert.at_unix_us)}</span>
      </div>
      ${alert.description ? html`<p>${foreign(alert.description)}</p>` : nothing}
      <div class="what">
        ${[alert.text, ...alert.others].map((text) => html`<p>${foreign(text)}</p>`)}
      </div>
      <div class="row">
        <span class="muted">
          ${who ? html`${foreign(who)} on ` : nothing}${hostName(alert)}${remarks.map(
            (words) => html` · ${words}`,
          )}
        </span>
        ${this.#moment(alert)} ${this.#state(alert)}
      </div>
    </li>`;
  }

  #moment({ rec, at_us, user, login_user, serial }: Alert) {
    if (rec === null || rec === undefined) {
      // What nobody did in a session can have no recording: a host that fell silent.
      return user || login_user ? html`<span class="muted">no recording</span>` : nothing;
    }
    const at = at_us ?? 0;
    return html`<a href=${recordingPath(rec, at, "", serial ?? null)}>show at ${clock(at)}</a>`;
  }

  #state(alert: Alert) {
    const { acknowledged_by: by, acknowledged_unix_us: when, comment } = alert;
    if (!by) {
      return html`<button
        class="push"
        ?disabled=${this.isBusy}
        aria-label=${`Acknowledge ${alert.rule} of ${alert.host}`}
        @click=${() => this.#acknowledge(alert)}
      >
        Acknowledge
      </button>`;
    }
    return html`<span class="muted push"
      >acknowledged by ${foreign(by)}, ${instant(when)}${comment ? html`: ${foreign(comment)}` : nothing}</span
    >`;
  }

  async #acknowledge(alert: Alert): Promise<void> {
    const said = await answered(this.renderRoot, {
      title: "Acknowledge this alert?",
      text: "It is kept who did so, when, and the comment; none of it can be changed later.",
      action: "Acknowledge",
      fields: [{ name: "comment", label: "Comment" }],
    });
    if (said === null) return;
    await this.load(async () => {
      const seen = await this.context.api.acknowledge(alert.id, said.comment ?? "");
      if (!this.found) return;
      const items = this.found.items.map((one) => (one.id === seen.id ? seen : one));
      const open = { ...this.found.open };
      if (!alert.acknowledged_by)
        open[alert.severity] = Math.max(0, (open[alert.severity] ?? 1) - 1);
      this.found = { ...this.found, items, open };
    });
  }
}
