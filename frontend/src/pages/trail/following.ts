/** Keeps what is current in view while a recording plays, until somebody scrolls away from it. */
import type { ReactiveControllerHost } from "lit";

/** A scroll so long after the last touch of wheel, key or finger is not the person's. */
const TOUCH_MS = 1000;

export class Following {
  /** Whether somebody looks elsewhere in the list. */
  isAway = false;
  #touchedAt = Number.NEGATIVE_INFINITY;
  #kept: unknown = null;

  constructor(private readonly host: ReactiveControllerHost) {}

  /** The person is at the list: to be called for wheel, touch, keys and pointers. */
  touch = (): void => {
    this.#touchedAt = performance.now();
  };

  /** The list has scrolled, by whatever cause. */
  scrolled = (event: Event): void => {
    if (performance.now() - this.#touchedAt > TOUCH_MS) return;
    const list = event.currentTarget as HTMLElement;
    const current = list.querySelector("[aria-current]");
    const isAway = current === null || !isInView(list, current);
    if (isAway === this.isAway) return;
    this.isAway = isAway;
    this.host.requestUpdate();
  };

  /** Show the current row, named by `key`, unless somebody scrolled away from the one before. */
  keep(list: HTMLElement | null, key: unknown): void {
    if (this.isAway || key === this.#kept || !list) return;
    const current = list.querySelector("[aria-current]");
    if (!current) return;
    this.#kept = key;
    bringIntoView(list, current);
  }

  /** Follow again. */
  back(): void {
    this.isAway = false;
    this.#kept = null;
    this.host.requestUpdate();
  }
}

function isInView(list: Element, inner: Element): boolean {
  const outside = list.getBoundingClientRect();
  const { top, bottom } = inner.getBoundingClientRect();
  return bottom > outside.top && top < outside.bottom;
}

/** Scroll `list`, and nothing around it, so that `inner` is seen whole. */
export function bringIntoView(list: Element, inner: Element): void {
  const outside = list.getBoundingClientRect();
  const { top, bottom } = inner.getBoundingClientRect();
  if (top >= outside.top && bottom <= outside.bottom) return;
  list.scrollTop += top - outside.top - outside.height / 3;
}

/** Scroll `list` so that `inner` stands at its top. */
export function bringToTop(list: Element, inner: Element): void {
  list.scrollTop += inner.getBoundingClientRect().top - list.getBoundingClientRect().top;
}
