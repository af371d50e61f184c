/** Filters for the list: each writes its field into the query's text. */
import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { fieldIn, withField } from "../query.ts";
import { sharedStyles } from "../styles.ts";

interface Filter {
  field: string;
  label: string;
  kind: "text" | "date" | "choice";
  choices?: [value: string, label: string][];
}

const FILTERS: Filter[] = [
  { field: "user", label: "User", kind: "text" },
  { field: "host", label: "Host", kind: "text" },
  {
    field: "service",
    label: "Through",
    kind: "choice",
    choices: ["sshd", "su", "sudo", "login", "cron", "rec"].map((name) => [name, name]),
  },
  { field: "after", label: "From day", kind: "date" },
  { field: "before", label: "Before day", kind: "date" },
  {
    field: "longer",
    label: "Longer than",
    kind: "choice",
    choices: [
      ["1m", "1 minute"],
      ["10m", "10 minutes"],
      ["1h", "1 hour"],
      ["8h", "8 hours"],
    ],
  },
  {
    field: "is",
    label: "State",
    kind: "choice",
    choices: [
      ["live", "live"],
      ["ended", "ended"],
      ["cut", "cut off, without an end"],
      ["complete", "whole, chain verified"],
      ["broken", "chain broken"],
      ["unchained", "no chain"],
      ["damaged", "damaged"],
      ["gaps", "messages missing"],
    ],
  },
];

@customElement("steno-filters")
export class Filters extends LitElement {
  static override styles = [
    sharedStyles,
    css`
      .grid {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr));
        gap: 0.75rem;
      }
      summary {
        cursor: pointer;
        color: var(--muted);
        width: fit-content;
      }
      .grid {
        margin-top: 0.5rem;
      }
    `,
  ];

  /** The query's text, which holds the filters' values. */
  @property() query = "";
  /** Known hosts, offered while typing. */
  @property({ attribute: false }) hosts: string[] = [];

  #startsOpen = matchMedia("(min-width: 761px)").matches;

  override render() {
    const values = FILTERS.map((filter) => fieldIn(this.query, filter.field) ?? "");
    const active = values.filter((value) => value !== "").length;
    return html`<details ?open=${this.#startsOpen || active > 0}>
      <summary>Filters${active > 0 ? ` (${active} set)` : ""}</summary>
      <div class="grid">
        ${FILTERS.map(
          (filter, index) => html`<div class="field">
            <label for=${filter.field}>${filter.label}</label>
            ${this.#control(filter, values[index] ?? "")}
          </div>`,
        )}
      </div>
      <datalist id="hosts">${this.hosts.map((host) => html`<option value=${host}></option>`)}</datalist>
    </details>`;
  }

  #control(filter: Filter, value: string) {
    const onChange = (event: Event): void => {
      const { value: entered } = event.target as HTMLInputElement | HTMLSelectElement;
      this.#set(filter.field, entered.trim());
    };
    if (filter.kind !== "choice") {
      // A calendar can't show "yesterday", which the query may say.
      const isDay = filter.kind === "date" && /^(\d{4}-\d\d-\d\d)?$/.test(value);
      return html`<input
        id=${filter.field}
        type=${isDay ? "date" : "text"}
        title=${filter.kind === "date" ? "Days begin by your clock" : nothing}
        list=${filter.field === "host" ? "hosts" : nothing}
        autocomplete="off"
        autocapitalize="off"
        spellcheck="false"
        .value=${value}
        @change=${onChange}
      />`;
    }
    const choices = filter.choices ?? [];
    const isListed = value === "" || choices.some(([known]) => known === value);
    return html`<select id=${filter.field} @change=${onChange}>
      <option value="" ?selected=${value === ""}>any</option>
      ${isListed ? "" : html`<option value=${value} selected>${value}</option>`}
      ${choices.map(
        ([known, label]) =>
          html`<option value=${known} ?selected=${known === value}>${label}</option>`,
      )}
    </select>`;
  }

  #set(field: string, value: string): void {
    const changed = withField(this.query, field, value === "" ? null : value);
    this.dispatchEvent(new CustomEvent<string>("steno-query", { detail: changed }));
  }
}
