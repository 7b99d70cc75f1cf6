/** A yes or no of either engine: SQLAlchemy keeps 1 and 0 in SQLite. Null where it is neither. */
export function readFlag(text: string | null | undefined): boolean | null {
  switch (text?.toLowerCase()) {
    case "1":
    case "t":
    case "true":
      return true;
    case "0":
    case "f":
    case "false":
      return false;
    default:
      return null;
  }
}

const INSTANT =
  /^(?<date>\d{4}-\d\d-\d\d)(?:[ T](?<time>\d\d:\d\d(?::\d\d)?)(?<fraction>\.\d+)?)? ?(?<zone>Z|[+-]\d\d(?::?\d\d)?)?$/i;

/** Milliseconds since 1970 of `2026-01-04 10:00:00.123456+00`, and of what lacks its later parts; without a zone, UTC. */
export function readInstant(text: string): number | null {
  const { date, time = "00:00", fraction = "", zone = "Z" } = INSTANT.exec(text.trim())?.groups ?? {};
  if (date === undefined) return null;
  const ms = Date.parse(`${date}T${time}${fraction.slice(0, 4)}${wholeZone(zone)}`);
  return Number.isNaN(ms) ? null : ms;
}

/** PostgreSQL leaves out minutes that are none. */
function wholeZone(zone: string): string {
  if (zone.toUpperCase() === "Z") return "Z";
  return `${zone.slice(0, 3)}:${zone.slice(3).replace(":", "") || "00"}`;
}

/** Whether both engines can keep it. */
export function isKeepable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

export function isLongerThan(text: string, characters: number): boolean {
  return text.length > characters && [...text].length > characters;
}
