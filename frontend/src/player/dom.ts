/** Builds elements. Text goes in as text nodes only: nothing of a recording is ever parsed as HTML. */

type Attributes = Record<string, string | boolean | null>;
type Child = Node | string | null;

/** Make an element; `true` sets an attribute without value, `false` and null leave it out. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children.filter((child) => child !== null));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function makeSvg(
  viewBox: string,
  attributes: Attributes,
  ...paths: string[]
): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  setAttributes(svg, { viewBox, "aria-hidden": "true", ...attributes });
  for (const d of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
}

/** Change a text only when it differs: no layout, no announcement for nothing. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const ICONS = {
  play: "M7 4v16l13-8z",
  pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  step: "M5 4v16l10-8zM17 4h3v16h-3z",
  stepBack: "M19 4v16L9 12zM4 4h3v16H4z",
  search:
    "M10 3a7 7 0 1 0 4.2 12.6l5.1 5.1 1.4-1.4-5.1-5.1A7 7 0 0 0 10 3zm0 2a5 5 0 1 1 0 10 5 5 0 0 1 0-10z",
  copy: "M8 3h11v14h-2V5H8zM5 7h10v14H5zm2 2v10h6V9z",
  link: "M9 7H7a5 5 0 0 0 0 10h2v-2H7a3 3 0 0 1 0-6h2zM8 11h8v2H8zM15 7h2a5 5 0 0 1 0 10h-2v-2h2a3 3 0 0 0 0-6h-2z",
  download: "M11 3h2v9h4l-5 5-5-5h4zM4 19h16v2H4z",
  zoom: "M3 3h8v2H6.4l4.3 4.3-1.4 1.4L5 6.4V11H3zM21 21h-8v-2h4.6l-4.3-4.3 1.4-1.4 4.3 4.3V13h2z",
  full: "M3 3h7v2H5v5H3zM14 3h7v7h-2V5h-5zM3 14h2v5h5v2H3zM19 14h2v7h-7v-2h5z",
  help: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 2a8 8 0 1 1 0 16 8 8 0 0 1 0-16zm-1 12h2v2h-2zm1-10a3.6 3.6 0 0 0-3.6 3.6h2a1.6 1.6 0 1 1 2.6 1.25c-1 .8-2 1.5-2 3.15h2c0-1 .6-1.3 1.3-1.9A3.6 3.6 0 0 0 12 6z",
  list: "M4 5h2v2H4zM8 5h12v2H8zM4 11h2v2H4zM8 11h12v2H8zM4 17h2v2H4zM8 17h12v2H8z",
  up: "M12 7l8 8-1.4 1.4L12 9.8l-6.6 6.6L4 15z",
  down: "M12 17l8-8-1.4-1.4L12 14.2 5.4 7.6 4 9z",
  close:
    "M5 6.4L6.4 5 12 10.6 17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4-5.6-5.6L6.4 19 5 17.6 10.6 12z",
} as const;

export type IconName = keyof typeof ICONS;

export function icon(name: IconName): SVGSVGElement {
  return makeSvg("0 0 24 24", { class: "icon" }, ICONS[name]);
}

/** A button with an icon, its name for screen readers and the mouse, and its key. */
export function iconButton(
  name: IconName,
  label: string,
  key: string | null,
  onClick: () => void,
): HTMLButtonElement {
  const button = make(
    "button",
    {
      type: "button",
      class: "button",
      "aria-label": label,
      "aria-keyshortcuts": key,
      title: key ? `${label} (${key})` : label,
    },
    icon(name),
  );
  button.addEventListener("click", onClick);
  return button;
}
