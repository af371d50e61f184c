/** Light or dark: what the system wants, unless the person chose; the choice stays in this browser. */

export type Theme = "system" | "light" | "dark";

const KEY = "steno-theme";
const ORDER: readonly Theme[] = ["system", "light", "dark"];

/** The chosen theme. A browser that keeps nothing has none. */
export function chosenTheme(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system";
  }
}

/** Show the pages in `theme`. */
export function applyTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** Show the pages in `theme`, now and next time. */
export function chooseTheme(theme: Theme): void {
  applyTheme(theme);
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Without storage the choice lasts until the page is left.
  }
}

/** The theme after `theme` in the switch's order. */
export function nextTheme(theme: Theme): Theme {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length] ?? "system";
}
