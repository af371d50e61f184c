/** The table of recordings; on a narrow screen its rows become blocks. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { Recording } from "../api/types.ts";
import { navigate, recordingPath } from "../router.ts";
import { chainSaying, commandWords, stateSaying } from "../words.ts";
import { badge, bytes, foreign, instant, NONE, span } from "./templates.ts";

interface Column {
  name: string;
  /** Names the column to the style sheet. */
  key: string;
  /** What the server calls the order by this column; null when it offers none. */
  sort: string | null;
  isNumber?: boolean;
  cell: (recording: Recording) => unknown;
}

function who(recording: Recording): TemplateResult {
  const { user, login_user: login, command } = recording;
  return html`<a class="name" href=${recordingPath(recording.rec)}>${user ? foreign(user) : "not known yet"}</a>${
    login && login !== user
      ? html`<span class="muted"> logged in as ${foreign(login)}</span>`
      : nothing
  }${command?.length ? html`<code class="more muted">${foreign(commandWords(command))}</code>` : nothing}`;
}

function where(recording: Recording): TemplateResult {
  const { host, remote } = recording;
  return html`${host ? foreign(host) : NONE}${
    remote ? html`<span class="more muted">from ${foreign(remote)}</span>` : nothing
  }`;
}

export const COLUMNS: readonly Column[] = [
  { name: "Who", key: "who", sort: "user", cell: who },
  { name: "Where", key: "where", sort: "host", cell: where },
  {
    name: "Started",
    key: "started",
    sort: "started",
    // A recording of which no line has come yet has not told when it began.
    cell: ({ started_unix_us }) => (started_unix_us ? instant(started_unix_us) : NONE),
  },
  {
    name: "Length",
    key: "length",
    sort: "duration",
    isNumber: true,
    cell: ({ duration_us }) => span(duration_us),
  },
  { name: "State", key: "state", sort: null, cell: (recording) => badge(stateSaying(recording)) },
  {
    name: "Size",
    key: "size",
    sort: "size",
    isNumber: true,
    cell: ({ size_bytes }) => bytes(size_bytes),
  },
  { name: "Chain", key: "chain", sort: null, cell: ({ chain }) => badge(chainSaying(chain)) },
];

/** What a column's heading sorts by when it is activated: numbers and dates downwards first. */
export function nextSort(column: string, sort: string): string {
  if (sort === column) return `-${column}`;
  if (sort === `-${column}`) return column;
  return column === "user" || column === "host" ? column : `-${column}`;
}

export const tableStyles = css`
  table {
    table-layout: fixed;
  }
  .started {
    width: 11.5rem;
  }
  .length {
    width: 8rem;
  }
  .state {
    width: 9.5rem;
  }
  .size {
    width: 7rem;
  }
  .chain {
    width: 11rem;
  }
  tbody tr {
    cursor: pointer;
  }
  .name {
    font-weight: 600;
  }
  .more {
    display: block;
    font-size: 0.85rem;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  th button {
    min-height: 0;
    padding: 0.1rem 0.35rem;
    margin: -0.1rem -0.35rem;
    font-weight: 600;
    color: inherit;
    border-color: transparent;
    background: none;
  }
  th[aria-sort] button {
    color: var(--text);
  }
  @media (max-width: 1000px) {
    .cards tr {
      display: grid;
      grid-template-columns: minmax(0, 1fr) max-content;
      gap: 0.1rem 0.75rem;
      grid-template-areas: "who state" "where length" "started size" "chain chain";
    }
    .cards td,
    .cards td.end {
      display: block;
      width: auto;
    }
    .cards td::before {
      content: none;
    }
    .cards td.state,
    .cards td.length,
    .cards td.size {
      text-align: end;
    }
    .cards .who {
      grid-area: who;
    }
    .cards .where {
      grid-area: where;
    }
    .cards .started {
      grid-area: started;
    }
    .cards .length {
      grid-area: length;
    }
    .cards .state {
      grid-area: state;
    }
    .cards .size {
      grid-area: size;
    }
    .cards .chain {
      grid-area: chain;
    }
  }
`;

function heading(column: Column, sort: string, onSort: (sort: string) => void): TemplateResult {
  const { name, key: style, sort: key, isNumber } = column;
  if (key === null) return html`<th scope="col" role="columnheader" class=${style}>${name}</th>`;
  const direction = sort === key ? "ascending" : sort === `-${key}` ? "descending" : null;
  const arrow = direction === "ascending" ? "↑" : direction === "descending" ? "↓" : "";
  return html`<th
    scope="col"
    role="columnheader"
    class=${`${style}${isNumber ? " end" : ""}`}
    aria-sort=${direction ?? nothing}
  >
    <button title="Sort by this" @click=${() => onSort(nextSort(key, sort))}>
      ${name}${arrow ? html`<span aria-hidden="true">${arrow}</span>` : nothing}
    </button>
  </th>`;
}

/** A click anywhere in a row opens the recording, unless text is being selected. */
function openRow(event: MouseEvent, recording: Recording): void {
  const isOnLink = event.composedPath().some((node) => node instanceof HTMLAnchorElement);
  if (isOnLink || event.button !== 0 || getSelection()?.type === "Range") return;
  navigate(recordingPath(recording.rec));
}

/** The table with `recordings`, in the order `sort`. */
export function recordingsTable(
  recordings: readonly Recording[],
  sort: string,
  onSort: (sort: string) => void,
): TemplateResult {
  return html`<table class="cards" role="table" aria-label="Recordings">
    <thead role="rowgroup">
      <tr role="row">
        ${COLUMNS.map((column) => heading(column, sort, onSort))}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${recordings.map(
        (recording) => html`<tr
          role="row"
          data-rec=${recording.rec}
          @click=${(event: MouseEvent) => openRow(event, recording)}
        >
          ${COLUMNS.map(
            (column) => html`<td
              role="cell"
                            class=${`${column.key}${column.isNumber ? " end" : ""}`}
            >
              <span class="cell">${column.cell(recording)}</span>
            </td>`,
          )}
        </tr>`,
      )}
    </tbody>
  </table>`;
}
