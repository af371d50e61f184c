/** One host: how it is, what it records now, what of it is missing. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { HostAudit, HostDetail, OpenSession } from "../api/types.ts";
import { count, counted, duration, exactDuration, localInstant } from "../format.ts";
import { ago, hostSaying, hostWarnings, offset, ranges } from "../hostwords.ts";
import { type Fact, factCard, factStyles } from "../parts/facts.ts";
import { PageElement } from "../parts/page.ts";
import { type PlainColumn, plainTable } from "../parts/plain-table.ts";
import { Polling } from "../parts/polling.ts";
import {
  badge,
  bytes,
  emptyState,
  foreign,
  instant,
  NONE,
  notLoaded,
  span,
} from "../parts/templates.ts";
import { withField } from "../query.ts";
import { DEFAULT_SORT, listPath, type Route, recordingPath } from "../router.ts";
import { serviceWords, whoWords } from "../words.ts";

const REFRESH_MS = 5000;
const ALL = { path: "/hosts", label: "All hosts" };
const UNKNOWN = html`<span class="muted">not known</span>`;

const COLUMNS: PlainColumn<OpenSession>[] = [
  {
    name: "Who",
    cell: ({ rec, user, login_user }) =>
      html`<a href=${recordingPath(rec)}
        >${foreign(whoWords({ user: user || "?", login_user: login_user ?? null }))}</a
      >`,
  },
  { name: "Since", cell: ({ started_unix_us: since }) => instant(since) },
  {
    name: "Through",
    cell: ({ service }) => (service ? foreign(serviceWords(service)) : NONE),
  },
  { name: "From", cell: ({ remote }) => (remote ? foreign(remote) : NONE) },
  {
    name: "Terminal",
    cell: ({ terminal }) => (terminal ? html`<code>${foreign(terminal)}</code>` : NONE),
  },
];

function health(host: HostDetail): Fact[] {
  const silence = host.silence_us;
  return [
    ["State", [hostSaying(host), ...hostWarnings(host)].map((one) => html`${badge(one)} `)],
    [
      "Heard of",
      silence === null || silence === undefined
        ? "never"
        : html`<span class="number" title=${exactDuration(silence)}>${ago(silence)}</span>`,
    ],
    [
      "Clock",
      host.clock_offset_us == null
        ? UNKNOWN
        : `${offset(host.clock_offset_us)} against the server's`,
    ],
    ["Up for", host.uptime_s == null ? UNKNOWN : duration(host.uptime_s * 1e6)],
    ["Boot", host.boot_id ? html`<code>${foreign(host.boot_id)}</code>` : UNKNOWN],
  ];
}

function agent(host: HostDetail): Fact[] {
  const { agent_version: version, agent_started_unix_us: since } = host;
  return [
    ["Agent", version ? foreign(version) : html`<span class="muted">none answers</span>`],
    ["Runs since", since ? instant(since) : NONE],
    ["Courier", host.version ? foreign(host.version) : UNKNOWN],
    ["Policy", host.policy ? html`<code>${foreign(host.policy.slice(0, 16))}</code>` : UNKNOWN],
    ["Enrolled", instant(host.enrolled_unix_us)],
    [
      "Certificate",
      host.certificate_serial
        ? html`<code>${foreign(host.certificate_serial)}</code>`
        : html`<span class="muted">none: it shows a token</span>`,
    ],
  ];
}

function delivery(host: HostDetail): Fact[] {
  const { spool_bytes: used, spool_limit_bytes: limit, undelivered_bytes: waiting } = host;
  return [
    [
      "Recordings",
      html`<a href=${listPath(withField("", "host", host.name), DEFAULT_SORT)}
        >${count(host.recordings)}</a
      >`,
    ],
    ["Its last number", host.last_number == null ? UNKNOWN : count(host.last_number)],
    [
      "Missing",
      host.missing_numbers.length
        ? html`${badge({ text: `${count(host.missing)}`, tone: "warn", more: "They never came." })}
            numbers ${ranges(host.missing_numbers)}`
        : "none",
    ],
    ["Spool", used == null ? UNKNOWN : html`${bytes(used)} of ${bytes(limit ?? 0)}`],
    ["Not delivered", waiting == null ? UNKNOWN : bytes(waiting)],
    ["Behind", host.lag_us ? span(host.lag_us) : "not at all"],
    ["Audit trail", auditTrail(host.audit)],
  ];
}

const AUDIT_SOURCES: Record<string, string> = {
  journal: ", from the journal's audit records",
  words: ", from programs' own words in the journal: logins only",
};

const DEAF = {
  text: "journald is deaf",
  tone: "warn",
  more: "It has stopped to take the kernel's audit events; steno host check says what to do.",
} as const;

function auditTrail(audit: HostAudit | null | undefined): Fact[1] {
  if (!audit) return html`<span class="muted">none is written</span>`;
  const lost = Object.values(audit.lost ?? {}).reduce((sum, one) => sum + one, 0);
  const reasons = Object.entries(audit.lost ?? {}).map(([why, one]) => `${count(one)} (${why})`);
  const from = AUDIT_SOURCES[audit.source] ?? "";
  const kept = `${count(audit.kept ?? 0)} of ${counted(audit.events ?? 0, "event")} kept${from}`;
  return html`${kept}
    ${lost ? badge({ text: `${count(lost)} lost`, tone: "warn", more: reasons.join(", ") }) : nothing}
    ${audit.is_deaf ? badge(DEAF) : nothing}`;
}

@customElement("steno-host-page")
export class HostPage extends PageElement {
  static override styles = [
    PageElement.styles,
    factStyles,
    css`
      ul {
        margin: 0;
        padding-inline-start: 1.25rem;
      }
      .card.table > h2 {
        padding: 1rem 0.75rem 0.5rem;
      }
    `,
  ];

  @property({ attribute: false }) route!: Extract<Route, { page: "host" }>;
  @state() private host: HostDetail | null = null;
  #polling = new Polling(
    this,
    REFRESH_MS,
    () => this.#refresh(),
    () => this.host !== null || this.problem?.isPassing === true,
  );

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("route")) return;
    this.host = null;
    void this.load(async (signal) => {
      this.host = await this.context.api.host(this.route.name, signal);
    }).then(this.#polling.soon);
  }

  async #refresh(): Promise<void> {
    const fresh = await this.context.api.unattended.host(this.route.name);
    if (fresh.name !== this.route.name) return;
    this.host = fresh;
    this.noteAnswer();
  }

  override render() {
    const { host } = this;
    return html`<div class="stack">
      <h1 tabindex="-1">${foreign(this.route.name)}</h1>
      ${
        this.problem
          ? notLoaded(
              this.problem,
              html`There is no host ${foreign(this.route.name)}`,
              ALL,
              this.tryAgain,
            )
          : html`${host ? this.#body(host) : nothing}
              <p><a href=${ALL.path}>${ALL.label}</a></p>`
      }
    </div>`;
  }

  #body(host: HostDetail) {
    return html`<div class="cards-grid">
        ${factCard("How it is", health(host))} ${factCard("Delivery", delivery(host))}
        ${factCard("What runs there", agent(host))}
      </div>
      ${
        host.failures.length
          ? html`<section class="card stack">
              <h2>What goes wrong there</h2>
              <ul>
                ${host.failures.map((failure) => html`<li>${foreign(failure)}</li>`)}
              </ul>
            </section>`
          : nothing
      }
      ${host.left_alone.length ? leftAlone(host) : nothing}
      <section class="card table">${this.#sessions(host)}</section>`;
  }

  #sessions({ open_sessions: sessions, open }: HostDetail) {
    if (sessions.length) {
      return html`<h2>Open sessions</h2>
        ${plainTable("Open sessions", COLUMNS, sessions)}`;
    }
    const advice = open
      ? "No agent names sessions, but recordings are being made: steno rec, in the foreground."
      : "Nothing is being recorded there, as last heard.";
    return emptyState("No open sessions", advice);
  }
}

/** What cannot be searched, and what to do about it. */
function leftAlone({ left_alone: left }: HostDetail) {
  return html`<section class="card stack">
    <h2>What is not indexed any further</h2>
    <ul>
      ${left.map(
        ({ rec, reason, since_unix_us: since }) =>
          html`<li>${foreign(rec)}: ${reason}, ${localInstant(since)}</li>`,
      )}
    </ul>
    <p class="muted">
      Nothing of it is lost, but searches do not find what came since.
      <code>steno server reindex</code> with the id tries it again.
    </p>
  </section>`;
}
