/** Who may sign in, and as what; for administrators. */
import { css, html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import type { Api } from "../api/client.ts";
import type { Account, Role } from "../api/types.ts";
import { localInstantWithOffset, utcInstant } from "../format.ts";
import { confirmed, newPassword } from "../parts/confirm.ts";
import { PageElement } from "../parts/page.ts";
import { type PlainColumn, plainTable } from "../parts/plain-table.ts";
import "../parts/secret.ts";
import { foreign, instant, problemBox } from "../parts/templates.ts";
import { roleWords } from "../words.ts";

const ROLES: Role[] = ["user", "auditor", "admin"];

@customElement("steno-users-page")
export class UsersPage extends PageElement {
  static override styles = [
    PageElement.styles,
    css`
      .actions {
        gap: 0.4rem;
        justify-content: end;
      }
      .actions button {
        padding: 0.2rem 0.55rem;
      }
      @media (max-width: 1000px) {
        .actions {
          justify-content: start;
        }
      }
    `,
  ];

  @state() private users: Account[] | null = null;
  @state() private secret: { explanation: string; value: string } | null = null;
  @query("#name") private nameInput!: HTMLInputElement;
  @query("#role") private roleInput!: HTMLSelectElement;
  @query("#password") private passwordInput!: HTMLInputElement;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load((signal) => this.#fetch(signal));
  }

  async #fetch(signal?: AbortSignal): Promise<void> {
    this.users = await this.context.api.users(signal);
  }

  override render() {
    return html`<div class="stack">
      <h1 tabindex="-1">Users</h1>
      <section class="card stack">
        <h2>Add a user</h2>
        <form class="form" @submit=${this.#add}>
          <div class="field">
            <label for="name">Name</label>
            <input id="name" required maxlength="128" autocomplete="off" autocapitalize="off" />
          </div>
          <div class="field">
            <label for="role">Role</label>
            <select id="role">
              ${ROLES.map((role) => html`<option value=${role}>${roleWords(role)}</option>`)}
            </select>
          </div>
          <div class="field">
            <label for="password">Password (empty: a link instead)</label>
            <input id="password" type="password" minlength="8" autocomplete="new-password" />
          </div>
          <button class="primary" ?disabled=${this.isBusy}>Add</button>
        </form>
        <p class="hint">
          A user sees recordings whose account, or who logged in, has exactly their name.
        </p>
      </section>
      ${problemBox(this.problem)}
      ${
        this.secret
          ? html`<steno-secret
              explanation=${this.secret.explanation}
              value=${this.secret.value}
            ></steno-secret>`
          : nothing
      }
      ${
        this.users
          ? html`<div class="card table">${plainTable("Users", this.#columns(), this.users)}</div>`
          : nothing
      }
    </div>`;
  }

  #columns(): PlainColumn<Account>[] {
    const isMe = (account: Account): boolean => account.name === this.context.user.name;
    return [
      {
        name: "Name",
        cell: (account) =>
          html`${foreign(account.name)}${isMe(account) ? html` <span class="muted">(you)</span>` : ""}`,
      },
      { name: "Role", cell: (account) => this.#roleChoice(account, isMe(account)) },
      {
        name: "Signs in by",
        cell: ({ has_password }) => (has_password ? "password or link" : "link"),
      },
      { name: "Added", cell: ({ created_unix_us }) => instant(created_unix_us) },
      {
        name: "State",
        cell: ({ disabled_unix_us: since }) =>
          since
            ? html`<span class="badge warn" title=${`since ${utcInstant(since)}`}>disabled</span>`
            : html`<span class="badge ok">may sign in</span>`,
      },
      {
        name: "Actions",
        isUnnamed: true,
        isNumber: true,
        cell: (account) => this.#actions(account, isMe(account)),
      },
    ];
  }

  #roleChoice(account: Account, isMe: boolean) {
    return html`<select
      aria-label=${`Role of ${account.name}`}
      ?disabled=${isMe || this.isBusy}
      @change=${(event: Event) => this.#setRole(account, event.target as HTMLSelectElement)}
    >
      ${ROLES.map(
        (role) => html`<option value=${role} ?selected=${role === account.role}>${role}</option>`,
      )}
    </select>`;
  }

  #actions(account: Account, isMe: boolean) {
    const { name, disabled_unix_us: isDisabled } = account;
    // Each stays at its place: nothing changes below the pointer.
    const actions: [label: string, title: string, act: () => unknown][] = [
      ["Link", `Sign-in link for ${name}`, () => this.#makeLink(name)],
      ["Password", `New password for ${name}`, () => this.#setPassword(name)],
    ];
    if (!isMe) {
      const verb = isDisabled ? "Enable" : "Disable";
      actions.push(
        [verb, `${verb} ${name}`, () => this.#change(name, { is_disabled: !isDisabled })],
        ["Remove", `Remove ${name}`, () => this.#remove(account)],
      );
    }
    return html`<span class="row actions">
      ${actions.map(
        ([label, title, act]) => html`<button
          class=${label === "Remove" ? "danger" : ""}
          aria-label=${title}
          title=${title}
          ?disabled=${this.isBusy || (isDisabled && label === "Link")}
          @click=${act}
        >
          ${label}
        </button>`,
      )}
    </span>`;
  }

  async #add(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const name = this.nameInput.value.trim();
    const password = this.passwordInput.value || null;
    await this.load(async (signal) => {
      await this.context.api.addUser(name, this.roleInput.value as Role, password);
      this.nameInput.value = "";
      this.passwordInput.value = "";
      await this.#fetch(signal);
      if (password === null) await this.#showLink(name);
    });
  }

  #makeLink(name: string): Promise<void> {
    return this.load(() => this.#showLink(name));
  }

  async #showLink(name: string): Promise<void> {
    const { path, expires_unix_us } = await this.context.api.makeSignInLink(name);
    this.secret = {
      explanation: `Give this to ${name}: it signs in once, until ${localInstantWithOffset(expires_unix_us)}.`,
      value: new URL(path, location.origin).href,
    };
  }

  async #setRole(account: Account, choice: HTMLSelectElement): Promise<void> {
    await this.#change(account.name, { role: choice.value as Role });
    // What was refused is not shown as chosen.
    if (this.problem) choice.value = account.role;
  }

  async #setPassword(name: string): Promise<void> {
    const password = await newPassword(this.renderRoot, {
      title: `New password for ${name}`,
      text: "All their sessions end; tokens stay.",
      action: "Set it",
    });
    if (password !== null) await this.#change(name, { password });
  }

  #change(name: string, changes: Parameters<Api["changeUser"]>[1]): Promise<void> {
    return this.load(async (signal) => {
      await this.context.api.changeUser(name, changes);
      await this.#fetch(signal);
    });
  }

  async #remove(account: Account): Promise<void> {
    const isSure = await confirmed(this.renderRoot, {
      title: `Remove ${account.name}?`,
      text: "Their sessions, tokens and links end at once. What they viewed stays logged.",
      action: "Remove",
    });
    if (!isSure) return;
    await this.load(async (signal) => {
      await this.context.api.removeUser(account.name);
      await this.#fetch(signal);
    });
  }
}
