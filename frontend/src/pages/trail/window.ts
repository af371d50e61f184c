/**
 * The part of a trail that is loaded: events in order, and how to get at what lies before and behind.
 * A trail may have a hundred thousand events; so many rows are never made.
 */
import type { EventsQuery } from "../api/client.ts";
import type { Page, RecordedEvent } from "../api/types.ts";

export const PAGE = 200;
/** When more are loaded, those at the other end are let go. */
export const MAX_LOADED = 1200;

/** How the events beyond one end are asked for; null: there are none. */
export type Beyond = Pick<EventsQuery, "from_us" | "to_us" | "sort" | "cursor"> | null;

export interface TrailWindow {
  items: readonly RecordedEvent[];
  earlier: Beyond;
  later: Beyond;
}

export const NOTHING: TrailWindow = { items: [], earlier: null, later: null };

/** Ask for what comes after an instant; what stands at it comes again and is left out. */
function after(atUs: number): Beyond {
  return { from_us: atUs, sort: "at", cursor: null };
}

function before(atUs: number): Beyond {
  return { to_us: atUs + 1, sort: "-at", cursor: null };
}

/** How to begin: at the first event, or around an instant. */
export function beginning(atUs: number | null): TrailWindow {
  if (atUs === null) return { items: [], earlier: null, later: { sort: "at", cursor: null } };
  return { items: [], earlier: before(atUs), later: after(atUs + 1) };
}

/** What names an event in its recording, also where a host was started anew in between. */
function keyOf({ event }: RecordedEvent): string {
  return `${event.serial} ${event.at_unix_us}`;
}

/** Take a page of what lies beyond one end, asked for as `asked`. */
export function joined(
  window: TrailWindow,
  end: "earlier" | "later",
  asked: Beyond,
  page: Page<RecordedEvent>,
): TrailWindow {
  const known = new Set(window.items.map(keyOf));
  const fresh = page.items.filter((item) => !known.has(keyOf(item)));
  const beyond = page.cursor && asked ? { ...asked, cursor: page.cursor } : null;
  if (end === "earlier") {
    const items = [...fresh.reverse(), ...window.items];
    if (items.length <= MAX_LOADED) return { ...window, items, earlier: beyond };
    const kept = items.slice(0, MAX_LOADED);
    return { items: kept, earlier: beyond, later: after(kept.at(-1)?.at_us ?? 0) };
  }
  const items = [...window.items, ...fresh];
  if (items.length <= MAX_LOADED) return { ...window, items, later: beyond };
  const kept = items.slice(-MAX_LOADED);
  return { items: kept, earlier: before(kept[0]?.at_us ?? 0), later: beyond };
}

/** Ask again for what may have come since: a live recording's trail grows. */
export function reopened(window: TrailWindow): TrailWindow {
  const last = window.items.at(-1);
  return window.later ? window : { ...window, later: last ? after(last.at_us) : { sort: "at" } };
}

/** The event that an instant stands at: the last one not after it; -1 before the first. */
export function eventAt(items: readonly RecordedEvent[], atUs: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((items[middle]?.at_us ?? 0) <= atUs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Where an instant lies: among the loaded events, or beyond an end that has more. */
export function placeOf(window: TrailWindow, atUs: number): "here" | "earlier" | "later" {
  const { items, earlier, later } = window;
  if (earlier && atUs < (items[0]?.at_us ?? Number.POSITIVE_INFINITY)) return "earlier";
  if (later && atUs > (items.at(-1)?.at_us ?? Number.NEGATIVE_INFINITY)) return "later";
  return "here";
}
