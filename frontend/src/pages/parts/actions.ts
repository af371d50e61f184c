/** What may be asked of a live session: to end, or to show a message; and what came of it. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { Order, Orders, RecordingDetail } from "../api/types.ts";
import { orderSaying } from "../hostwords.ts";
import { shown } from "../text.ts";
import { answered, type Field } from "./confirm.ts";
import { PageElement } from "./page.ts";
import { badge, foreign, instant, problemBox } from "./templates.ts";

const LOOK_MS = 700;
const REASON: Field = { name: "reason", label: "Why (it is logged)" };

@customElement("steno-actions")
export class Actions extends PageElement {
  static override styles = [
    PageElement.styles,
    css`
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
        display: grid;
        gap: 0.25rem;
      }
      li {
        overflow-wrap: anywhere;
      }
      li .badge {
        white-space: normal;
      }
    `,
  ];

  @property({ attribute: false }) recording!: RecordingDetail;
  @state() private orders: Orders | null = null;
  #timer = 0;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("recording") && changed.get("recording")?.rec !== this.recording.rec) {
      this.orders = null;
      void this.load((signal) => this.#look(signal));
    }
  }

  async #look(signal?: AbortSignal): Promise<void> {
    clearTimeout(this.#timer);
    this.orders = await this.context.api.orders(this.recording.rec, signal);
    const isWaiting = this.orders.items.some((order) => order.state === "waiting");
    if (!isWaiting || !this.isConnected) return;
    this.#timer = window.setTimeout(() => void this.load((next) => this.#look(next)), LOOK_MS);
  }

  override render() {
    const { orders, recording } = this;
    if (!orders) return problemBox(this.problem);
    const may = recording.is_live ? orders.may : [];
    if (may.length === 0 && orders.items.length === 0) return nothing;
    return html`<section class="stack" aria-label="Act on the session">
      ${
        may.length
          ? html`<div class="row">
              ${may.includes("message") ? this.#button("Send a message", this.#send, "") : nothing}
              ${may.includes("kill") ? this.#button("End the session", this.#kill, "danger") : nothing}
            </div>`
          : nothing
      }
      ${problemBox(this.problem)}
      <div role="status">
        <ul>
          ${orders.items.map((order) => this.#order(order))}
        </ul>
      </div>
    </section>`;
  }

  #button(label: string, act: () => void, kind: string) {
    return html`<button class=${kind} ?disabled=${this.isBusy} @click=${act}>${label}</button>`;
  }

  #order(order: Order) {
    const { user, text, reason, made_unix_us: at } = order;
    const did = order.do === "kill" ? "ended the session" : html`sent “${foreign(text)}”`;
    return html`<li>
      ${foreign(user)} ${did}${reason ? html` (${foreign(reason)})` : nothing}, ${instant(at)}
      ${badge(safe(orderSaying(order)))}
    </li>`;
  }

  #send = async (): Promise<void> => {
    const { rec, user, host } = this.recording;
    const given = await answered(this.renderRoot as ParentNode, {
      title: "Send a message",
      text: `It appears at once on the terminal of ${shown(user)} on ${shown(host)}, and in the recording.`,
      action: "Send",
      fields: [{ name: "text", label: "Message", isRequired: true }, REASON],
    });
    if (given)
      this.#give(() => this.context.api.sendMessage(rec, given.text ?? "", given.reason ?? ""));
  };

  #kill = async (): Promise<void> => {
    const { rec, user, host } = this.recording;
    const given = await answered(this.renderRoot as ParentNode, {
      title: "End the session",
      text: `The session of ${shown(user)} on ${shown(host)} is hung up at once. What they have not saved is lost. This cannot be undone.`,
      action: "End it",
      fields: [REASON],
      isDangerous: true,
    });
    if (given) this.#give(() => this.context.api.kill(rec, given.reason ?? ""));
  };

  #give(order: () => Promise<Order>): void {
    void this.load(async (signal) => {
      await order();
      await this.#look(signal);
    });
  }
}

/** Why an order failed comes from the host: nothing in it may disturb the page. */
function safe(saying: ReturnType<typeof orderSaying>) {
  return { ...saying, text: shown(saying.text) };
}
