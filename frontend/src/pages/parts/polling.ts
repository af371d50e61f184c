/** Asks the server again and again, as long as somebody sees the page. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

/** Runs `work` `everyMs` after it was done last; at once when the page comes to the front again. */
export class Polling implements ReactiveController {
  #timer = 0;
  #isConnected = false;

  /**
   * @param host The element; nothing runs while it is not in the page.
   * @param everyMs So long after the last time.
   * @param work What to do. Its failure is nobody's business: what is shown is the newest that is known.
   * @param isWanted Whether to go on.
   */
  constructor(
    host: ReactiveControllerHost,
    private readonly everyMs: number,
    private readonly work: () => Promise<void>,
    private readonly isWanted: () => boolean = () => true,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    this.#isConnected = true;
    document.addEventListener("visibilitychange", this.#onVisibility);
  }

  hostDisconnected(): void {
    this.#isConnected = false;
    document.removeEventListener("visibilitychange", this.#onVisibility);
    clearTimeout(this.#timer);
  }

  /** Wait from now on, then do it. */
  soon = (): void => {
    clearTimeout(this.#timer);
    if (this.#mayRun()) this.#timer = window.setTimeout(this.now, this.everyMs);
  };

  /** Do it now, and again after a while. */
  now = async (): Promise<void> => {
    clearTimeout(this.#timer);
    await this.work().catch(() => undefined);
    this.soon();
  };

  #mayRun(): boolean {
    return this.#isConnected && document.visibilityState === "visible" && this.isWanted();
  }

  #onVisibility = (): void => {
    clearTimeout(this.#timer);
    if (this.#mayRun()) void this.now();
  };
}
