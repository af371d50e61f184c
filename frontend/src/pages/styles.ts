/** The styles that all pages share. Colours and sizes are custom properties, set in app.css. */
import { css } from "lit";
import { tables } from "./tablestyles.ts";

const base = css`
  :host {
    display: block;
  }
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  [hidden] {
    display: none !important;
  }
  h1 {
    font-size: 1.5rem;
    line-height: 1.25;
    font-weight: 650;
    margin: 0;
    overflow-wrap: anywhere;
  }
  h2 {
    font-size: 1.05rem;
    line-height: 1.3;
    font-weight: 650;
    margin: 0;
  }
  h1 + p {
    margin-top: 0.25rem;
  }
  h1:focus {
    outline: none;
  }
  p {
    margin: 0;
  }
  a {
    color: var(--accent);
    text-underline-offset: 0.15em;
  }
  :focus-visible {
    outline: 2px solid var(--focus);
    outline-offset: 2px;
    border-radius: 3px;
  }
  code,
  .mono {
    font-family: var(--mono);
    font-size: 0.9em;
    overflow-wrap: anywhere;
  }
  .muted {
    color: var(--muted);
  }
  .number {
    font-variant-numeric: tabular-nums;
    white-space: nowrap;
  }
  .unseen {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .stack {
    display: grid;
    gap: 1rem;
    grid-template-columns: minmax(0, 1fr);
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.5rem 0.75rem;
  }
  .push {
    margin-inline-start: auto;
  }
  .card {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    padding: 1rem;
    min-width: 0;
    overflow-wrap: anywhere;
  }
  /* Links that choose what a page shows. */
  .views a {
    color: var(--muted);
    text-decoration: none;
    padding: 0.3rem 0.1rem;
    border-bottom: 3px solid transparent;
  }
  .views a[aria-current] {
    color: var(--text);
    font-weight: 600;
    border-bottom-color: var(--accent);
  }
  .empty {
    text-align: center;
    padding: 3rem 1rem;
    display: grid;
    gap: 0.5rem;
    justify-items: center;
  }
  .empty p {
    max-width: 60ch;
  }
`;

const controls = css`
  button,
  .button,
  input,
  select {
    font: inherit;
    color: inherit;
    min-height: 2.25rem;
    border: 1px solid var(--control-line);
    border-radius: 6px;
    background: var(--surface);
    padding: 0.3rem 0.75rem;
    max-width: 100%;
  }
  button,
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 0.4rem;
    cursor: pointer;
    text-decoration: none;
    white-space: nowrap;
  }
  button:hover:not(:disabled),
  .button:hover {
    background: var(--hover);
  }
  button:disabled {
    color: var(--muted);
    cursor: default;
    opacity: 0.65;
  }
  .primary {
    background: var(--accent-fill);
    border-color: var(--accent-fill);
    color: var(--on-accent);
  }
  .primary:hover:not(:disabled) {
    background: var(--accent-hover);
  }
  .danger {
    color: var(--bad);
  }
  .quiet {
    border-color: transparent;
    background: transparent;
  }
  input,
  select {
    width: 100%;
  }
  input::placeholder {
    color: var(--muted);
    opacity: 1;
  }
  /* Not only when "visible": a date's calendar button does not count as such. */
  input:focus-within,
  select:focus-visible {
    outline: 2px solid var(--focus);
    outline-offset: 0;
    border-radius: 6px;
  }
  input[aria-invalid="true"] {
    border-color: var(--bad);
  }
  label,
  .label {
    display: block;
    font-size: 0.85rem;
    color: var(--muted);
    margin-bottom: 0.2rem;
  }
  .field {
    min-width: 0;
  }
  .form {
    display: flex;
    flex-wrap: wrap;
    align-items: end;
    gap: 0.75rem;
  }
  .form .field {
    flex: 1 1 10rem;
  }
  dialog {
    color: var(--text);
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    padding: 1.25rem;
    width: min(28rem, calc(100vw - 2rem));
  }
  dialog::backdrop {
    background: rgb(0 0 0 / 45%);
  }
  .hint {
    font-size: 0.85rem;
    color: var(--muted);
  }
`;

const badges = css`
  .badge {
    display: inline-flex;
    align-items: center;
    gap: 0.35rem;
    font-size: 0.85rem;
    line-height: 1.3;
    white-space: nowrap;
    color: var(--muted);
  }
  .badge::before {
    content: "";
    flex: none;
    width: 0.55rem;
    height: 0.55rem;
    border-radius: 50%;
    border: 2px solid currentColor;
  }
  .badge.ok {
    color: var(--ok);
  }
  .badge.ok::before {
    background: currentColor;
  }
  .badge.live {
    color: var(--live);
    font-weight: 600;
  }
  .badge.live::before {
    background: currentColor;
  }
  .badge.warn {
    color: var(--warn);
  }
  .badge.warn::before,
  .badge.bad::before {
    border-radius: 1px;
    transform: rotate(45deg) scale(0.85);
  }
  .badge.bad {
    color: var(--bad);
    font-weight: 600;
  }
  .badge.bad::before {
    background: currentColor;
  }
  .tag {
    display: inline-block;
    font-size: 0.85rem;
    border: 1px solid var(--line);
    border-radius: 0.8rem;
    padding: 0.05rem 0.6rem;
    overflow-wrap: anywhere;
  }
  .problem {
    border: 1px solid var(--bad);
    border-inline-start-width: 4px;
    border-radius: 6px;
    background: var(--bad-fill);
    padding: 0.5rem 0.75rem;
    overflow-wrap: anywhere;
  }
  .problem pre {
    font-family: var(--mono);
    margin: 0.35rem 0 0;
    overflow-x: auto;
  }
  .problem .caret {
    color: var(--bad);
    font-weight: 700;
  }
  .secret {
    border: 1px solid var(--ok);
    border-inline-start-width: 4px;
    border-radius: 6px;
    padding: 0.75rem;
    display: grid;
    gap: 0.5rem;
  }
  .secret code {
    font-size: 1rem;
    user-select: all;
  }
  mark {
    background: var(--mark);
    color: var(--on-mark);
    border-radius: 2px;
  }
`;

/** To be taken by every element of the pages as its `static styles`. */
export const sharedStyles = [base, controls, badges, tables];
