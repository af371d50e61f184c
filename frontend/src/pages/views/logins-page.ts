/** Who logged in where, and which recording was made of it; and who was refused. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { Login, LoginFailures, LoginFilter, Page, ToldBy } from "../api/types.ts";
import { count, counted, localInstant } from "../format.ts";
import { PageElement } from "../parts/page.ts";
import { type PlainColumn, plainTable } from "../parts/plain-table.ts";
import { badge, emptyState, foreign, instant, NONE, problemBox, span } from "../parts/templates.ts";
import { loginsPath, navigate, type Route, recordingPath } from "../router.ts";
import { shown } from "../text.ts";

const PAGE_SIZE = 50;
const MANY_FAILURES = 5;

function name(text: string) {
  return text ? foreign(text) : NONE;
}

function failuresBadge(login: Login) {
  const { failures, failed_first_unix_us: first, failed_last_unix_us: last } = login;
  if (failures === 0) return NONE;
  const when =
    failures === 1
      ? localInstant(last ?? 0)
      : `from ${localInstant(first ?? 0)} to ${localInstant(last ?? 0)}`;
  const tone = failures >= MANY_FAILURES ? "bad" : "warn";
  const filter = { user: login.user, host: login.host };
  const more = `${counted(failures, "attempt")} on this account failed before: ${when}.`;
  return html`<a href=${loginsPath(filter, true)}>${badge({ text: count(failures), tone, more })}</a>`;
}

function recorded({ recordings, user, host }: Login) {
  const [first, ...others] = recordings;
  if (first === undefined) {
    const more = "No recording of this session came in.";
    return badge({ text: "not recorded", tone: "warn", more });
  }
  const links = [first, ...others].map(
    (rec, index) =>
      html`<a
        href=${recordingPath(rec)}
        aria-label=${`watch ${index === 0 ? "" : `recording ${index + 1} of `}${shown(user)} on ${shown(host)}`}
        >${index === 0 ? "watch" : String(index + 1)}</a
      >`,
  );
  return html`<span class="links">${links}</span>`;
}

/** The program; and that only its own word is known, where that is so. */
function through({ service, told_by: toldBy }: { service: string; told_by: ToldBy }) {
  if (toldBy === "audit") return name(service);
  const more =
    "So the program itself says in the host's journal. The kernel's audit trail, which would prove it, did not come.";
  return html`<span class="links">${name(service)} ${badge({ text: "its word", tone: "plain", more })}</span>`;
}

const LOGINS: PlainColumn<Login>[] = [
  { name: "When", cell: ({ opened_unix_us: opened }) => instant(opened) },
  { name: "Who", cell: ({ user }) => name(user) },
  { name: "Host", cell: ({ host }) => name(host) },
  { name: "Through", cell: through },
  { name: "From", cell: ({ source, terminal }) => name(source || terminal) },
  {
    name: "Lasted",
    isNumber: true,
    cell: ({ opened_unix_us: opened, closed_unix_us: closed }) =>
      closed === null ? NONE : span(closed - opened),
  },
  { name: "Failed before", isNumber: true, cell: failuresBadge },
  { name: "Recording", cell: recorded },
];

const FAILURES: PlainColumn<LoginFailures>[] = [
  { name: "Attempts", isNumber: true, cell: ({ count: number }) => count(number) },
  { name: "Account", cell: ({ user }) => name(user) },
  { name: "Host", cell: ({ host }) => name(host) },
  { name: "Through", cell: through },
  {
    name: "From",
    cell: ({ source, login_user: login }) =>
      login ? html`${foreign(login)}, logged in` : name(source),
  },
  { name: "First", cell: ({ first_unix_us: first }) => instant(first) },
  {
    name: "Last",
    cell: ({ count: number, last_unix_us: last }) => (number === 1 ? NONE : instant(last)),
  },
];

const TEXTS: [keyof LoginFilter, string][] = [
  ["user", "Who"],
  ["host", "Host"],
  ["source", "From"],
  ["service", "Through"],
];

@customElement("steno-logins-page")
export class LoginsPage extends PageElement {
  static override styles = [
    PageElement.styles,
    css`
      .grid {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr));
        gap: 0.75rem;
      }
      .links {
        display: inline-flex;
        flex-wrap: wrap;
        gap: 0.6rem;
      }
    `,
  ];

  @property({ attribute: false }) route!: Extract<Route, { page: "logins" }>;
  @state() private logins: Page<Login> | null = null;
  @state() private failures: Page<LoginFailures> | null = null;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("route")) return;
    this.logins = null;
    this.failures = null;
    void this.#more();
  }

  #more(): Promise<void> {
    return this.load(async (signal) => {
      const { api } = this.context;
      const { filter, showsFailures } = this.route;
      if (showsFailures) {
        const cursor = this.failures?.cursor ?? null;
        const next = await api.loginFailures(filter, cursor, PAGE_SIZE, signal);
        this.failures = { ...next, items: [...(this.failures?.items ?? []), ...next.items] };
      } else {
        const cursor = this.logins?.cursor ?? null;
        const next = await api.logins(filter, cursor, PAGE_SIZE, signal);
        this.logins = { ...next, items: [...(this.logins?.items ?? []), ...next.items] };
      }
    });
  }

  override render() {
    const { filter, showsFailures } = this.route;
    return html`<div class="stack">
      <h1 tabindex="-1">Logins</h1>
      <nav class="row views" aria-label="What to show">
        <a href=${loginsPath(filter)} aria-current=${showsFailures ? nothing : "page"}>Logins</a>
        <a href=${loginsPath(filter, true)} aria-current=${showsFailures ? "page" : nothing}
          >Failed attempts</a
        >
      </nav>
      ${this.#filters(filter)} ${problemBox(this.problem, this.tryAgain)}
      ${showsFailures ? this.#failures(this.failures) : this.#logins(this.logins)}
    </div>`;
  }

  #filters(filter: LoginFilter) {
    const set =
      (field: keyof LoginFilter) =>
      (event: Event): void => {
        const value = (event.target as HTMLInputElement | HTMLSelectElement).value.trim();
        navigate(loginsPath({ ...filter, [field]: value }, this.route.showsFailures));
      };
    return html`<div class="grid">
      ${TEXTS.map(
        ([field, label]) => html`<div class="field">
          <label for=${field}>${label}</label>
          <input
            id=${field}
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            placeholder=${field === "service" && !this.route.showsFailures ? "all but cron" : "anything"}
            title="* stands for anything"
            .value=${filter[field]}
            @change=${set(field)}
          />
        </div>`,
      )}
      ${
        this.route.showsFailures
          ? nothing
          : html`<div class="field">
              <label for="recorded">Recorded</label>
              <select id="recorded" @change=${set("recorded")}>
                ${[
                  ["", "all"],
                  ["yes", "recorded"],
                  ["no", "not recorded"],
                ].map(
                  ([value, label]) =>
                    html`<option value=${value} ?selected=${value === filter.recorded}>
                      ${label}
                    </option>`,
                )}
              </select>
            </div>`
      }
      ${(["from", "until"] as const).map(
        (field) => html`<div class="field">
          <label for=${field}>${field === "from" ? "From day" : "To day"}</label>
          <input id=${field} type="date" .value=${filter[field]} @change=${set(field)} />
        </div>`,
      )}
    </div>`;
  }

  #logins(logins: Page<Login> | null) {
    if (!logins) return this.#waiting();
    if (logins.items.length === 0) {
      return this.#nothing(
        "No logins",
        "What hosts' audit trails and journals say of logins is shown here.",
      );
    }
    return html`<div class="card table">${plainTable("Logins", LOGINS, logins.items)}</div>
      ${this.#older(logins.cursor)}`;
  }

  #failures(failures: Page<LoginFailures> | null) {
    if (!failures) return this.#waiting();
    if (failures.items.length === 0) {
      return this.#nothing(
        "No failed attempts",
        "Nobody was refused, as far as audit trails and journals tell.",
      );
    }
    const table = plainTable("Failed attempts", FAILURES, failures.items);
    return html`<div class="card table">${table}</div>
      ${this.#older(failures.cursor)}`;
  }

  #waiting() {
    return html`<p class="muted">${this.isBusy ? "Loading…" : ""}</p>`;
  }

  #nothing(title: string, advice: string) {
    return html`<div class="card">${emptyState(title, advice)}</div>`;
  }

  #older(cursor: string | null) {
    if (!cursor) return nothing;
    return html`<div>
      <button ?disabled=${this.isBusy} @click=${() => this.#more()}>Older ones</button>
    </div>`;
  }
}
