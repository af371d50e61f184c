/** Shows something once (a token, a code, a link) and copies it. */
import { html, LitElement } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { sharedStyles } from "../styles.ts";

@customElement("steno-secret")
export class Secret extends LitElement {
  static override styles = sharedStyles;

  /** What it is and what it is for, in one or two sentences. */
  @property() explanation = "";
  /** The secret itself. */
  @property() value = "";
  @state() private said = "";

  override render() {
    return html`<div class="secret" role="status">
      <p>${this.explanation}</p>
      <code>${this.value}</code>
      <div class="row">
        <button @click=${this.#copy}>Copy</button>
        <span class="muted" aria-live="polite">${this.said}</span>
      </div>
    </div>`;
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.value);
      this.said = "Copied.";
    } catch {
      this.said = "This browser refused; select the text and copy it.";
    }
  }
}
