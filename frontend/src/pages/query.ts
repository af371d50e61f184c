/**
 * Reads and changes single fields (`user:avery`) in a query's text.
 *
 * The query box is the one truth about what is shown: filters write into it. Only what stands at
 * the top level, outside parentheses and NOT, is a filter's to change. The language itself is
 * described in docs/find.md and understood by the server alone.
 */

interface Token {
  start: number;
  end: number;
  depth: number;
  text: string;
}

/** A field's pattern: a name, a colon, a value that may be quoted. */
const FIELD = /^([a-z_]+):(.*)$/is;

/** A term as the server reads it: phrase, substring, regular expression, field, or word. */
const TERM =
  /-?(?:"(?:\\.|[^"\\])*"?|\*(?:\\.|[^*\\])+\*|\/(?:\\.|[^\\/])+\/i?(?=[\s()]|$)|[a-z_]+:"(?:\\.|[^"\\])*"?|[^\s()]+)/iy;

function endOfTerm(query: string, start: number): number {
  TERM.lastIndex = start;
  return TERM.test(query) ? TERM.lastIndex : start + 1;
}

function tokensOf(query: string): Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  let index = 0;
  while (index < query.length) {
    const character = query.charAt(index);
    if (/\s/.test(character)) {
      index += 1;
      continue;
    }
    if (character === ")") depth = Math.max(0, depth - 1);
    const end = /[()]/.test(character) ? index + 1 : endOfTerm(query, index);
    tokens.push({ start: index, end, depth, text: query.slice(index, end) });
    if (character === "(") depth += 1;
    index = end;
  }
  return tokens;
}

function unquote(value: string): string {
  if (!value.startsWith('"')) return value;
  return value.replace(/^"|"$/g, "").replace(/\\(["\\])/g, "$1");
}

function quote(value: string): string {
  if (value !== "" && !/[\s()"\\]/.test(value)) return value;
  return `"${value.replace(/(["\\])/g, "\\$1")}"`;
}

function isNegated(tokens: Token[], index: number): boolean {
  return tokens[index - 1]?.text === "NOT";
}

function hasTopLevelOr(tokens: Token[]): boolean {
  return tokens.some((token) => token.depth === 0 && token.text === "OR");
}

/** The indexes of the tokens that a filter on the field `name` owns. */
function ownTokens(tokens: Token[], name: string): number[] {
  if (hasTopLevelOr(tokens)) return [];
  return tokens.flatMap((token, index) => {
    const field = token.depth === 0 ? FIELD.exec(token.text) : null;
    return field?.[1]?.toLowerCase() === name && !isNegated(tokens, index) ? [index] : [];
  });
}

/** The value that `query` demands for the field `name`, null when it demands none. */
export function fieldIn(query: string, name: string): string | null {
  const tokens = tokensOf(query);
  const last = ownTokens(tokens, name).at(-1);
  const field = last === undefined ? null : FIELD.exec(tokens[last]?.text ?? "");
  return field ? unquote(field[2] ?? "") : null;
}

/** `query` with the field `name` set to `value`, or without it when `value` is null. */
export function withField(query: string, name: string, value: string | null): string {
  const tokens = tokensOf(query);
  const doomed = new Set(ownTokens(tokens, name));
  for (const index of [...doomed]) {
    if (tokens[index - 1]?.text === "AND") doomed.add(index - 1);
    else if (tokens[index + 1]?.text === "AND") doomed.add(index + 1);
  }
  let kept = query.trim();
  if (doomed.size > 0) {
    kept = "";
    let previousEnd = 0;
    tokens.forEach((token, index) => {
      if (!doomed.has(index)) kept += query.slice(previousEnd, token.end);
      previousEnd = token.end;
    });
    kept = kept.trim();
  }
  if (value === null) return kept;
  if (hasTopLevelOr(tokens)) kept = `(${kept})`;
  return `${kept} ${name}:${quote(value)}`.trim();
}
