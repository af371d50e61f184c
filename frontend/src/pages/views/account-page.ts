/** Who is signed in, and their API tokens. */
import { html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import type { MadeToken, Token } from "../api/types.ts";
import { confirmed } from "../parts/confirm.ts";
import { PageElement } from "../parts/page.ts";
import { type PlainColumn, plainTable } from "../parts/plain-table.ts";
import "../parts/secret.ts";
import { badge, emptyState, foreign, instant, problemBox } from "../parts/templates.ts";
import { roleWords, tokenSaying } from "../words.ts";

@customElement("steno-account-page")
export class AccountPage extends PageElement {
  @state() private tokens: Token[] | null = null;
  @state() private made: MadeToken | null = null;
  @query("#label") private labelInput!: HTMLInputElement;
  @query("#days") private daysInput!: HTMLSelectElement;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load((signal) => this.#fetch(signal));
  }

  async #fetch(signal?: AbortSignal): Promise<void> {
    const { api, user } = this.context;
    const tokens = await api.tokens(signal);
    this.tokens = tokens.filter((token) => token.user === user.name);
  }

  override render() {
    const { user } = this.context;
    return html`<div class="stack">
      <h1 tabindex="-1">Your account</h1>
      <section class="card row">
        <span>Signed in as <strong>${foreign(user.name)}</strong>: ${roleWords(user.role)}.</span>
        <button class="push" @click=${() => this.dispatchEvent(new Event("steno-sign-out"))}>
          Sign out
        </button>
      </section>
      <section class="card stack">
        <h2>API tokens</h2>
        <p class="muted">
          A token lets a program do what you may do, without your password:
          <code>Authorization: Bearer TOKEN</code>. It is shown once, when it is made.
        </p>
        <form class="form" @submit=${this.#make}>
          <div class="field">
            <label for="label">What it is for</label>
            <input id="label" required maxlength="100" placeholder="nightly report" autocomplete="off" />
          </div>
          <div class="field">
            <label for="days">Good for</label>
            <select id="days">
              <option value="30">30 days</option>
              <option value="90" selected>90 days</option>
              <option value="365">a year</option>
            </select>
          </div>
          <button class="primary" ?disabled=${this.isBusy}>Make a token</button>
        </form>
        ${problemBox(this.problem)}
        ${
          this.made
            ? html`<steno-secret
                explanation=${`The token “${this.made.token.label}”. Copy it now: it is not shown again.`}
                value=${this.made.secret}
              ></steno-secret>`
            : nothing
        }
        ${this.tokens ? this.#list(this.tokens) : nothing}
      </section>
    </div>`;
  }

  #list(tokens: Token[]) {
    if (tokens.length === 0) return emptyState("No tokens", "Make one when a program needs it.");
    const columns: PlainColumn<Token>[] = [
      { name: "For", cell: ({ label }) => foreign(label || "(no name)") },
      { name: "State", cell: (token) => badge(tokenSaying(token, Date.now() * 1000)) },
      { name: "Made", cell: ({ created_unix_us }) => instant(created_unix_us) },
      {
        name: "Good until",
        cell: ({ expires_unix_us }) => instant(expires_unix_us, "it is revoked"),
      },
      { name: "Last used", cell: ({ used_unix_us }) => instant(used_unix_us) },
      {
        name: "Revoke",
        isUnnamed: true,
        isNumber: true,
        cell: (token) =>
          token.revoked_unix_us
            ? nothing
            : html`<button
                class="danger"
                aria-label=${`Revoke ${token.label}`}
                @click=${() => this.#revoke(token)}
              >
                Revoke
              </button>`,
      },
    ];
    return plainTable("API tokens", columns, tokens);
  }

  async #make(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const days = Number(this.daysInput.value);
    await this.load(async (signal) => {
      this.made = await this.context.api.makeToken(this.labelInput.value.trim(), days);
      this.labelInput.value = "";
      await this.#fetch(signal);
    });
  }

  async #revoke(token: Token): Promise<void> {
    const isSure = await confirmed(this.renderRoot, {
      title: `Revoke the token “${token.label}”?`,
      text: "Programs that use it are refused from then on. This cannot be undone.",
      action: "Revoke",
    });
    if (!isSure) return;
    await this.load(async (signal) => {
      await this.context.api.revokeToken(token.id);
      if (this.made?.token.id === token.id) this.made = null;
      await this.#fetch(signal);
    });
  }
}
