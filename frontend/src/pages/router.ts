/** Which page an address shows, and moving between pages without loading them anew. */

import type { LoginFilter } from "./api/types.ts";

export type Route =
  | { page: "recordings"; query: string; sort: string; cursor: string | null }
  | { page: "search"; query: string; isOfEvents: boolean }
  | { page: "logins"; filter: LoginFilter; showsFailures: boolean }
  | { page: "recording"; rec: string; atSeconds: number | null; find: string; event: number | null }
  | { page: "login"; next: string }
  | { page: "alerts"; least: string; state: string }
  | { page: "hosts" }
  | { page: "host"; name: string }
  | { page: "users" }
  | { page: "account" }
  | { page: "unknown"; path: string };

export const DEFAULT_SORT = "-started";

/** Which alerts are shown where the address does not say: all that nobody has acknowledged. */
const DEFAULT_LEAST = "low";
const DEFAULT_STATE = "open";

const NAVIGATED = "steno-navigated";

/** A place in a recording, in seconds; null for what is no such place. */
export function secondsFrom(text: string | null): number | null {
  if (text === null || !/^\d{1,9}(\.\d{1,9})?$/.test(text)) return null;
  return Number.parseFloat(text);
}

/** `target` when it is a path of this site, else "/": a link never leads elsewhere. */
export function localPath(target: string | null, origin: string): string {
  if (!target?.startsWith("/")) return "/";
  let url: URL;
  try {
    url = new URL(target, origin);
  } catch {
    return "/";
  }
  if (url.origin !== origin || url.pathname.startsWith("//")) return "/";
  return url.pathname + url.search;
}

/** The route for an address. */
export function routeOf(url: URL): Route {
  const { pathname, searchParams } = url;
  switch (pathname) {
    case "/":
      return {
        page: "recordings",
        query: searchParams.get("q") ?? "",
        sort: searchParams.get("sort") ?? DEFAULT_SORT,
        cursor: searchParams.get("cursor"),
      };
    case "/search":
      return {
        page: "search",
        query: searchParams.get("q") ?? "",
        isOfEvents: searchParams.get("in") === "events",
      };
    case "/logins":
      return {
        page: "logins",
        filter: loginFilter(searchParams),
        showsFailures: searchParams.get("show") === "failed",
      };
    case "/login":
      return { page: "login", next: localPath(searchParams.get("next"), url.origin) };
    case "/alerts":
      return {
        page: "alerts",
        least: searchParams.get("least") ?? DEFAULT_LEAST,
        state: searchParams.get("state") ?? DEFAULT_STATE,
      };
    case "/hosts":
    case "/users":
    case "/account":
      return { page: pathname.slice(1) as "hosts" | "users" | "account" };
  }
  const host = /^\/hosts\/([^/]+)$/.exec(pathname)?.[1];
  if (host !== undefined) return { page: "host", name: decoded(host) };
  const rec = /^\/recordings\/([^/]+)$/.exec(pathname)?.[1];
  if (rec === undefined) return { page: "unknown", path: pathname };
  return {
    page: "recording",
    rec: decoded(rec),
    atSeconds: secondsFrom(searchParams.get("t")),
    find: searchParams.get("q") ?? "",
    event: serialFrom(searchParams.get("event")),
  };
}

/** An audit event's serial; null for what is none. */
function serialFrom(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function loginFilter(parameters: URLSearchParams): LoginFilter {
  const given = (name: string): string => parameters.get(name) ?? "";
  const recorded = given("recorded");
  return {
    user: given("user"),
    host: given("host"),
    source: given("source"),
    service: given("service"),
    recorded: recorded === "yes" || recorded === "no" ? recorded : "",
    from: given("from"),
    until: given("until"),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function withParameters(path: string, parameters: Record<string, string | null>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== "") search.set(name, value);
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

/** The address of the list with this query, order and page. */
export function listPath(query: string, sort: string, cursor: string | null = null): string {
  return withParameters("/", { q: query, sort: sort === DEFAULT_SORT ? null : sort, cursor });
}

/** The address of a search: in recordings, or among all audit events. */
export function searchPath(query: string, isOfEvents = false): string {
  return withParameters("/search", { q: query, in: isOfEvents ? "events" : null });
}

/** The address of the logins that a filter lets through, or of the attempts that failed. */
export function loginsPath(filter: Partial<LoginFilter>, showsFailures = false): string {
  return withParameters("/logins", { ...filter, show: showsFailures ? "failed" : null });
}

/**
 * The address of a recording, at an instant when there is one, with what to look for in it, or with an
 * audit event (its serial) that is shown open.
 */
export function recordingPath(
  rec: string,
  atUs: number | null = null,
  find = "",
  serial: number | null = null,
): string {
  const t = atUs === null ? null : String(Math.max(0, atUs) / 1e6);
  const event = serial === null ? null : String(serial);
  return withParameters(`/recordings/${encodeURIComponent(rec)}`, { t, q: find, event });
}

/** The address of the alerts of a severity or a worse one, in a state. */
export function alertsPath(least = DEFAULT_LEAST, state = DEFAULT_STATE): string {
  return withParameters("/alerts", {
    least: least === DEFAULT_LEAST ? null : least,
    state: state === DEFAULT_STATE ? null : state,
  });
}

/** The address of a host's page. */
export function hostPath(name: string): string {
  return `/hosts/${encodeURIComponent(name)}`;
}

/** The address of the sign-in page that leads back to `path`. */
export function loginPath(path: string): string {
  return withParameters("/login", { next: path === "/" ? null : path });
}

/** Go to a path of this site. `state` is kept in the history beside it. */
export function navigate(path: string, options: { replace?: boolean; state?: unknown } = {}): void {
  const target = localPath(path, location.origin);
  if (options.replace) history.replaceState(options.state ?? null, "", target);
  else history.pushState(options.state ?? null, "", target);
  window.dispatchEvent(new Event(NAVIGATED));
}

/** The link that a click should follow within the app; null when the browser should do it. */
function linkOf(event: MouseEvent): HTMLAnchorElement | null {
  if (event.defaultPrevented || event.button !== 0) return null;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return null;
  const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
  if (link === undefined) return null;
  if (link.target !== "" || link.hasAttribute("download")) return null;
  if (link.origin !== location.origin || link.getAttribute("href")?.startsWith("#")) return null;
  return routeOf(new URL(link.href)).page === "unknown" ? null : link;
}

/** Call `listener` after each move between pages; returns what ends that. */
export function watchNavigation(listener: () => void): () => void {
  const onClick = (event: MouseEvent): void => {
    const link = linkOf(event);
    if (!link) return;
    event.preventDefault();
    navigate(link.pathname + link.search);
  };
  window.addEventListener(NAVIGATED, listener);
  window.addEventListener("popstate", listener);
  document.addEventListener("click", onClick);
  return () => {
    window.removeEventListener(NAVIGATED, listener);
    window.removeEventListener("popstate", listener);
    document.removeEventListener("click", onClick);
  };
}
