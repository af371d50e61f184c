/** What all pages have in common: the context they get, and loading with errors shown. */
import { type CSSResultGroup, LitElement } from "lit";
import { property, state } from "lit/decorators.js";
import type { Api } from "../api/client.ts";
import { asProblem, type Problem } from "../api/problem.ts";
import type { User } from "../api/types.ts";
import { sharedStyles } from "../styles.ts";

/** What the app hands to every page. */
export interface Context {
  api: Api;
  user: User;
}

/** Base of the elements that load something. */
export abstract class PageElement extends LitElement {
  static override styles: CSSResultGroup = sharedStyles;

  @property({ attribute: false }) context!: Context;
  /** What went wrong last; null when all is well. */
  @state() protected problem: Problem | null = null;
  /** Whether an answer is awaited. */
  @state() protected isBusy = false;

  #loading: AbortController | null = null;
  #work: (signal: AbortSignal) => Promise<void> = async () => undefined;

  /** Run `work`; a newer call aborts it. Its failure becomes `problem`. */
  protected async load(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.#work = work;
    this.isBusy = true;
    try {
      await work(loading.signal);
      if (!loading.signal.aborted) this.problem = null;
    } catch (error) {
      if (!loading.signal.aborted) this.problem = asProblem(error);
    } finally {
      if (this.#loading === loading) this.isBusy = false;
    }
  }

  /** Do anew what was asked for last. */
  readonly tryAgain = (): void => {
    void this.load(this.#work);
  };

  /** The server answered something else meanwhile: that it could not be reached is over. */
  protected noteAnswer(): void {
    if (this.problem?.isPassing) this.problem = null;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#loading?.abort();
  }

  /** Move the keyboard's focus to the page's heading, as after following a link. */
  focusHeading(): void {
    void this.updateComplete.then(() => {
      this.renderRoot.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
    });
  }
}
