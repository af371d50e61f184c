/** A line or audit event that a search found; it opens the player at its instant. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { AuditEvent, Hit, Line } from "../api/types.ts";
import { clock } from "../format.ts";
import { recordingPath } from "../router.ts";
import { shown, stretches } from "../text.ts";

/** For cards of hits under a heading, too. */
export const hitStyles = css`
  section.card {
    padding: 0;
    overflow: hidden;
  }
  header {
    padding: 0.65rem 1rem;
  }
  header h2 {
    overflow-wrap: anywhere;
  }
  .hit {
    display: grid;
    grid-template-columns: 6rem minmax(0, 1fr);
    gap: 0 0.75rem;
    padding: 0.5rem 1rem;
    border-top: 1px solid var(--line);
    text-decoration: none;
    color: inherit;
  }
  .hit:hover {
    background: var(--hover);
  }
  .hit .at {
    color: var(--accent);
    font-variant-numeric: tabular-nums;
    text-decoration: underline;
    text-underline-offset: 0.15em;
  }
  .done {
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .done::before {
    content: "▸ ";
    color: var(--muted);
  }
  details[open] > summary .done::before {
    content: "▾ ";
  }
  .done.failure {
    color: var(--bad);
  }
  summary.hit {
    cursor: pointer;
    list-style: none;
  }
  .screen {
    font-family: var(--mono);
    font-size: 0.85rem;
    line-height: 1.45;
    min-width: 0;
  }
  .screen div {
    min-height: 1.45em;
    white-space: pre-wrap;
    overflow-wrap: anywhere;
  }
  .screen .around {
    color: var(--muted);
    white-space: pre;
    overflow: hidden;
    text-overflow: ellipsis;
  }
  @media (max-width: 760px) {
    header {
      padding: 0.65rem 0.75rem;
    }
    .hit {
      grid-template-columns: minmax(0, 1fr);
      padding: 0.5rem 0.75rem;
    }
  }
`;

function around(line: Line): TemplateResult {
  return html`<div class="around">${stretches(line.text, [], 200).map(({ text }) => text)}</div>`;
}

function eventText(event: AuditEvent): TemplateResult {
  const error = event.error ? html` <span class="muted">${event.error}</span>` : nothing;
  return html`<span class="done ${event.result ?? ""}">
    <bdi>${shown(event.text ?? event.action)}</bdi>${error}
  </span>`;
}

/** What an audit event did, and when. */
export function eventLine(event: AuditEvent, at: unknown): TemplateResult {
  return html`<span class="number">${at}</span> ${eventText(event)}`;
}

/** What an audit event did, as a link to its moment. */
export function eventLink(
  event: AuditEvent,
  rec: string,
  atUs: number | null,
  at: unknown,
): TemplateResult {
  return html`<a class="hit event" href=${recordingPath(rec, atUs, "", event.serial)} data-at-us=${atUs}>
    <span class="at">${at}</span> ${eventText(event)}
  </a>`;
}

/** A hit as a link into its recording. */
export function hitLink(hit: Hit, find: string): TemplateResult {
  if (hit.event) {
    const told = { ...hit.event.event, text: hit.text ?? hit.event.event.text };
    return eventLink(told, hit.recording.rec, hit.at_us, clock(hit.at_us ?? 0));
  }
  const href = recordingPath(hit.recording.rec, hit.at_us, find);
  const pieces = stretches(hit.text ?? "", hit.highlights);
  return html`<a class="hit" href=${href} data-at-us=${hit.at_us}>
    <span class="at">${clock(hit.at_us ?? 0)}</span>
    <span class="screen">
      ${hit.before.map(around)}
      <div>${pieces.map(({ text, isHit }) => (isHit ? html`<mark>${text}</mark>` : text))}</div>
      ${hit.after.map(around)}
    </span>
  </a>`;
}
