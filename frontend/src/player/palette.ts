/** Colours of cells as CSS values. The first sixteen are the theme's, the rest are xterm's. */
import { Colour, Flag, type Style } from "./cells.ts";

const LEVELS = [0, 95, 135, 175, 215, 255];

/** A palette number or RGB value as CSS; null for the terminal's default. */
export function cssColour(colour: number): string | null {
  if (colour === Colour.none) return null;
  if (colour & Colour.rgb) return `#${(colour & 0xffffff).toString(16).padStart(6, "0")}`;
  if (colour < 16) return `var(--steno-color-${colour})`;
  if (colour >= 232) {
    const grey = 8 + (colour - 232) * 10;
    return `rgb(${grey},${grey},${grey})`;
  }
  const cube = colour - 16;
  const level = (value: number): number => LEVELS[value % 6] ?? 0;
  return `rgb(${level(Math.floor(cube / 36))},${level(Math.floor(cube / 6))},${level(cube)})`;
}

export interface CellColours {
  /** null: as the screen's own. */
  text: string | null;
  background: string | null;
}

/** What a run is drawn with: inverse, dim and the cursor resolved. */
export function coloursOf(style: Style): CellColours {
  const plain = { text: cssColour(style.fg), background: cssColour(style.bg) };
  let { text, background } = plain;
  if (style.flags & Flag.inverse) {
    text = plain.background ?? "var(--steno-background)";
    background = plain.text ?? "var(--steno-foreground)";
  }
  if (style.flags & Flag.cursor) {
    text = "var(--steno-background)";
    background = "var(--steno-cursor)";
  }
  if (style.flags & Flag.dim) {
    const under = background ?? "var(--steno-background)";
    text = `color-mix(in srgb, ${text ?? "var(--steno-foreground)"} 60%, ${under})`;
  }
  return { text, background };
}
