/** The box for a query: one line of text, what was wrong with it, and how the language goes. */
import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import type { Problem } from "../api/problem.ts";
import { sharedStyles } from "../styles.ts";
import { problemBox } from "./templates.ts";

/** What to type, and what it finds. */
export type Example = [text: string, meaning: string];

/** The language in examples, for recordings and what was on their screens. */
export const EXAMPLES: readonly Example[] = [
  ["passwd", "the word, on any screen"],
  ['"permission denied"', "the words beside each other"],
  ["*cme/secr*", "these characters anywhere in a line"],
  ["/err(or|no)/i", "a regular expression; i: in any case"],
  ["user:avery host:web1", "whose account, on which machine"],
  ["login:blake remote:192.0.2.7", "who logged in, and from where"],
  ["service:sudo status:3", "how they came in, how it ended"],
  ["after:2026-01-31 before:yesterday", "when it started, by your clock"],
  ["at:2026-01-31T14:30", "what was going on then"],
  ["longer:10m is:live", "how long; live, ended, cut, broken, damaged, gaps"],
  [
    'action:wrote file:/etc/passwd "permission denied"',
    "what was done meanwhile, and on the screen",
  ],
  ["ran:curl -addr:10.0.0.0/8 result:failure", "programs, addresses, how it went: of one event"],
  ["(rm OR shred) -user:root", "together with AND, OR, NOT (or -) and parentheses"],
];

@customElement("steno-query-box")
export class QueryBox extends LitElement {
  static override styles = [
    sharedStyles,
    css`
      form {
        display: flex;
        gap: 0.5rem;
      }
      input {
        font-family: var(--mono);
        font-size: 0.95rem;
      }
      details {
        font-size: 0.9rem;
      }
      summary {
        cursor: pointer;
        color: var(--muted);
        width: fit-content;
        padding: 0.15rem 0;
      }
      dl {
        display: grid;
        grid-template-columns: max-content minmax(0, 1fr);
        gap: 0.25rem 1.25rem;
        margin: 0.5rem 0 0;
      }
      dd {
        margin: 0;
        color: var(--muted);
      }
      dt button {
        min-height: 0;
        padding: 0;
        border: 0;
        background: none;
        text-align: start;
        white-space: normal;
        color: var(--accent);
      }
      dt button:hover {
        text-decoration: underline;
      }
      @media (max-width: 760px) {
        dl {
          grid-template-columns: minmax(0, 1fr);
          gap: 0;
        }
        dd {
          margin-bottom: 0.4rem;
        }
      }
    `,
  ];

  /** The query that is shown now. */
  @property() value = "";
  /** What the box is for, read out and shown above it. */
  @property() label = "Query";
  @property() placeholder = "";
  @property() action = "Search";
  @property({ attribute: false }) examples: readonly Example[] = EXAMPLES;
  @property({ attribute: false }) problem: Problem | null = null;

  @query("input") private input!: HTMLInputElement;

  /** Put the keyboard into the box. */
  override focus(): void {
    this.input.focus();
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("value")) this.input.value = this.value;
    const position = this.problem?.position ?? null;
    if (changed.has("problem") && position !== null) {
      this.input.setSelectionRange(position, position);
    }
  }

  override render() {
    const { problem } = this;
    return html`<div class="stack">
      <div>
        <label for="query">${this.label}</label>
        <form role="search" @submit=${this.#submit}>
          <input
            id="query"
            type="search"
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            maxlength="4000"
            placeholder=${this.placeholder}
            aria-invalid=${problem ? "true" : "false"}
            aria-describedby=${problem ? "problem" : nothing}
          />
          <button class="primary">${this.action}</button>
        </form>
        <details>
          <summary>How to ask</summary>
          <dl>
            ${this.examples.map(
              ([text, meaning]) => html`<dt>
                  <button title="Put it into the box" @click=${() => this.#take(text)}>
                    <code>${text}</code>
                  </button>
                </dt>
                <dd>${meaning}</dd>`,
            )}
          </dl>
        </details>
      </div>
      ${problemBox(problem)}
    </div>`;
  }

  /** Put an example into the box: its names are to be changed before it is asked. */
  #take(text: string): void {
    this.input.value = text;
    this.focus();
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    this.dispatchEvent(new CustomEvent<string>("steno-query", { detail: this.input.value.trim() }));
  }
}
