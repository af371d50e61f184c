/** Errors as the pages show them: one clear line, and where in a query it went wrong. */

/** An RFC 9457 problem document, or what stands in for one when the server gave none. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly query: string | null = null,
    readonly position: number | null = null,
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(detail || title);
  }

  /** Whether nothing was wrong with what was asked: the server was away, starting or too busy. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503;
  }

  /** Whether the query's text is to blame, so that a caret can show the place. */
  get isAboutQuery(): boolean {
    return this.query !== null && this.position !== null;
  }
}

const FALLBACK_TITLES: Record<number, string> = {
  401: "You are signed out; sign in again.",
  403: "You may not see or do this.",
  404: "There is no such thing here.",
  429: "Too many tries.",
  502: "The server behind the proxy does not answer.",
  503: "The server is busy or starting; try again shortly.",
};

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Read a problem from a response's body; any body will do. */
export function problemFrom(status: number, body: unknown, retryAfter: string | null): Problem {
  const members =
    typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const title = text(members.title) || FALLBACK_TITLES[status] || `The server answered ${status}.`;
  const { query, position } = members;
  const isAboutQuery = typeof query === "string" && typeof position === "number";
  const seconds = Number.parseInt(retryAfter ?? "", 10);
  return new Problem(
    status,
    title,
    text(members.detail),
    isAboutQuery ? query : null,
    isAboutQuery ? position : null,
    Number.isNaN(seconds) ? null : seconds,
  );
}

/** Turn whatever was thrown into a Problem; null when it was only an aborted request. */
export function asProblem(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof DOMException && error.name === "AbortError") return null;
  if (error instanceof TypeError) {
    return new Problem(0, "The server cannot be reached.", "Check the connection, then try again.");
  }
  return new Problem(0, "Something went wrong in this page.", String(error));
}

function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

/** The problem as one line. */
export function problemLine(problem: Problem): string {
  const { title, retryAfterSeconds } = problem;
  const detail = problem.detail.split("\n", 1)[0] ?? "";
  const parts = [
    problem.isAboutQuery ? `${title}: ${detail || "not understood"}` : detail || title,
  ];
  if (problem.status === 0 && detail) parts.unshift(title);
  if (retryAfterSeconds !== null) parts.push(`Try again in ${retryAfterSeconds} s`);
  return parts.map(sentence).join(" ");
}

/** The query with a caret under the place that cannot be understood, as two lines. */
export function caretLines(query: string, position: number): [string, string] {
  const flat = query.replace(/\s/g, " ");
  const before = Array.from(flat).slice(0, Math.max(0, position)).length;
  return [flat, `${" ".repeat(before)}^`];
}
