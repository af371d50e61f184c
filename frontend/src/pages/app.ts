/** The whole site in one element: header, navigation, and the page for the address. */
import { css, html, LitElement, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { Api } from "./api/client.ts";
import { asProblem, type Problem } from "./api/problem.ts";
import type { Role, Session } from "./api/types.ts";
import { localZone } from "./format.ts";
import type { Context } from "./parts/page.ts";
import { foreign, problemBox } from "./parts/templates.ts";
import { loginPath, navigate, type Route, routeOf, watchNavigation } from "./router.ts";
import { sharedStyles } from "./styles.ts";
import { chooseTheme, chosenTheme, nextTheme } from "./theme.ts";
import "./views/account-page.ts";
import "./views/alerts-page.ts";
import "./parts/warnings.ts";
import "./views/host-page.ts";
import "./views/hosts-page.ts";
import "./views/login-page.ts";
import "./views/logins-page.ts";
import "./views/recording-page.ts";
import "./views/recordings-page.ts";
import "./views/search-page.ts";
import "./views/users-page.ts";

const TITLES: Record<Route["page"], string> = {
  recordings: "Recordings",
  search: "Search",
  logins: "Logins",
  recording: "Recording",
  login: "Sign in",
  alerts: "Alerts",
  hosts: "Hosts",
  host: "Host",
  users: "Users",
  account: "Your account",
  unknown: "Not here",
};

const RANKS: Record<Role, number> = { user: 0, auditor: 1, admin: 2 };

/** Who may see a page, where not everybody; what the server refuses anyway. */
const LEAST: Partial<Record<Route["page"], Role>> = {
  logins: "auditor",
  alerts: "auditor",
  hosts: "auditor",
  host: "auditor",
  users: "admin",
};

/** Two addresses with the same identity are the same page with other contents. */
function identityOf(route: Route): string {
  if (route.page === "recording") return `recording ${route.rec}`;
  return route.page === "host" ? `host ${route.name}` : route.page;
}

@customElement("steno-app")
export class App extends LitElement {
  static override styles = [
    sharedStyles,
    css`
      :host {
        min-height: 100vh;
      }
      .skip {
        position: absolute;
        inset-inline-start: 1rem;
        inset-block-start: -4rem;
        z-index: 2;
      }
      .skip:focus {
        inset-block-start: 0.5rem;
      }
      header {
        background: var(--surface);
        border-bottom: 1px solid var(--line);
      }
      .bar {
        max-width: 80rem;
        margin: 0 auto;
        padding: 0.4rem 1.25rem;
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.25rem 1.25rem;
        min-height: 3.25rem;
      }
      .brand {
        font-weight: 750;
        font-size: 1.15rem;
        color: inherit;
        text-decoration: none;
        letter-spacing: -0.01em;
      }
      nav {
        display: flex;
        flex-wrap: wrap;
        gap: 0.25rem;
        min-height: 2.2rem;
      }
      nav a {
        color: var(--muted);
        text-decoration: none;
        padding: 0.35rem 0.65rem;
        border-radius: 6px;
      }
      nav a:hover {
        background: var(--hover);
      }
      nav a[aria-current] {
        color: var(--text);
        font-weight: 600;
        background: var(--hover);
      }
      .me {
        display: flex;
        align-items: center;
        gap: 0.25rem;
        margin-inline-start: auto;
      }
      .me .button {
        max-width: 12rem;
        overflow: hidden;
        text-overflow: ellipsis;
      }
      main {
        /* What is below the page does not move while the page grows: it is out of sight. */
        min-height: calc(100vh - 3.25rem);
        max-width: 80rem;
        margin: 0 auto;
        padding: 1.25rem;
      }
      main:focus {
        outline: none;
      }
      footer {
        max-width: 80rem;
        margin: 0 auto;
        padding: 0 1.25rem 1.25rem;
        font-size: 0.85rem;
        color: var(--muted);
      }
      @media print {
        header,
        .skip {
          display: none;
        }
        main {
          min-height: 0;
        }
      }
      @media (max-width: 860px) {
        .bar {
          padding: 0.4rem 0.75rem;
        }
        nav {
          order: 3;
          flex: 1 0 100%;
          margin: 0 -0.4rem;
        }
        nav a {
          padding: 0.35rem 0.5rem;
        }
        main {
          padding: 1rem 0.75rem;
        }
        footer {
          padding: 0 0.75rem 1rem;
        }
      }
    `,
  ];

  @state() private session: Session | null = null;
  @state() private hasAsked = false;
  @state() private problem: Problem | null = null;
  @state() private route: Route = routeOf(new URL(location.href));
  @state() private theme = chosenTheme();
  @state() private reason = "";
  @query("main") private main!: HTMLElement;

  readonly #api = new Api(() => this.#onSignedOut());
  #context: Context | null = null;
  #stopWatching: (() => void) | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stopWatching = watchNavigation(() => this.#onNavigation());
    void this.#begin();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopWatching?.();
  }

  async #begin(): Promise<void> {
    try {
      this.#enter(await this.#api.session());
    } catch (error) {
      this.problem = asProblem(error);
    }
    this.hasAsked = true;
    this.#showTitle();
  }

  #enter(session: Session | null): void {
    this.session = session;
    this.#context = session ? { api: this.#api, user: session.user } : null;
    if (!session && this.route.page !== "login") {
      navigate(loginPath(location.pathname + location.search), { replace: true });
    } else if (session && this.route.page === "login") {
      navigate(this.route.next, { replace: true });
    }
  }

  #onSignedOut(): void {
    if (!this.session) return;
    this.reason = "Your session has ended. Sign in to go on where you were.";
    this.#enter(null);
  }

  #onNavigation(): void {
    const before = identityOf(this.route);
    this.route = routeOf(new URL(location.href));
    if (identityOf(this.route) === before) return;
    this.#showTitle();
    void this.updateComplete.then(() => {
      window.scrollTo(0, 0);
      const page = this.main.firstElementChild as { focusHeading?: () => void } | null;
      if (page?.focusHeading) page.focusHeading();
      else this.main.focus();
    });
  }

  #showTitle(): void {
    document.title = `${TITLES[this.route.page]} · Steno`;
  }

  async #signOut(): Promise<void> {
    try {
      await this.#api.signOut();
    } catch (error) {
      const problem = asProblem(error);
      if (problem?.status !== 401) {
        this.problem = problem;
        return;
      }
    }
    this.reason = "";
    this.session = null;
    this.#context = null;
    navigate("/login", { replace: true });
  }

  override render() {
    return html`<a class="skip button" href="#main" @click=${this.#skip}>Skip to the page</a>
      <header>
        <div class="bar">
          <a class="brand" href="/">Steno</a>
          ${this.#navigation()}
          <div class="me">${this.#themeSwitch()}${this.session ? this.#account(this.session) : nothing}</div>
        </div>
      </header>
      ${this.#warnings()}
      <main id="main" tabindex="-1">${this.#page()}</main>
      ${
        this.session
          ? html`<footer>Times are in ${localZone()}; pointing at one shows UTC.</footer>`
          : nothing
      }`;
  }

  #warnings() {
    if (!this.#context || this.session?.user.role === "user") return nothing;
    return html`<steno-warnings .context=${this.#context}></steno-warnings>`;
  }

  /** Its room is kept while it is not known who is here, so that nothing moves afterwards. */
  #navigation() {
    if (!this.session) {
      const isComing = !this.hasAsked && this.route.page !== "login";
      return isComing ? html`<nav aria-label="Main"></nav>` : nothing;
    }
    const links: [path: string, label: string, pages: Route["page"][]][] = [
      ["/", "Recordings", ["recordings", "recording"]],
      ["/search", "Search", ["search"]],
    ];
    const { role } = this.session.user;
    if (role !== "user") {
      links.push(
        ["/logins", "Logins", ["logins"]],
        ["/alerts", "Alerts", ["alerts"]],
        ["/hosts", "Hosts", ["hosts", "host"]],
      );
    }
    if (role === "admin") links.push(["/users", "Users", ["users"]]);
    return html`<nav aria-label="Main">
      ${links.map(
        ([path, label, pages]) =>
          html`<a href=${path} aria-current=${pages.includes(this.route.page) ? "page" : nothing}
            >${label}</a
          >`,
      )}
    </nav>`;
  }

  #themeSwitch() {
    const names = { system: "as the system", light: "light", dark: "dark" };
    const symbols = { system: "◐", light: "☀", dark: "☾" };
    const label = `Colours: ${names[this.theme]}. Change to ${names[nextTheme(this.theme)]}.`;
    return html`<button
      class="quiet"
      aria-label=${label}
      title=${label}
      @click=${() => {
        this.theme = nextTheme(this.theme);
        chooseTheme(this.theme);
      }}
    >
      <span aria-hidden="true">${symbols[this.theme]}</span>
    </button>`;
  }

  #account({ user }: Session) {
    const isHere = this.route.page === "account";
    return html`<a
        class="button quiet"
        href="/account"
        aria-current=${isHere ? "page" : nothing}
        aria-label=${`Your account: ${user.name}, ${user.role}`}
        >${foreign(user.name)}</a
      >
      <button class="quiet" @click=${this.#signOut}>Sign out</button>`;
  }

  #skip(event: Event): void {
    event.preventDefault();
    this.main.focus();
  }

  #page() {
    if (this.problem) return problemBox(this.problem, () => location.reload());
    if (!this.hasAsked) return nothing;
    const { route } = this;
    const context = this.#context;
    if (!context) {
      return html`<steno-login-page
        .api=${this.#api}
        reason=${this.reason}
        @steno-signed-in=${(event: CustomEvent<Session>) => this.#enter(event.detail)}
      ></steno-login-page>`;
    }
    if (RANKS[context.user.role] < RANKS[LEAST[route.page] ?? "user"]) return this.#forbidden();
    switch (route.page) {
      case "recordings":
        return html`<steno-recordings-page .context=${context} .route=${route}></steno-recordings-page>`;
      case "search":
        return html`<steno-search-page .context=${context} .route=${route}></steno-search-page>`;
      case "logins":
        return html`<steno-logins-page .context=${context} .route=${route}></steno-logins-page>`;
      case "recording":
        return html`<steno-recording-page .context=${context} .route=${route}></steno-recording-page>`;
      case "alerts":
        return html`<steno-alerts-page .context=${context} .route=${route}></steno-alerts-page>`;
      case "hosts":
        return html`<steno-hosts-page .context=${context}></steno-hosts-page>`;
      case "host":
        return html`<steno-host-page .context=${context} .route=${route}></steno-host-page>`;
      case "users":
        return html`<steno-users-page .context=${context}></steno-users-page>`;
      case "account":
        return html`<steno-account-page
          .context=${context}
          @steno-sign-out=${this.#signOut}
        ></steno-account-page>`;
      default:
        return this.#unknown();
    }
  }

  #forbidden() {
    const who =
      LEAST[this.route.page] === "admin" ? "administrators" : "auditors and administrators";
    return html`<div class="card empty" role="alert">
      <h1>Only for ${who}</h1>
      <p class="muted">You may see recordings.</p>
      <a class="button" href="/">All recordings</a>
    </div>`;
  }

  #unknown() {
    return html`<div class="card empty">
      <h1>There is no such page</h1>
      <p class="muted">The address is wrong, or what it showed is gone.</p>
      <a class="button" href="/">All recordings</a>
    </div>`;
  }
}
