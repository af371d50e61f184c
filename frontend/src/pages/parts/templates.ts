/** Small pieces of markup that many pages use. Text bindings only: what is bound may be hostile. */
import { html, nothing, type TemplateResult } from "lit";
import { caretLines, type Problem, problemLine } from "../api/problem.ts";
import * as format from "../format.ts";
import { shown } from "../text.ts";
import type { Saying } from "../words.ts";

/** An instant in local time; the tooltip has it in UTC, to the microsecond. */
export function instant(unixUs: number | null | undefined, otherwise = "never"): TemplateResult {
  if (unixUs === null || unixUs === undefined) {
    return html`<span class="muted">${otherwise}</span>`;
  }
  return html`<time
    class="number"
    datetime=${format.machineInstant(unixUs)}
    title=${format.utcInstant(unixUs)}
    >${format.localInstant(unixUs)}</time
  >`;
}

/** What stands where there is nothing to say; on a narrow screen the whole cell goes. */
export const NONE = html`<span class="muted none">–</span>`;

/** A duration for people; the tooltip has it to the microsecond. */
export function span(us: number): TemplateResult {
  return html`<span class="number" title=${format.exactDuration(us)}
    >${format.duration(us)}</span
  >`;
}

/** A size for people; the tooltip has it to the byte. */
export function bytes(count: number): TemplateResult {
  return html`<span class="number" title=${format.exactSize(count)}>${format.size(count)}</span>`;
}

/** A state with its colour; the tooltip has the whole story. */
export function badge(saying: Saying): TemplateResult {
  return html`<span class="badge ${saying.tone}" title=${saying.more}>${saying.text}</span>`;
}

/** A name or text from a recording, kept from disturbing what stands around it. */
export function foreign(text: string): TemplateResult {
  return html`<bdi>${shown(text)}</bdi>`;
}

/**
 * A problem as one line, with a caret below the query where it cannot be understood. What passes can be
 * tried again, where `tryAgain` does that.
 */
export function problemBox(
  problem: Problem | null,
  tryAgain: (() => void) | null = null,
): TemplateResult | typeof nothing {
  if (!problem) return nothing;
  const [query, caret] =
    problem.query !== null && problem.position !== null
      ? caretLines(problem.query, problem.position)
      : ["", ""];
  return html`<div class="problem" role="alert" id="problem">
    ${problemLine(problem)}
    ${problem.isPassing && tryAgain ? html`<button @click=${tryAgain}>Try again</button>` : nothing}
    ${
      problem.isAboutQuery
        ? html`<pre tabindex="0" aria-label=${`At character ${caret.length} of the query`}>${shown(query)}
<span class="caret">${caret}</span></pre>`
        : nothing
    }
  </div>`;
}

/** Why a page about one thing shows none, and where there are others. */
export function notLoaded(
  problem: Problem,
  title: unknown,
  others: { path: string; label: string },
  tryAgain: () => void,
): TemplateResult {
  const { path, label } = others;
  if (problem.status !== 404) {
    return html`${problemBox(problem, tryAgain)}
      <p><a href=${path}>${label}</a></p>`;
  }
  return html`<div class="card" role="alert">
    ${emptyState(
      title,
      "The address is wrong, it is no longer kept, or you may not see it.",
      html`<a class="button" href=${path}>${label}</a>`,
    )}
  </div>`;
}

/** What stands where nothing is: what this would be, and what to do. */
export function emptyState(
  title: unknown,
  advice: unknown,
  action: unknown = nothing,
): TemplateResult {
  return html`<div class="empty">
    <h2>${title}</h2>
    <p class="muted">${advice}</p>
    ${action}
  </div>`;
}
