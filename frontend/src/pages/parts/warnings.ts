/** On top of every page: hosts with open sessions that have fallen silent. */
import { css, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { HostWarning } from "../api/types.ts";
import { counted } from "../format.ts";
import { hostPath } from "../router.ts";
import { PageElement } from "./page.ts";
import { Polling } from "./polling.ts";
import { foreign } from "./templates.ts";

/** The server looks at its hosts every few seconds; a page asks it so often. */
const LOOK_MS = 10_000;
const MOST_NAMED = 3;

@customElement("steno-warnings")
export class Warnings extends PageElement {
  static override styles = [
    PageElement.styles,
    css`
      .inside {
        max-width: 80rem;
        margin: 0 auto;
        padding: 0.75rem 1.25rem 0;
      }
      @media (max-width: 860px) {
        .inside {
          padding: 0.75rem 0.75rem 0;
        }
      }
    `,
  ];

  @state() private items: HostWarning[] = [];
  #polling = new Polling(this, LOOK_MS, async () => {
    this.items = await this.context.api.unattended.warnings();
  });

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#polling.now();
  }

  override render() {
    const { items } = this;
    const open = items.reduce((sum, item) => sum + item.open, 0);
    const named = items.slice(0, MOST_NAMED);
    const more = items.length - named.length;
    // The region is there from the start, so that what comes into it is read out.
    return html`<div role="status" aria-label="Warnings">
      ${
        items.length === 0
          ? nothing
          : html`<div class="inside">
              <p class="problem">
                ${counted(items.length, "host")} with ${counted(open, "open recording")}
                ${items.length === 1 ? "has" : "have"} fallen silent:
                ${named.map(
                  ({ host }, number) =>
                    html`${number ? ", " : ""}<a href=${hostPath(host)}>${foreign(host)}</a>`,
                )}${more > 0 ? html` and <a href="/hosts">${more} more</a>` : nothing}.
              </p>
            </div>`
      }
    </div>`;
  }
}
