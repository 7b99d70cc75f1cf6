const INSTANT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/i;

/** A day, or a time of RFC 3339, zone and all: without one it would be another time on each machine. Null for neither. */
export function instantMs(text: string): number | null {
  const atMs = Date.parse(text);
  return INSTANT.test(text) && isDay(text.slice(0, 10)) && !Number.isNaN(atMs) ? atMs : null;
}

/** `Date` takes the 30th of February for the 2nd of March. */
function isDay(day: string): boolean {
  const atMs = Date.parse(day);
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(day);
}
