/** One event in full: who, what, how, and the kernel's records underneath. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { AuditEvent, AuditRecord, EventDetail, RecordedEvent, Thing } from "../api/types.ts";
import { exactDuration, localInstantWithOffset, utcInstant } from "../format.ts";
import { PageElement } from "../parts/page.ts";
import { problemBox } from "../parts/templates.ts";
import { shown } from "../text.ts";
import { commandWords } from "../words.ts";

type Fact = [name: string, value: string | number | null | undefined];

@customElement("steno-event")
export class EventPart extends PageElement {
  static override styles = [
    PageElement.styles,
    css`
      :host {
        padding: 0.5rem 0.75rem 0.75rem;
        border-block: 1px solid var(--line);
        background: var(--bg);
        font-size: 0.85rem;
      }
      dl {
        display: grid;
        grid-template-columns: fit-content(9rem) minmax(0, 1fr);
        gap: 0.15rem 0.75rem;
        margin: 0;
      }
      dt {
        color: var(--muted);
        overflow-wrap: anywhere;
      }
      dd {
        margin: 0;
        overflow-wrap: anywhere;
      }
      .small {
        min-height: 1.7rem;
        margin-top: 0.4rem;
        padding: 0 0.6rem;
        font-size: 0.85rem;
      }
      details {
        margin-top: 0.5rem;
      }
      summary {
        cursor: pointer;
        color: var(--accent);
      }
      h3 {
        margin: 0.75rem 0 0.25rem;
        font-size: 0.8rem;
        font-family: var(--mono);
      }
      .field {
        font-family: var(--mono);
        font-size: 0.8rem;
      }
    `,
  ];

  @property() rec = "";
  /** The audit trail, for an event outside of recordings; then there is no `rec`. */
  @property() trail = "";
  @property({ attribute: false }) item!: Pick<RecordedEvent, "event" | "command"> & {
    at_us: number | null;
  };
  /** Whether the trail around it is of more than its command. */
  @property({ type: Boolean }) hasOthers = false;
  @state() private whole: Pick<EventDetail, "event" | "trail"> | null = null;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("item")) return;
    const before = changed.get("item") as RecordedEvent | undefined;
    if (before?.event.serial === this.item.event.serial) return;
    this.whole = null;
    void this.load(async (signal) => {
      const { api } = this.context;
      const { serial } = this.item.event;
      this.whole = await (this.trail
        ? api.foundEvent(this.trail, serial, signal)
        : api.event(this.rec, serial, signal));
    });
  }

  #command() {
    const { command } = this.item;
    if (command === null || !this.hasOthers) return nothing;
    const choose = (): void => {
      const options = { detail: command, bubbles: true, composed: true };
      this.dispatchEvent(new CustomEvent<number>("steno-choose", options));
    };
    return html`<p><button class="small" @click=${choose}>Trail of its command</button></p>`;
  }

  override render() {
    const event = this.whole?.event ?? this.item.event;
    const records = this.whole?.event.records;
    return html`<dl>
        ${[...factsOf(event, this.item.at_us), proofOf(this.whole)]
          .filter(([, value]) => value !== null && value !== undefined && value !== "")
          .map(
            ([name, value]) => html`<dt>${shown(name)}</dt>
            <dd>${shown(String(value))}</dd>`,
          )}
      </dl>
      ${this.#command()} ${problemBox(this.problem)}
      ${
        records
          ? html`<details>
              <summary>The kernel's records (${records.length})</summary>
              ${records.map(recordOf)}
            </details>`
          : this.problem
            ? nothing
            : html`<p class="muted">Loading the records…</p>`
      }`;
  }
}

function factsOf(event: AuditEvent, atUs: number | null): Fact[] {
  const { process = {}, who = {} } = event;
  const place = atUs === null ? "" : ` (${exactDuration(atUs)} in)`;
  return [
    ["When", `${localInstantWithOffset(event.at_unix_us)}${place}`],
    ["In UTC", utcInstant(event.at_unix_us)],
    ["Result", resultWords(event)],
    ["Who", whoWords(who)],
    ...(event.objects ?? []).map((thing): Fact => [objectWords(thing), thingWords(thing)]),
    ["Typed", event.typed],
    ["By program", event.action === "ran" ? null : process.program],
    ["Arguments", process.arguments ? commandWords(process.arguments) : process.title],
    ["Directory", process.directory],
    ["Process", processWords(process)],
    ["Terminal", process.terminal],
    ["System call", event.syscall],
    ["Rules' keys", event.keys?.join(", ")],
    ["Number", event.serial],
  ];
}

/** How anybody can check that the event stands in its trail as the host wrote it. */
function proofOf(whole: Pick<EventDetail, "trail"> | null): Fact {
  return ["Prove it", whole ? `steno verify ${whole.trail}` : null];
}

function resultWords({ result, error, exit }: AuditEvent): string {
  const told = { success: "it worked", failure: "it failed", unknown: "not known" };
  const returned = exit === null || exit === undefined ? "" : `, returned ${exit}`;
  return `${told[result ?? "unknown"]}${error ? `: ${error}` : ""}${returned}`;
}

function whoWords(who: NonNullable<AuditEvent["who"]>): string {
  const name = (user: unknown, uid: unknown): string =>
    user === undefined || user === null ? (uid === undefined ? "" : `uid ${uid}`) : String(user);
  const login = name(who.login_user, who.login_uid);
  const user = name(who.user, who.uid);
  const effective = name(who.effective_user, who.effective_uid);
  const parts = [user, effective ? `with the rights of ${effective}` : ""];
  if (login && login !== user) parts.push(`logged in as ${login}`);
  return parts.filter((part) => part !== "").join(", ");
}

function objectWords({ role, kind }: Thing): string {
  const words = role || kind;
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function thingWords({ name, mode, owner }: Thing): string {
  const more = [mode ? `mode ${mode}` : "", owner ? `of ${owner}` : ""].filter(
    (part) => part !== "",
  );
  return more.length > 0 ? `${name} (${more.join(", ")})` : name;
}

function processWords({ pid, parent_pid, name }: NonNullable<AuditEvent["process"]>): string {
  if (pid === undefined) return "";
  const parent = parent_pid === undefined ? "" : `, started by ${parent_pid}`;
  return `${pid}${name ? ` (${name})` : ""}${parent}`;
}

function recordOf({ type, fields }: AuditRecord) {
  return html`<h3>${shown(type)}</h3>
    <dl class="field">
      ${Object.entries(fields ?? {}).map(
        ([name, { raw, value }]) => html`<dt>${shown(name)}</dt>
          <dd>
            ${shown(String(raw))}${
              value === undefined || value === null
                ? nothing
                : html` <span class="muted">= ${shown(valueWords(value))}</span>`
            }
          </dd>`,
      )}
    </dl>`;
}

function valueWords(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
