/** Finding text in lines. */
import type { SearchHit } from "./source.ts";

/** Where `query` stands in `text`, as [start, end]; case does not matter unless the query has some. */
export function findAll(text: string, query: string): [number, number][] {
  const isExact = query !== query.toLowerCase();
  const haystack = isExact ? text : text.toLowerCase();
  const found: [number, number][] = [];
  if (query === "") return found;
  let at = haystack.indexOf(query);
  while (at >= 0) {
    found.push([at, at + query.length]);
    at = haystack.indexOf(query, at + query.length);
  }
  return found;
}

/** The words that hits were found by, to be marked on the screen: at most `limit` different ones. */
export function termsOf(hits: readonly SearchHit[], limit = 20): string[] {
  const terms = new Set<string>();
  for (const hit of hits) {
    const characters = [...hit.text];
    for (const [start, end] of hit.highlights) {
      const term = characters.slice(start, end).join("");
      if (term.trim() !== "") terms.add(term.toLowerCase());
      if (terms.size >= limit) return [...terms];
    }
  }
  return [...terms];
}
