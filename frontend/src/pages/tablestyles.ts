/** Tables; on a narrow screen their rows become blocks. And what cards and rows do on paper. */
import { css } from "lit";

export const tables = css`
  table {
    width: 100%;
    border-collapse: collapse;
  }
  th,
  td {
    text-align: start;
    padding: 0.55rem 0.75rem;
    border-bottom: 1px solid var(--line);
    vertical-align: baseline;
    overflow-wrap: anywhere;
  }
  th {
    font-size: 0.85rem;
    font-weight: 600;
    color: var(--muted);
    white-space: nowrap;
  }
  tbody tr:last-child td {
    border-bottom: 0;
  }
  tbody tr:hover td {
    background: var(--hover);
  }
  td.end,
  th.end {
    text-align: end;
  }
  .card.table {
    padding: 0;
    overflow: hidden;
  }
  /* On a narrow screen every row becomes a block whose cells name themselves. */
  @media (max-width: 1000px) {
    .cards thead {
      position: absolute;
      clip-path: inset(50%);
      width: 1px;
      height: 1px;
      overflow: hidden;
    }
    .cards,
    .cards tbody,
    .cards tr {
      display: block;
    }
    .cards tr {
      padding: 0.6rem 0.75rem;
      border-bottom: 1px solid var(--line);
    }
    .cards tr:last-child {
      border-bottom: 0;
    }
    .cards td,
    .cards td.end {
      display: flex;
      gap: 0.75rem;
      padding: 0.15rem 0;
      border: 0;
      text-align: start;
    }
    .cards td::before {
      content: attr(data-name);
      flex: 0 0 6.5rem;
      color: var(--muted);
      font-size: 0.85rem;
    }
    .cards tbody tr:hover td {
      background: none;
    }
    /* What is not there needs no line of its own. */
    .cards td:has(.none) {
      display: none;
    }
  }
  @media (min-width: 560px) and (max-width: 1000px) {
    .cards tr {
      display: grid;
      grid-template-columns: repeat(2, minmax(0, 1fr));
      column-gap: 1rem;
    }
  }
  @media print {
    button,
    details:not([open]),
    form {
      display: none;
    }
    .card {
      break-inside: avoid;
    }
    .card.table,
    .alerts {
      break-inside: auto;
    }
    tr,
    li {
      break-inside: avoid;
    }
  }
`;
