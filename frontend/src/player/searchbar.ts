/** The search line, with the number of hits and the way to the next and the previous. */
import { iconButton, make, setText } from "./dom.ts";

export interface SearchListener {
  search(query: string): void;
  next(): void;
  previous(): void;
  close(): void;
}

export class SearchBar {
  readonly element: HTMLFormElement;
  private readonly input = make("input", {
    type: "search",
    class: "query",
    "aria-label": "Search in this recording",
    placeholder: "words, “phrases”, /expressions/",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: "500",
  });
  private readonly count = make("span", { class: "count", role: "status" });
  private searched = "";

  constructor(listener: SearchListener) {
    this.element = make(
      "form",
      { class: "searchbar", role: "search", hidden: true },
      this.input,
      this.count,
      iconButton("up", "Previous hit", "N", () => listener.previous()),
      iconButton("down", "Next hit", "n", () => listener.next()),
      iconButton("close", "Close search", "Esc", () => listener.close()),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.input.value !== this.searched) {
        this.searched = this.input.value;
        listener.search(this.searched);
      } else listener.next();
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.shiftKey && this.input.value === this.searched) {
        event.preventDefault();
        listener.previous();
      }
    });
  }

  open(): void {
    this.element.hidden = false;
    this.input.focus();
    this.input.select();
  }

  close(): boolean {
    const wasOpen = !this.element.hidden;
    this.element.hidden = true;
    return wasOpen;
  }

  /** Show a query that was not typed here. */
  setQuery(query: string): void {
    this.searched = query;
    this.input.value = query;
    this.element.hidden = query === "";
  }

  /** "3 of 12", "no hits", or what is wrong with the query. */
  setCount(text: string, isError = false): void {
    setText(this.count, text);
    this.count.classList.toggle("is-error", isError);
    this.input.setAttribute("aria-invalid", String(isError));
  }
}
