/** What alert rules found in a recording, each leading to its moment. */
import { css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { TrailData } from "../../player/public.ts";
import { severitySaying, timesWords } from "../alertwords.ts";
import type { Alert, Commands, Lanes } from "../api/types.ts";
import { clock } from "../format.ts";
import { PageElement } from "../parts/page.ts";
import { badge } from "../parts/templates.ts";
import { alertsPath, recordingPath } from "../router.ts";
import { shown } from "../text.ts";
import type { Tone } from "../words.ts";

/** What the player's timeline shows: commands and lanes of the audit trail, and alerts. */
export function timelineOf(
  commands: Commands | null,
  lanes: Lanes | null,
  alerts: readonly Alert[],
): TrailData | null {
  const hasTrail = commands?.source === "audit";
  if (!hasTrail && alerts.length === 0) return null;
  const marks = alerts.map(({ at_us, count, severity, description, rule, text }) => ({
    first_us: at_us ?? 0,
    last_us: at_us ?? 0,
    events: Math.max(1, count),
    failures: 0,
    text: `${severity}: ${(description || rule).replace(/\.$/, "")}: ${text}`,
  }));
  return {
    ...(hasTrail ? { commands: commands.items } : {}),
    lanes: { ...(lanes?.lanes ?? {}), ...(marks.length > 0 ? { alerts: marks } : {}) },
  };
}

/** How the number of alerts is coloured: as the worst of them. */
export function worstTone(alerts: readonly Alert[]): Tone {
  const tones = alerts.map((alert) => severitySaying(alert).tone);
  return (["bad", "warn"] as const).find((tone) => tones.includes(tone)) ?? "plain";
}

@customElement("steno-recording-alerts")
export class RecordingAlerts extends PageElement {
  static override styles = [
    PageElement.styles,
    css`
      h2 {
        margin-bottom: 0.5rem;
      }
      ul {
        list-style: none;
        margin: 0 0 0.75rem;
        padding: 0;
        display: grid;
        gap: 0.5rem;
        max-height: 20rem;
        overflow: auto;
      }
      .what {
        font-family: var(--mono);
        font-size: 0.85rem;
        overflow-wrap: anywhere;
      }
    `,
  ];

  @property() rec = "";
  @property({ attribute: false }) alerts: readonly Alert[] = [];

  override render() {
    return html`<h2>What alert rules found</h2>
      <ul>
        ${this.alerts.map((alert) => this.#alert(alert))}
      </ul>
      <a href=${alertsPath("", "all")}>All alerts</a>`;
  }

  #alert(alert: Alert) {
    const { at_us: atUs, description, rule, text, acknowledged_by: by } = alert;
    return html`<li>
      <div class="row">
        <a class="number" href=${recordingPath(this.rec, atUs ?? 0)}>${clock(atUs ?? 0)}</a>
        ${badge(severitySaying(alert))}
        <span>${shown(description || rule)}</span>
        ${timesWords(alert)}
        ${by ? html`<span class="muted">acknowledged by ${shown(by)}</span>` : nothing}
      </div>
      ${[text, ...alert.others].map((each) => html`<div class="what">${shown(each)}</div>`)}
    </li>`;
  }
}
