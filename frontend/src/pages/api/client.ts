/** The server's API as typed calls. Every failure is thrown as a Problem (see problem.ts). */
import { problemFrom } from "./problem.ts";
import type {
  Account,
  Alert,
  AlertPage,
  Commands,
  EnrolmentCode,
  EventDetail,
  FoundEvent,
  Hit,
  Host,
  HostDetail,
  HostWarning,
  Lanes,
  LinesPage,
  Login,
  LoginFailures,
  LoginFilter,
  MadeToken,
  Notes,
  Order,
  Orders,
  Page,
  RecordedEvent,
  Recording,
  RecordingDetail,
  Role,
  Session,
  SignInLink,
  Token,
  Verification,
  Viewing,
} from "./types.ts";

const PREFIX = "/api/v1";

type Parameters = Record<string, string | number | boolean | null | undefined>;
type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** Which events of a recording; instants are microseconds since its start. */
export interface EventsQuery {
  command?: number | null;
  q?: string;
  /** Joined by commas. */
  kinds?: string;
  from_us?: number | null;
  to_us?: number | null;
  /** What says the same stands together. */
  bunched?: boolean;
  /** Only what stands together with the event of this serial. */
  bunch?: number | null;
  /** Also what Steno's own programs did. */
  own?: boolean;
  /** `at`: oldest first; `-at`: newest first. */
  sort?: "at" | "-at";
  cursor?: string | null;
  limit: number;
}

interface Options {
  parameters?: Parameters;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

/** A time zone as the API wants it, "+02:00": times in a query that name none are in it. */
export function zoneOf(minutesWest: number): string {
  const minutes = Math.abs(minutesWest);
  const pad = (part: number): string => String(part).padStart(2, "0");
  const sign = minutesWest > 0 ? "-" : "+";
  return `${sign}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}

/** A path of the API with its parameters; every segment is escaped. */
export function apiPath(segments: string[], parameters: Parameters = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  const path = `${PREFIX}/${segments.map(encodeURIComponent).join("/")}`;
  return text ? `${path}?${text}` : path;
}

async function bodyOf(response: Response): Promise<unknown> {
  if (response.status === 204) return null;
  const type = response.headers.get("Content-Type") ?? "";
  if (!/[/+]json\b/.test(type)) return null;
  return response.json().catch(() => null);
}

/** The first instant of a day of this browser's calendar, `later` days on, in microseconds. */
function dayStart(day: string, later = 0): number | null {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day);
  if (!match) return null;
  const [year, month, date] = match.slice(1).map(Number) as [number, number, number];
  return new Date(year, month - 1, date + later).getTime() * 1000;
}

function loginParameters({ user, host, source, service, from, until }: LoginFilter): Parameters {
  return {
    user,
    host,
    source,
    service,
    from_unix_us: dayStart(from),
    until_unix_us: dayStart(until, 1),
  };
}

const UNATTENDED = "X-Steno-Unattended";

/** The calls that the pages make. One per page load; it knows the session's CSRF token. */
export class Api {
  #csrfToken = "";
  #unattended: Api | null = null;

  /**
   * @param onSignedOut Called when a call is refused because the session has ended.
   * @param send What sends requests, `fetch`.
   */
  constructor(
    private readonly onSignedOut: () => void,
    private readonly send: typeof fetch = (input, init) => fetch(input, init),
  ) {}

  /** For what a page asks by itself, to read it: that does not keep an idle session from ending. */
  get unattended(): Api {
    this.#unattended ??= new Api(this.onSignedOut, (input, init) => {
      const headers = { ...(init?.headers as Record<string, string>), [UNATTENDED]: "1" };
      return this.send(input, { ...init, headers });
    });
    return this.#unattended;
  }

  async #call<T>(method: Method, segments: string[], options: Options = {}): Promise<T> {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (method !== "GET") headers["X-CSRF-Token"] = this.#csrfToken;
    const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
    if (options.signal) init.signal = options.signal;
    if (options.body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(options.body);
    }
    const response = await this.send(apiPath(segments, options.parameters), init);
    const body = await bodyOf(response);
    if (response.ok) return body as T;
    if (response.status === 401 && segments[0] !== "session") this.onSignedOut();
    throw problemFrom(response.status, body, response.headers.get("Retry-After"));
  }

  /** Who is signed in; null when nobody is. */
  async session(): Promise<Session | null> {
    try {
      return this.#remember(await this.#call<Session>("GET", ["session"]));
    } catch (error) {
      if ((error as { status?: number }).status === 401) return null;
      throw error;
    }
  }

  async signIn(name: string, password: string): Promise<Session> {
    return this.#remember(
      await this.#call<Session>("POST", ["session"], { body: { name, password } }),
    );
  }

  async signOut(): Promise<void> {
    await this.#call("DELETE", ["session"]);
    this.#csrfToken = "";
  }

  #remember(session: Session): Session {
    this.#csrfToken = session.csrf_token;
    return session;
  }

  recordings(
    parameters: { q: string; sort: string; cursor?: string | null; limit: number },
    signal?: AbortSignal,
  ): Promise<Page<Recording>> {
    return this.#page(["recordings"], withZone(parameters), signal);
  }

  recording(rec: string, signal?: AbortSignal): Promise<RecordingDetail> {
    return this.#call("GET", ["recordings", rec], { signal });
  }

  text(rec: string, first: number, limit: number, signal?: AbortSignal): Promise<LinesPage> {
    return this.#call("GET", ["recordings", rec, "text"], { parameters: { first, limit }, signal });
  }

  commands(rec: string, signal?: AbortSignal): Promise<Commands> {
    return this.#call("GET", ["recordings", rec, "commands"], { signal });
  }

  lanes(rec: string, signal?: AbortSignal): Promise<Lanes> {
    return this.#call("GET", ["recordings", rec, "lanes"], { signal });
  }

  events(rec: string, parameters: EventsQuery, signal?: AbortSignal): Promise<Page<RecordedEvent>> {
    const zone = parameters.q ? zoneOf(new Date().getTimezoneOffset()) : null;
    return this.#page(["recordings", rec, "events"], { ...parameters, zone }, signal);
  }

  event(rec: string, serial: number, signal?: AbortSignal): Promise<EventDetail> {
    return this.#call("GET", ["recordings", rec, "events", String(serial)], { signal });
  }

  notes(rec: string, signal?: AbortSignal): Promise<Notes> {
    return this.#call("GET", ["recordings", rec, "notes"], { signal });
  }

  verification(rec: string, signal?: AbortSignal): Promise<Verification> {
    return this.#call("GET", ["recordings", rec, "verification"], { signal });
  }

  search(
    parameters: { q: string; cursor?: string | null; limit: number; bunched?: boolean },
    signal?: AbortSignal,
  ): Promise<Page<Hit>> {
    return this.#page(["search"], withZone(parameters), signal);
  }

  /** Audit events of all hosts. */
  foundEvents(
    parameters: { q: string; cursor?: string | null; limit: number; bunched?: boolean },
    signal?: AbortSignal,
  ): Promise<Page<FoundEvent>> {
    return this.#page(["events"], withZone(parameters), signal);
  }

  /** One audit event of any host, with its records. */
  foundEvent(trail: string, serial: number, signal?: AbortSignal): Promise<FoundEvent> {
    return this.#call("GET", ["events", trail, String(serial)], { signal });
  }

  logins(
    filter: LoginFilter,
    cursor: string | null,
    limit: number,
    signal?: AbortSignal,
  ): Promise<Page<Login>> {
    const parameters = { ...loginParameters(filter), recorded: filter.recorded, cursor, limit };
    return this.#page(["logins"], parameters, signal);
  }

  loginFailures(
    filter: LoginFilter,
    cursor: string | null,
    limit: number,
    signal?: AbortSignal,
  ): Promise<Page<LoginFailures>> {
    const parameters = { ...loginParameters(filter), cursor, limit };
    return this.#page(["logins", "failures"], parameters, signal);
  }

  /** A page may be empty when much had to be read for it; only a missing cursor is the end. */
  async #page<T>(
    segments: string[],
    parameters: Parameters & { cursor?: string | null },
    signal?: AbortSignal,
  ): Promise<Page<T>> {
    let page: Page<T> = { items: [], cursor: parameters.cursor ?? null };
    do {
      const { cursor } = page;
      page = await this.#call("GET", segments, { parameters: { ...parameters, cursor }, signal });
    } while (page.items.length === 0 && page.cursor);
    return page;
  }

  async hosts(signal?: AbortSignal): Promise<Host[]> {
    return (await this.#call<{ items: Host[] }>("GET", ["hosts"], { signal })).items;
  }

  host(name: string, signal?: AbortSignal): Promise<HostDetail> {
    return this.#call("GET", ["hosts", name], { signal });
  }

  async warnings(): Promise<HostWarning[]> {
    return (await this.#call<{ items: HostWarning[] }>("GET", ["warnings"])).items;
  }

  orders(rec: string, signal?: AbortSignal): Promise<Orders> {
    return this.#call("GET", ["recordings", rec, "orders"], { signal });
  }

  kill(rec: string, reason: string): Promise<Order> {
    return this.#call("POST", ["recordings", rec, "kill"], { body: { reason } });
  }

  sendMessage(rec: string, text: string, reason: string): Promise<Order> {
    return this.#call("POST", ["recordings", rec, "message"], { body: { text, reason } });
  }

  alerts(
    parameters: { least: string; state: string; cursor?: string | null; limit: number },
    signal?: AbortSignal,
  ): Promise<AlertPage> {
    return this.#call("GET", ["alerts"], { parameters, signal });
  }

  /** The alerts of a recording; in each `at_us` is its instant there. */
  async recordingAlerts(rec: string, signal?: AbortSignal): Promise<Alert[]> {
    const segments = ["recordings", rec, "alerts"];
    return (await this.#call<{ items: Alert[] }>("GET", segments, { signal })).items;
  }

  acknowledge(id: number, comment: string): Promise<Alert> {
    return this.#call("POST", ["alerts", String(id), "acknowledge"], { body: { comment } });
  }

  makeEnrolmentCode(): Promise<EnrolmentCode> {
    return this.#call("POST", ["hosts", "codes"], { body: {} });
  }

  async tokens(signal?: AbortSignal): Promise<Token[]> {
    return (await this.#call<{ items: Token[] }>("GET", ["tokens"], { signal })).items;
  }

  makeToken(label: string, days: number): Promise<MadeToken> {
    return this.#call("POST", ["tokens"], { body: { label, days } });
  }

  revokeToken(id: string): Promise<void> {
    return this.#call("DELETE", ["tokens", id]);
  }

  async users(signal?: AbortSignal): Promise<Account[]> {
    return (await this.#call<{ items: Account[] }>("GET", ["users"], { signal })).items;
  }

  addUser(name: string, role: Role, password: string | null): Promise<Account> {
    const body = password === null ? { name, role } : { name, role, password };
    return this.#call("POST", ["users"], { body });
  }

  changeUser(
    name: string,
    changes: { role?: Role; password?: string; is_disabled?: boolean },
  ): Promise<Account> {
    return this.#call("PATCH", ["users", name], { body: changes });
  }

  makeSignInLink(name: string): Promise<SignInLink> {
    return this.#call("POST", ["users", name, "links"]);
  }

  removeUser(name: string): Promise<void> {
    return this.#call("DELETE", ["users", name]);
  }

  async viewings(rec: string, signal?: AbortSignal): Promise<Viewing[]> {
    const page = await this.#call<{ items: Viewing[] }>("GET", ["viewings"], {
      parameters: { rec },
      signal,
    });
    return page.items;
  }
}

/** Parameters whose query is read as times are shown: in the reader's time zone. */
function withZone<T extends { q: string }>(parameters: T): T & { zone: string | null } {
  const zone = parameters.q === "" ? null : zoneOf(new Date().getTimezoneOffset());
  return { ...parameters, zone };
}

/** Where a recording can be downloaded in `format`. */
export function exportPath(rec: string, format: string): string {
  return apiPath(["recordings", rec, "export"], { format });
}

/** The address that `<steno-player>` plays from. */
export function playerSource(rec: string): string {
  return apiPath(["recordings", rec]);
}
