/** What the list of commands and the trail have in common: rows with an instant before them. */
import { css } from "lit";

export const listStyles = css`
  :host {
    display: grid;
    grid-template-rows: minmax(0, 1fr);
    grid-auto-rows: auto;
    height: 100%;
    min-height: 0;
  }
  .list {
    overflow: auto;
    padding: 0.35rem 0;
    min-height: 0;
    scrollbar-width: thin;
  }
  .list > ol {
    list-style: none;
    margin: 0;
    padding: 0;
  }
  .list a {
    display: grid;
    grid-template-columns: 4.25rem minmax(0, 1fr);
    gap: 0.5rem;
    padding: 0.15rem 0.75rem;
    color: inherit;
    text-decoration: none;
  }
  .list a:hover {
    background: var(--hover);
  }
  .list a:focus-visible {
    outline-offset: -2px;
  }
  .at {
    font-size: 0.85rem;
    text-align: end;
    color: var(--accent);
    font-variant-numeric: tabular-nums;
  }
  .what {
    font-family: var(--mono);
    font-size: 0.85rem;
    line-height: 1.5;
    white-space: pre-wrap;
    overflow-wrap: anywhere;
    min-height: 1.5em;
  }
  [aria-current] {
    background: var(--hover);
    box-shadow: inset 3px 0 0 var(--accent);
  }
  .remarks {
    font-family: system-ui, sans-serif;
    font-size: 0.75rem;
    white-space: normal;
  }
  .remark {
    color: var(--muted);
    /* Not parted from its number, and yet broken where a hostile name is long. */
    display: inline-block;
    max-width: 100%;
    margin-inline-start: 0.35rem;
    overflow-wrap: anywhere;
  }
  .remark.warn {
    color: var(--warn);
  }
  .remark.bad {
    color: var(--bad);
    font-weight: 600;
  }
  .foot {
    padding: 0.5rem 0.75rem;
    border-top: 1px solid var(--line);
    font-size: 0.85rem;
  }
  .foot.warn {
    color: var(--warn);
  }
  .back {
    border-width: 1px 0 0;
    border-radius: 0;
    color: var(--accent);
  }
  .depth-1 .what {
    padding-inline-start: 1.1rem;
  }
  .depth-2 .what {
    padding-inline-start: 2.2rem;
  }
  .depth-3 .what {
    padding-inline-start: 3.3rem;
  }
  .depth-4 .what {
    padding-inline-start: 4.4rem;
  }
  .depth-5 .what {
    padding-inline-start: 5.5rem;
  }
  .depth-6 .what {
    padding-inline-start: 6.2rem;
  }
  .depth-7 .what {
    padding-inline-start: 6.8rem;
  }
  .depth-8 .what {
    padding-inline-start: 7.2rem;
  }
`;

/** A sign for each kind of event; never the only thing that tells it. */
export const kindStyles = css`
  .kind {
    display: inline-block;
    width: 0.6rem;
    height: 0.6rem;
    margin-inline-end: 0.4rem;
    border-radius: 50%;
    background: var(--muted);
  }
  .kind.files {
    background: var(--ok);
  }
  .kind.network {
    background: light-dark(#86268c, #b083f0);
  }
  .kind.processes {
    background: var(--accent);
  }
  .kind.privileges {
    border-radius: 1px;
    background: var(--warn);
  }
  .kind.denials {
    border-radius: 1px;
    rotate: 45deg;
    background: var(--bad);
  }
`;
