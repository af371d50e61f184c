/** Lists of moments in a recording, each a link that takes the player there. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { Command, NumberedLine } from "../api/types.ts";
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
  [aria-current] {
    background: var(--hover);
    box-shadow: inset 3px 0 0 var(--accent);
  }
  .foot {
    padding: 0.5rem 0.75rem 0.75rem;
  }
`;

function moment(rec: string, atUs: number, text: string, isCurrent = false) {
  return html`<li>
    <a href=${recordingPath(rec, atUs)} aria-current=${isCurrent ? "true" : nothing}>
      <span class="at">${clock(atUs)}</span><span class="what">${shown(text)}</span>
    </a>
  </li>`;
}

/** The commands that were entered; the one that the player stands in is marked. */
@customElement("steno-commands")
export class Commands extends PageElement {
  static override styles = [PageElement.styles, momentStyles];

  @property() rec = "";
  /** How many there are; when it changes they are loaded anew. */
  @property({ type: Number }) count = 0;
  @property({ type: Number }) atUs = 0;
  @state() private commands: Command[] | null = null;
  #shown: Element | null = null;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("rec") && !changed.has("count")) return;
    if (changed.has("rec")) this.commands = null;
    void this.load(async (signal) => {
      this.commands = await this.context.api.commands(this.rec, signal);
    });
  }

  /** Keep the current command in view, unless somebody is at the list. */
  protected override updated(): void {
    const current = this.renderRoot.querySelector("[aria-current]");
    const panel = this.assignedSlot?.parentElement;
    if (!current || !panel || current === this.#shown) return;
    if (this.matches(":hover, :focus-within")) return;
    this.#shown = current;
    scrollTo(panel, current);
  }

  override render() {
    const { commands } = this;
    if (this.problem) return problemBox(this.problem);
    if (!commands) return html`<p class="foot muted">Loading…</p>`;
    if (commands.length === 0) {
      return emptyState(
        "No commands recognised",
        "They are read from the screen's prompt lines; programs without a prompt show none.",
      );
    }
    const current = commands.filter((command) => command.at_us <= this.atUs).length - 1;
    return html`<ol>
      ${commands.map(({ at_us, text }, index) => moment(this.rec, at_us, text, index === current))}
    </ol>`;
  }
}

/** Scroll `panel`, and nothing around it, so that `inner` can be seen. */
function scrollTo(panel: Element, inner: Element): void {
  const outside = panel.getBoundingClientRect();
  const { top, bottom } = inner.getBoundingClientRect();
  if (top >= outside.top && bottom <= outside.bottom) return;
  panel.scrollTop += top - outside.top - outside.height / 3;
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
