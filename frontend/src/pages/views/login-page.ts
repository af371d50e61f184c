/** Signing in. */
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import type { Api } from "../api/client.ts";
import { asProblem, type Problem } from "../api/problem.ts";
import type { Session } from "../api/types.ts";
import { problemBox } from "../parts/templates.ts";
import { sharedStyles } from "../styles.ts";

@customElement("steno-login-page")
export class LoginPage extends LitElement {
  static override styles = [
    sharedStyles,
    css`
      .card {
        max-width: 24rem;
        margin: 10vh auto 0;
        padding: 1.5rem;
      }
      button {
        width: 100%;
      }
    `,
  ];

  @property({ attribute: false }) api!: Api;
  /** Why the person is asked to sign in; "" when they came by themselves. */
  @property() reason = "";
  @state() private problem: Problem | null = null;
  @state() private isBusy = false;
  @query("#name") private nameInput!: HTMLInputElement;
  @query("#password") private passwordInput!: HTMLInputElement;

  protected override firstUpdated(): void {
    this.nameInput.focus();
  }

  focusHeading(): void {
    void this.updateComplete.then(() => this.nameInput.focus());
  }

  override render() {
    return html`<div class="card stack">
      <h1 tabindex="-1">Sign in to Steno</h1>
      ${this.reason ? html`<p class="muted">${this.reason}</p>` : nothing}
      <form class="stack" @submit=${this.#submit}>
        <div>
          <label for="name">Name</label>
          <input
            id="name"
            name="username"
            autocomplete="username"
            autocapitalize="off"
            spellcheck="false"
            required
          />
        </div>
        <div>
          <label for="password">Password</label>
          <input
            id="password"
            name="password"
            type="password"
            autocomplete="current-password"
            required
          />
        </div>
        ${problemBox(this.problem)}
        <button class="primary" ?disabled=${this.isBusy}>Sign in</button>
      </form>
      <p class="hint">
        No account, or the password is lost? An administrator makes one with
        <code>steno user add</code>, or hands out a link that signs you in once.
      </p>
    </div>`;
  }

  async #submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    this.isBusy = true;
    try {
      const session = await this.api.signIn(this.nameInput.value, this.passwordInput.value);
      this.problem = null;
      this.dispatchEvent(new CustomEvent<Session>("steno-signed-in", { detail: session }));
    } catch (error) {
      this.problem = asProblem(error);
      this.passwordInput.select();
    } finally {
      this.isBusy = false;
    }
  }
}
