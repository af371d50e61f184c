/**
 * Makes hostile text safe to look at. Lit's text bindings keep it from becoming markup; this keeps it from
 * hiding or re-ordering what stands beside it.
 */

/** Control characters, and what changes direction or shows as nothing. */
const INVISIBLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** `text` with one visible stand-in for every character that would not show. */
export function shown(text: string): string {
  return text.replace(INVISIBLE, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "\u2421" : "\ufffd";
  });
}

/** The same, cut where it is longer than `limit` characters. */
export function shownShort(text: string, limit: number): string {
  return shown(text.length > limit ? `${text.slice(0, limit)}…` : text);
}

export interface Stretch {
  text: string;
  isHit: boolean;
}

/**
 * Cut `text` into stretches, hits and what lies between; shown safely.
 *
 * `highlights` count characters as the server does: code points. At most `limit` of them are returned,
 * beginning shortly before the first hit; "…" stands for what was left out.
 */
export function stretches(
  text: string,
  highlights: readonly (readonly [number, number])[],
  limit = 400,
): Stretch[] {
  const characters = Array.from(text);
  const firstHit = highlights[0]?.[0] ?? 0;
  const fits = characters.length <= limit;
  const from = fits ? 0 : Math.max(0, Math.min(firstHit - 60, characters.length - limit));
  const to = fits ? characters.length : Math.min(characters.length, from + limit);
  const result: Stretch[] = [];
  const add = (start: number, end: number, isHit: boolean): void => {
    const piece = characters.slice(Math.max(from, start), Math.min(to, end)).join("");
    if (piece) result.push({ text: shown(piece), isHit });
  };
  let at = 0;
  for (const [start, end] of highlights) {
    add(at, Math.max(at, start), false);
    add(Math.max(at, start), end, true);
    at = Math.max(at, end);
  }
  add(at, characters.length, false);
  if (from > 0) result.unshift({ text: "…", isHit: false });
  if (to < characters.length) result.push({ text: "…", isHit: false });
  return result;
}
