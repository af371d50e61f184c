/** How recording time passes while the wall clock does: speed, and pauses cut short. */

export const SPEEDS: readonly number[] = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16];

/** The longest pause, in seconds of the recording: choices of the menu. */
export const IDLE_LIMITS: readonly number[] = [0.5, 1, 2, 5, 10, Number.POSITIVE_INFINITY];

/** The next faster (`by` 1) or slower (-1) speed; stays at the ends. */
export function nextSpeed(speed: number, by: 1 | -1): number {
  const known = SPEEDS.map((each) => Math.abs(Math.log2(each / speed)));
  const nearest = known.indexOf(Math.min(...known));
  return SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, nearest + by))] ?? 1;
}

/** "1/16×" … "16×". */
export function formatSpeed(speed: number): string {
  return speed < 1 ? `1/${Math.round(1 / speed)}×` : `${speed}×`;
}

/** Take a speed from outside: within 1/16 and 16, 1 when it is no number. */
export function clampSpeed(speed: number): number {
  return Number.isFinite(speed) && speed > 0 ? Math.min(16, Math.max(1 / 16, speed)) : 1;
}

export interface Advance {
  /** The instant reached. */
  time: number;
  /** Seconds of recording time not used up because `nextEventAt` came first. */
  left: number;
}

/**
 * Let `budget` seconds of recording time pass, at most to the next event.
 *
 * A pause longer than `idleLimit` is played for `idleLimit` and then skipped.
 *
 * @param time Where we are.
 * @param pauseSince The instant of the last event, or of the last seek if that is later.
 * @param nextEventAt The next event, or the recording's end.
 */
export function advance(
  time: number,
  budget: number,
  pauseSince: number,
  nextEventAt: number,
  idleLimit: number,
): Advance {
  const isLong = nextEventAt - pauseSince > idleLimit;
  const playUntil = isLong ? Math.max(time, pauseSince + idleLimit) : nextEventAt;
  const needed = Math.max(0, playUntil - time);
  if (budget < needed) return { time: time + budget, left: 0 };
  return { time: nextEventAt, left: budget - needed };
}
