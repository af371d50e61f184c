/** Numbers, sizes, durations and instants as people read them; and exactly, for tooltips. */

const SECOND_US = 1_000_000;
const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3600;
const DAY_SECONDS = 86_400;

function padded(value: number, width = 2): string {
  return String(value).padStart(width, "0");
}

/** 1234567 as "1,234,567". */
export function count(value: number): string {
  return value.toLocaleString("en");
}

/** "1 line", "2 lines". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A size for people: "812 bytes", "1.2 kB", "34 MB". */
export function size(bytes: number): string {
  if (bytes < 1000) return counted(bytes, "byte");
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = "";
  for (const next of units) {
    value /= 1000;
    unit = next;
    if (value < 999.5) break;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** A size to the byte. */
export function exactSize(bytes: number): string {
  return counted(bytes, "byte");
}

/** How long something took: "0.4 s", "12 s", "3 min 05 s", "1 h 02 min", "2 d 03 h". */
export function duration(us: number): string {
  const seconds = Math.max(0, us) / SECOND_US;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < MINUTE_SECONDS) return `${whole} s`;
  const minutes = Math.floor(whole / MINUTE_SECONDS);
  if (whole < HOUR_SECONDS) return `${minutes} min ${padded(whole % MINUTE_SECONDS)} s`;
  if (whole < DAY_SECONDS) return `${Math.floor(minutes / 60)} h ${padded(minutes % 60)} min`;
  const hours = Math.floor(whole / HOUR_SECONDS);
  return `${Math.floor(hours / 24)} d ${padded(hours % 24)} h`;
}

/** A duration to the microsecond, in seconds. */
export function exactDuration(us: number): string {
  const whole = Math.floor(Math.abs(us) / SECOND_US);
  const rest = padded(Math.abs(us) % SECOND_US, 6);
  return `${us < 0 ? "-" : ""}${count(whole)}.${rest} s`;
}

/** A place in a recording as a clock shows it: "0:07.4", "12:03.0", "1:02:03.0". */
export function clock(us: number): string {
  const tenths = Math.floor(Math.max(0, us) / 100_000);
  const seconds = Math.floor(tenths / 10);
  const tail = `${padded(seconds % 60)}.${tenths % 10}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${tail}`;
  return `${Math.floor(minutes / 60)}:${padded(minutes % 60)}:${tail}`;
}

/** The offset from UTC of local time at `date`, "+01:00". */
function offsetFromUtc(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const sign = minutes < 0 ? "-" : "+";
  const size = Math.abs(minutes);
  return `${sign}${padded(Math.floor(size / 60))}:${padded(size % 60)}`;
}

/** Whether calendars know an instant: hosts may say anything, and what they say is shown. */
function isDate(unixUs: number): boolean {
  return !Number.isNaN(new Date(unixUs / 1000).getTime());
}

function noDate(unixUs: number): string {
  return `no date (${unixUs} µs)`;
}

/** The local calendar day, "2026-11-20". */
export function localDay(unixUs: number): string {
  if (!isDate(unixUs)) return noDate(unixUs);
  const date = new Date(unixUs / 1000);
  return `${date.getFullYear()}-${padded(date.getMonth() + 1)}-${padded(date.getDate())}`;
}

/** Local time of day, "10:33:22". */
export function localTime(unixUs: number): string {
  if (!isDate(unixUs)) return noDate(unixUs);
  const date = new Date(unixUs / 1000);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => padded(part))
    .join(":");
}

/** Local day and time, "2026-11-20 10:33:22". */
export function localInstant(unixUs: number): string {
  if (!isDate(unixUs)) return noDate(unixUs);
  return `${localDay(unixUs)} ${localTime(unixUs)}`;
}

/** Local day, time and offset, "2026-11-20 10:33:22 +01:00". */
export function localInstantWithOffset(unixUs: number): string {
  if (!isDate(unixUs)) return noDate(unixUs);
  return `${localInstant(unixUs)} ${offsetFromUtc(new Date(unixUs / 1000))}`;
}

/** The zone that local times are in, "Europe/Berlin, now +01:00". */
export function localZone(): string {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return timeZone === "UTC" ? timeZone : `${timeZone}, now ${offsetFromUtc(new Date())}`;
}

/** The instant in UTC, to the microsecond: "2026-11-20 09:33:22.123456 UTC". */
export function utcInstant(unixUs: number): string {
  if (!isDate(unixUs)) return noDate(unixUs);
  const second = Math.floor(unixUs / SECOND_US);
  const micros = padded(unixUs - second * SECOND_US, 6);
  const [day, time] = new Date(second * 1000).toISOString().split("T");
  return `${day} ${(time ?? "").slice(0, 8)}.${micros} UTC`;
}

/** The instant as a `datetime` attribute wants it; "" for none that it can hold. */
export function machineInstant(unixUs: number): string {
  if (!isDate(unixUs)) return "";
  return new Date(Math.floor(unixUs / 1000)).toISOString();
}
