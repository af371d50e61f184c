/** A table of things without an order to choose; on a narrow screen its rows become blocks. */
import { html, type TemplateResult } from "lit";

export interface PlainColumn<T> {
  name: string;
  isNumber?: boolean;
  /** Columns of buttons have a name that is only read out. */
  isUnnamed?: boolean;
  cell: (item: T) => unknown;
}

/** The table with `items`; `label` is what it is called when read out. */
export function plainTable<T>(
  label: string,
  columns: readonly PlainColumn<T>[],
  items: readonly T[],
): TemplateResult {
  return html`<table class="cards" role="table" aria-label=${label}>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map(
          ({ name, isNumber, isUnnamed }) =>
            html`<th role="columnheader" scope="col" class=${isNumber ? "end" : ""}>
              <span class=${isUnnamed ? "unseen" : ""}>${name}</span>
            </th>`,
        )}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${items.map(
        (item) => html`<tr role="row">
          ${columns.map(
            ({ name, isNumber, isUnnamed, cell }) =>
              html`<td
                role="cell"
                data-name=${isUnnamed ? "" : name}
                class=${isNumber ? "end" : ""}
              >
                <span class="cell">${cell(item)}</span>
              </td>`,
          )}
        </tr>`,
      )}
    </tbody>
  </table>`;
}
