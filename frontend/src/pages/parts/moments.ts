/** Lists of moments in a recording, each a link that takes the player there. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { NumberedLine } from "../api/types.ts";
import { clock, counted } from "../format.ts";
import { recordingPath } from "../router.ts";
import { shown } from "../text.ts";
import { PageElement } from "./page.ts";
import { emptyState, problemBox } from "./templates.ts";

const LINES_PER_PAGE = 500;

const momentStyles = css`
  ol {
    list-style: none;
    margin: 0;
    padding: 0.35rem 0;
  }
  li {
    content-visibility: auto;
    contain-intrinsic-height: auto 1.6rem;
  }
  li a {
    display: grid;
    grid-template-columns: 4.75rem minmax(0, 1fr);
    gap: 0.5rem;
    padding: 0.15rem 0.75rem;
    color: inherit;
    text-decoration: none;
  }
  li a:hover {
    background: var(--hover);
  }
  li a:focus-visible {
    outline-offset: -2px;
  }
  li .at {
    font-size: 0.85rem;
    text-align: end;
    color: var(--accent);
    font-variant-numeric: tabular-nums;
  }
  li .what {
    font-family: var(--mono);
    font-size: 0.85rem;
    line-height: 1.5;
    white-space: pre-wrap;
    overflow-wrap: anywhere;
    min-height: 1.5em;
  }
  .foot {
    padding: 0.5rem 0.75rem 0.75rem;
  }
`;

function moment(rec: string, atUs: number, text: string) {
  return html`<li>
    <a href=${recordingPath(rec, atUs)}>
      <span class="at">${clock(atUs)}</span><span class="what">${shown(text)}</span>
    </a>
  </li>`;
}

/** The screen's text, line by line. */
@customElement("steno-screen-text")
export class ScreenText extends PageElement {
  static override styles = [PageElement.styles, momentStyles];

  @property() rec = "";
  /** How many lines there are by now. */
  @property({ type: Number }) count = 0;
  /** Nothing is fetched until somebody looks: reading the text is logged as a viewing. */
  @property({ type: Boolean }) isOpen = false;
  @state() private lines: NumberedLine[] = [];
  @state() private next: number | null = 0;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("rec")) {
      this.lines = [];
      this.next = 0;
    }
    const isUntouched = this.lines.length === 0 && this.next === 0;
    if (this.isOpen && isUntouched && !this.isBusy && !this.problem) void this.#more();
  }

  #more(): Promise<void> {
    return this.load(async (signal) => {
      const first = this.next ?? this.lines.length;
      const page = await this.context.api.text(this.rec, first, LINES_PER_PAGE, signal);
      this.lines = [...this.lines, ...page.items];
      this.next = page.next;
    });
  }

  override render() {
    const { lines, next } = this;
    const isGrowing = next === null && this.count > lines.length;
    return html`${
      lines.length === 0 && next === null
        ? emptyState("No text", "Nothing was on the screen yet.")
        : nothing
    }
      <ol>
        ${lines.map(({ at_us, text }) => moment(this.rec, at_us, text))}
      </ol>
      <div class="foot row">
        ${problemBox(this.problem)}
        ${
          next !== null || isGrowing
            ? html`<button ?disabled=${this.isBusy} @click=${() => this.#more()}>
                ${this.isBusy ? "Loading…" : "More lines"}
              </button>
              <span class="muted">${counted(lines.length, "line")} of ${this.count}</span>`
            : nothing
        }
      </div>`;
  }
}
