/** One line that a search found, with the lines around it; it opens the player at its instant. */
import { css, html, type TemplateResult } from "lit";
import type { Hit, Line } from "../api/types.ts";
import { clock } from "../format.ts";
import { recordingPath } from "../router.ts";
import { stretches } from "../text.ts";

export const hitStyles = css`
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
    .hit {
      grid-template-columns: minmax(0, 1fr);
      padding: 0.5rem 0.75rem;
    }
  }
`;

function around(line: Line): TemplateResult {
  return html`<div class="around">${stretches(line.text, [], 200).map(({ text }) => text)}</div>`;
}

/** A hit as a link into its recording. */
export function hitLink(hit: Hit, find: string): TemplateResult {
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
