/** The commands of a recording as a tree; the one that the player stands in is marked. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import type { Command, Commands as CommandsAnswer } from "../api/types.ts";
import { clock, count } from "../format.ts";
import { PageElement } from "../parts/page.ts";
import { emptyState } from "../parts/templates.ts";
import { recordingPath } from "../router.ts";
import { shown, shownShort } from "../text.ts";
import { Following } from "./following.ts";
import { listStyles } from "./styles.ts";
import {
  CHILDREN_SHOWN,
  isLoginShell,
  isOpen,
  type Node,
  type Row,
  rowAt,
  rowsOf,
  steadyWindow,
  treeOf,
  windowAround,
} from "./tree.ts";
import { type Remark, remarksOn } from "./words.ts";

/** So many rows are drawn, whatever the length of the list. */
const ROWS_DRAWN = 400;
/** Deeper ones are not indented any further. */
const MAX_DEPTH = 8;
/** Longer commands are cut; pointing at one shows more, their event all. */
const MAX_TEXT = 200;
const MAX_TITLE = 2000;

@customElement("steno-commands")
export class Commands extends PageElement {
  static override styles = [
    PageElement.styles,
    listStyles,
    css`
      .fold {
        display: inline-block;
        width: 1.1em;
        margin-inline-start: -0.25em;
        color: var(--muted);
        text-align: center;
      }
      [aria-expanded="true"] .fold {
        rotate: 90deg;
      }
      .shell .what,
      .script .what,
      .other .what {
        color: var(--muted);
      }
      .pipe {
        color: var(--accent);
        font-weight: 700;
      }
      .more {
        margin: 0.15rem 0.75rem;
        font-size: 0.85rem;
      }
      .chosen {
        outline: 2px solid var(--accent);
        outline-offset: -2px;
      }
    `,
  ];

  @property() rec = "";
  @property({ attribute: false }) commands: CommandsAnswer | null = null;
  @property({ type: Number }) atUs = 0;
  /** The command's number whose trail is shown. */
  @property({ attribute: false }) chosen: number | null = null;
  @state() private toggled: ReadonlyMap<number, boolean> = new Map();
  @state() private shownChildren: ReadonlyMap<number, number> = new Map();
  @state() private focused: number | null = null;
  @query(".list") private list!: HTMLElement | null;
  #roots: Node[] = [];
  #rows: Row[] = [];
  /** Which rows are drawn. */
  #drawn: [number, number] = [0, 0];
  #following = new Following(this);

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("rec")) {
      this.toggled = new Map();
      this.shownChildren = new Map();
      this.#drawn = [0, 0];
      this.#following.back();
    }
    if (changed.has("commands")) this.#roots = treeOf(this.commands?.items ?? []);
    this.#rows = rowsOf(this.#roots, { toggled: this.toggled, shown: this.shownChildren });
  }

  protected override updated(): void {
    this.#following.keep(this.list, rowAt(this.#rows, this.atUs));
  }

  override render() {
    const { commands } = this;
    if (!commands) return html`<p class="foot muted">Loading…</p>`;
    const rows = this.#rows;
    const current = rowAt(rows, this.atUs);
    const [from, to] = this.#window(current);
    return html`${commands.items.length === 0 ? this.#empty(commands) : nothing}
      <div
        class="list"
        role="tree"
        aria-label="Commands"
        @wheel=${this.#following.touch}
        @touchmove=${this.#following.touch}
        @pointerdown=${this.#following.touch}
        @keydown=${this.#onKey}
        @scroll=${this.#following.scrolled}
      >
        ${from > 0 ? this.#moreRows("earlier", from) : nothing}
        ${rows.slice(from, to).map((row, index) => this.#row(row, from + index, current))}
        ${to < rows.length ? this.#moreRows("later", rows.length - to) : nothing}
      </div>
      ${this.#foot(commands)}`;
  }

  /** Rows move under nobody's eyes: neither of who scrolled away, nor with every command. */
  #window(current: number): [number, number] {
    const { length } = this.#rows;
    const [from, to] = this.#drawn;
    const stays = this.#following.isAway && to > from && to <= length;
    if (!stays) this.#drawn = steadyWindow(this.#drawn, Math.max(0, current), length, ROWS_DRAWN);
    return this.#drawn;
  }

  #empty({ source }: CommandsAnswer) {
    return source === "audit"
      ? emptyState("No commands", "The audit trail knows of no program that was run.")
      : emptyState(
          "No commands recognised",
          "They are read from the screen's prompt lines; programs without a prompt show none.",
        );
  }

  #foot({ source, lost, is_cut }: CommandsAnswer) {
    if (this.#following.isAway) {
      return html`<button class="back" @click=${() => this.#following.back()}>
        Follow the player again
      </button>`;
    }
    if (is_cut) {
      return html`<p class="foot warn">There are too many events: later ones are left out here.</p>`;
    }
    if (lost > 0) {
      return html`<p class="foot warn">${count(lost)} audit events are missing in between.</p>`;
    }
    return source === "screen" ? html`<slot name="no-audit"></slot>` : nothing;
  }

  #moreRows(which: "earlier" | "later", hidden: number) {
    const show = (): void => {
      const [from, to] = this.#drawn;
      this.#drawn = windowAround(which === "earlier" ? from : to, this.#rows.length, ROWS_DRAWN);
      this.#following.isAway = true;
      this.requestUpdate();
    };
    return html`<button class="more" role="treeitem" tabindex="-1" @click=${show}>
      ${count(hidden)} ${which} rows
    </button>`;
  }

  #row(row: Row, index: number, current: number) {
    const { node } = row;
    const { command } = node;
    const depth = `depth-${Math.min(MAX_DEPTH, node.depth)}`;
    if (row.hidden > 0) {
      return html`<button
        class="more ${depth}"
        role="treeitem"
        aria-level=${node.depth + 2}
        tabindex="-1"
        @click=${() => this.#showChildren(node)}
      >
        ${count(row.hidden)} more
      </button>`;
    }
    const canOpen = node.children.length > 0 && !isLoginShell(node);
    const isTabStop =
      this.focused === null ? index === Math.max(0, current) : command.number === this.focused;
    const chosen = command.number === this.chosen;
    return html`<a
      role="treeitem"
      class="${depth} ${command.kind} ${command.origin} ${chosen ? "chosen" : ""}"
      href=${recordingPath(this.rec, Math.max(0, command.at_us))}
      title=${command.text.length > MAX_TEXT ? shownShort(command.text, MAX_TITLE) : nothing}
      data-number=${command.number}
      aria-level=${node.depth + 1}
      aria-expanded=${canOpen ? String(isOpen(node, this.#openness)) : nothing}
      aria-current=${index === current ? "true" : nothing}
      aria-selected=${String(chosen)}
      tabindex=${isTabStop ? 0 : -1}
      @click=${() => this.#choose(command)}
      @focus=${() => {
        this.focused = command.number;
      }}
    >
      <span class="at">${clock(command.at_us)}</span>
      <span class="what"
        >${
          canOpen
            ? html`<span class="fold" aria-hidden="true" @click=${(event: Event) =>
                this.#fold(event, node)}>▸</span>`
            : nothing
        }${this.#pipe(index)}${shownShort(command.text, MAX_TEXT)}<span class="remarks"
          >${remarksOn(command).map(remark)}${
            canOpen && !isOpen(node, this.#openness)
              ? html` <span class="muted">${count(node.below)} below</span>`
              : nothing
          }</span
        ></span
      >
    </a>`;
  }

  /** A bar before what takes its input from the program in the row above. */
  #pipe(index: number) {
    const { pipeline, parent } = this.#rows[index]?.node.command ?? {};
    const before = this.#rows
      .slice(Math.max(0, index - 50), index)
      .some(({ node: { command } }) => command.pipeline === pipeline && command.parent === parent);
    const isPiped = pipeline !== null && pipeline !== undefined && before;
    return isPiped
      ? html`<span class="pipe" title="takes the output of the one before">| </span>`
      : "";
  }

  get #openness() {
    return { toggled: this.toggled, shown: this.shownChildren };
  }

  #toggle(node: Node, open: boolean): void {
    this.toggled = new Map(this.toggled).set(node.command.number, open);
  }

  #fold(event: Event, node: Node): void {
    event.preventDefault();
    event.stopPropagation();
    this.#toggle(node, !isOpen(node, this.#openness));
  }

  #showChildren(node: Node): void {
    const { number } = node.command;
    const shownNow = this.shownChildren.get(number) ?? CHILDREN_SHOWN;
    this.shownChildren = new Map(this.shownChildren).set(number, shownNow + 4 * CHILDREN_SHOWN);
  }

  #choose(command: Command): void {
    if (command.source !== "audit") return;
    this.dispatchEvent(new CustomEvent<number>("steno-choose", { detail: command.number }));
  }

  /** The arrow keys as trees have them: up and down, open and close, first and last. */
  #onKey(event: KeyboardEvent): void {
    this.#following.touch();
    const items = [...(this.list?.querySelectorAll<HTMLElement>('[role="treeitem"]') ?? [])];
    const at = items.indexOf(event.target as HTMLElement);
    if (at < 0) return;
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
    const next = steps[event.key as keyof typeof steps];
    const number = Number(items[at]?.dataset.number);
    const node = this.#rows.find((row) => row.node.command.number === number)?.node;
    if (next !== undefined) items[next]?.focus();
    else if (node && event.key === "ArrowRight" && node.children.length > 0)
      this.#toggle(node, true);
    else if (node && event.key === "ArrowLeft") this.#closeOrLeave(node, items);
    else return;
    event.preventDefault();
  }

  #closeOrLeave(node: Node, items: HTMLElement[]): void {
    if (isOpen(node, this.#openness) && !isLoginShell(node)) this.#toggle(node, false);
    else items.find((item) => item.dataset.number === String(node.command.parent))?.focus();
  }
}

function remark({ text, tone, more }: Remark) {
  return html` <span class="remark ${tone}" title=${more}>${shown(text)}</span>`;
}
