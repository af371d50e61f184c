/** All that is known about a recording, in plain words. */
import { css, html, nothing } from "lit";
import type { RecordingDetail } from "../api/types.ts";
import { count, counted, exactDuration, exactSize, utcInstant } from "../format.ts";
import {
  commandWords,
  keptWords,
  serviceWords,
  signalName,
  stateSaying,
  windowWords,
} from "../words.ts";
import { bytes, foreign, instant, span } from "./templates.ts";

export type Fact = [name: string, value: unknown];

export const factStyles = css`
  .cards-grid {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
    gap: 1rem;
  }
  dl {
    display: grid;
    grid-template-columns: minmax(7rem, 38%) minmax(0, 1fr);
    gap: 0.3rem 1rem;
    margin: 0.75rem 0 0;
  }
  dt {
    color: var(--muted);
  }
  dd {
    margin: 0;
    overflow-wrap: anywhere;
  }
  dd .long {
    display: block;
    max-height: 12rem;
    overflow-y: auto;
  }
  dd .exact {
    display: block;
    font-size: 0.85rem;
    color: var(--muted);
  }
`;

/** Longer ones scroll, so that the other facts stay in view. */
const LONG_COMMAND = 500;

const UNKNOWN = html`<span class="muted">not known</span>`;

function named(value: string | null | undefined) {
  return value ? foreign(value) : UNKNOWN;
}

function exactly(human: unknown, exact: string) {
  return html`${human}<span class="exact">${exact}</span>`;
}

function amount(count: number) {
  return count < 1000 ? exactSize(count) : exactly(bytes(count), exactSize(count));
}

function who(recording: RecordingDetail): Fact[] {
  const { user, uid, login_user, host, sender, remote, service, terminal } = recording;
  const id = uid === null || uid === undefined ? "" : ` (uid ${uid})`;
  const delivered =
    sender === host
      ? html`the host itself, authenticated`
      : sender
        ? html`${foreign(sender)}, authenticated: not the name in the recording`
        : html`nobody: imported, or brought in by hand`;
  return [
    ["Account", html`${foreign(user)}${id}`],
    ["Logged in as", named(login_user)],
    ["Host", foreign(host)],
    ["Delivered by", delivered],
    [
      "Came from",
      remote ? foreign(remote) : html`<span class="muted">this host, or not known</span>`,
    ],
    ["Came in through", service ? foreign(serviceWords(service)) : UNKNOWN],
    ["Terminal", terminal ? html`<code>${foreign(terminal)}</code>` : "none (pipes)"],
  ];
}

function end(recording: RecordingDetail): unknown {
  const { end: facts } = recording;
  const saying = stateSaying(recording);
  if (!facts) return saying.more;
  const status =
    facts.reason === "signal" && facts.signal
      ? ` (signal ${facts.signal}, ${signalName(facts.signal)})`
      : "";
  return saying.more + status;
}

function program(words: string): unknown {
  if (words.length <= LONG_COMMAND) return html`<code>${foreign(words)}</code>`;
  return html`<code class="long" tabindex="0" role="group" aria-label="Program and arguments"
    >${foreign(words)}</code
  >`;
}

function what(recording: RecordingDetail): Fact[] {
  const { started_unix_us, duration_us, command, columns, rows, term, records, labels } = recording;
  return [
    ["Started", exactly(instant(started_unix_us), utcInstant(started_unix_us))],
    ["Length", exactly(span(duration_us), exactDuration(duration_us))],
    ["End", end(recording)],
    ["Program", command?.length ? program(commandWords(command)) : UNKNOWN],
    ["Window at the start", windowWords(columns, rows)],
    ["Terminal type", term ? html`<code>${foreign(term)}</code>` : "none"],
    ["Kept", keptWords(records ?? [])],
    ["Rule", recording.policy ? foreign(recording.policy) : html`<span class="muted">none</span>`],
    [
      "Labels",
      labels?.length
        ? labels.map((label) => html`<span class="tag">${foreign(label)}</span> `)
        : html`<span class="muted">none</span>`,
    ],
  ];
}

function amounts(recording: RecordingDetail): Fact[] {
  const { rec, size_bytes, messages, number, boot_id, audit_session } = recording;
  const output = recording.output_bytes ?? 0;
  const input = recording.input_bytes ?? 0;
  return [
    ["Recording", html`<code>${foreign(rec)}</code>`],
    [
      "Stored",
      exactly(bytes(size_bytes), `${exactSize(size_bytes)} in ${counted(messages, "message")}`),
    ],
    ["To the screen", amount(output)],
    ["From the keyboard", amount(input)],
    ["Screen text", counted(recording.lines_count, "line")],
    ["Commands on the screen", count(recording.commands_count)],
    ["Number on this host", number ? count(number) : UNKNOWN],
    ["Audit session", audit_session ?? html`<span class="muted">none</span>`],
    ["Boot", boot_id ? html`<code>${foreign(boot_id)}</code>` : UNKNOWN],
  ];
}

/** A card with what is known of something. */
export function factCard(title: string, facts: Fact[]) {
  return html`<section class="card">
    <h2>${title}</h2>
    <dl>
      ${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value ?? nothing}</dd>`)}
    </dl>
  </section>`;
}

/** The facts as three cards. */
export function factCards(recording: RecordingDetail) {
  return html`${factCard("Who and where", who(recording))} ${factCard("What", what(recording))}
  ${factCard("How much", amounts(recording))}`;
}
