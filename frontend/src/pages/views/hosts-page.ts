/** The hosts that deliver recordings; administrators let new ones in. */
import { html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { EnrolmentCode, Host } from "../api/types.ts";
import { count, localInstantWithOffset } from "../format.ts";
import { PageElement } from "../parts/page.ts";
import { type PlainColumn, plainTable } from "../parts/plain-table.ts";
import "../parts/secret.ts";
import { emptyState, foreign, instant, problemBox } from "../parts/templates.ts";
import { withField } from "../query.ts";
import { DEFAULT_SORT, listPath } from "../router.ts";

const COLUMNS: PlainColumn<Host>[] = [
  {
    name: "Host",
    cell: ({ name }) =>
      html`<a href=${listPath(withField("", "host", name), DEFAULT_SORT)}>${foreign(name)}</a>`,
  },
  { name: "Recordings", isNumber: true, cell: ({ recordings }) => count(recordings) },
  { name: "Last heard of", cell: ({ last_seen_unix_us }) => instant(last_seen_unix_us) },
  { name: "Enrolled", cell: ({ enrolled_unix_us }) => instant(enrolled_unix_us) },
  {
    name: "State",
    cell: ({ revoked_unix_us }) =>
      revoked_unix_us
        ? html`<span class="badge bad">refused</span> ${instant(revoked_unix_us)}`
        : html`<span class="badge ok">may deliver</span>`,
  },
];

@customElement("steno-hosts-page")
export class HostsPage extends PageElement {
  @state() private hosts: Host[] | null = null;
  @state() private code: EnrolmentCode | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load(async (signal) => {
      this.hosts = await this.context.api.hosts(signal);
    });
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
      ${problemBox(this.problem)} ${this.code ? this.#codeBox(this.code) : nothing}
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
