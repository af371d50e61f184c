/** The hosts that deliver recordings, and how they are; administrators let new ones in. */
import { css, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { EnrolmentCode, Host } from "../api/types.ts";
import { count, exactDuration, localInstantWithOffset } from "../format.ts";
import { ago, hostSaying, hostWarnings, offset } from "../hostwords.ts";
import { PageElement } from "../parts/page.ts";
import { type PlainColumn, plainTable } from "../parts/plain-table.ts";
import { Polling } from "../parts/polling.ts";
import "../parts/secret.ts";
import {
  badge,
  bytes,
  emptyState,
  foreign,
  instant,
  NONE,
  problemBox,
  span,
} from "../parts/templates.ts";
import { hostPath } from "../router.ts";

/** How hosts are is asked for so often, while somebody sees the page. */
const REFRESH_MS = 5000;

function heard({ silence_us: silence, last_seen_unix_us: seen }: Host) {
  if (silence === null || silence === undefined) return instant(seen);
  return html`<span class="number" title=${exactDuration(silence)}>${ago(silence)}</span>`;
}

const COLUMNS: PlainColumn<Host>[] = [
  { name: "Host", cell: ({ name }) => html`<a href=${hostPath(name)}>${foreign(name)}</a>` },
  {
    name: "State",
    cell: (host) =>
      html`<span class="states">${[hostSaying(host), ...hostWarnings(host)].map(badge)}</span>`,
  },
  { name: "Sessions", isNumber: true, cell: ({ sessions }) => count(sessions) },
  { name: "Heard of", cell: heard },
  { name: "Behind", isNumber: true, cell: ({ lag_us: lag }) => (lag ? span(lag) : NONE) },
  {
    name: "Missing",
    isNumber: true,
    cell: ({ missing }) => (missing ? count(missing) : NONE),
  },
  {
    name: "Clock",
    isNumber: true,
    cell: ({ clock_offset_us: us }) =>
      offset(us) ? html`<span class="number">${offset(us)}</span>` : NONE,
  },
  {
    name: "Spool",
    isNumber: true,
    cell: ({ spool_bytes: used }) => (used === null || used === undefined ? NONE : bytes(used)),
  },
  {
    name: "Agent",
    cell: ({ agent_version: version }) => (version ? foreign(version) : NONE),
  },
  { name: "Recordings", isNumber: true, cell: ({ recordings }) => count(recordings) },
];

@customElement("steno-hosts-page")
export class HostsPage extends PageElement {
  static override styles = [
    PageElement.styles,
    css`
      .states {
        display: inline-flex;
        flex-wrap: wrap;
        gap: 0.15rem 0.75rem;
      }
    `,
  ];

  @state() private hosts: Host[] | null = null;
  @state() private code: EnrolmentCode | null = null;
  #polling = new Polling(this, REFRESH_MS, async () => {
    this.hosts = await this.context.api.unattended.hosts();
    this.noteAnswer();
  });

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load(async (signal) => {
      this.hosts = await this.context.api.hosts(signal);
    }).then(this.#polling.soon);
  }

  override render() {
    const isAdmin = this.context.user.role === "admin";
    return html`<div class="stack">
      <div class="row">
        <h1 tabindex="-1">Hosts</h1>
        ${
          isAdmin
            ? html`<button class="primary push" ?disabled=${this.isBusy} @click=${this.#makeCode}>
                Enrol a host
              </button>`
            : nothing
        }
      </div>
      ${problemBox(this.problem, this.tryAgain)} ${this.code ? this.#codeBox(this.code) : nothing}
      ${this.hosts ? this.#list(this.hosts, isAdmin) : nothing}
    </div>`;
  }

  #codeBox({ code, expires_unix_us }: EnrolmentCode) {
    const command = `steno host enrol ${location.origin} ${code}`;
    return html`<steno-secret
      explanation=${`Run this on the host, as root. It works once, until ${localInstantWithOffset(expires_unix_us)}.`}
      value=${command}
    ></steno-secret>`;
  }

  #list(hosts: Host[], isAdmin: boolean) {
    if (hosts.length === 0) {
      const advice = isAdmin
        ? "Enrol one: you get a command that you run there once."
        : "An administrator enrols them.";
      return html`<div class="card">${emptyState("No hosts yet", advice)}</div>`;
    }
    return html`<div class="card table">${plainTable("Hosts", COLUMNS, hosts)}</div>`;
  }

  #makeCode(): Promise<void> {
    return this.load(async () => {
      this.code = await this.context.api.makeEnrolmentCode();
    });
  }
}
