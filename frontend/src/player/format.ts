/** Instants and lengths as people read and type them. */

/** "1:02:03" or "2:03"; with `fraction`, tenths of a second too. */
export function formatTime(seconds: number, fraction = false): string {
  const tenths = Math.max(0, Math.floor(seconds * 10 + 1e-6));
  const whole = Math.floor(tenths / 10);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const two = (value: number): string => String(value).padStart(2, "0");
  const clock = hours
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
  return fraction ? `${clock}.${tenths % 10}` : clock;
}

/** Read "1:02:03.5", "2:03", "75", "75s", "2m", "1h2m3s"; null when it is none of these. */
export function parseTime(text: string): number | null {
  const trimmed = text.trim().toLowerCase();
  if (/^\d+(:[0-5]?\d){1,2}(\.\d+)?$/.test(trimmed)) {
    return trimmed.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  }
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed);
  const units = /^(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+(?:\.\d+)?)s)?$/.exec(trimmed);
  if (!units || trimmed === "") return null;
  return Number(units[1] ?? 0) * 3600 + Number(units[2] ?? 0) * 60 + Number(units[3] ?? 0);
}
