/** The units of systemd.time(7), in milliseconds. */
const units: ReadonlyMap<string, number> = new Map(
  (
    [
      [0.001, 'us', 'usec', 'µs'],
      [1, 'ms', 'msec'],
      [1_000, 's', 'sec', 'second', 'seconds'],
      [60_000, 'm', 'min', 'minute', 'minutes'],
      [3_600_000, 'h', 'hr', 'hour', 'hours'],
      [86_400_000, 'd', 'day', 'days'],
      [604_800_000, 'w', 'week', 'weeks'],
      [2_629_800_000, 'M', 'month', 'months'],
      [31_557_600_000, 'y', 'year', 'years'],
    ] as const
  ).flatMap(([milliseconds, ...names]) => names.map((name) => [name, milliseconds] as const)),
);

/** Reads "1min 30s", "500ms" or a plain number of seconds (systemd.time(7)); null when it is none. Milliseconds. */
export function parseTimeSpan(text: string): number | null {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1_000);
  const part = /(\d+(?:\.\d+)?)\s*([a-zµ]+)\s*/giy;
  let total = 0;
  let end = 0;
  for (let match = part.exec(trimmed); match !== null; match = part.exec(trimmed)) {
    const unit = units.get(match[2] ?? '');
    if (unit === undefined) return null;
    total += Number(match[1]) * unit;
    end = part.lastIndex;
  }
  return end === trimmed.length && end > 0 ? Math.round(total) : null;
}

/**
 * Reads a time span as `systemctl show` prints it, in milliseconds; "infinity" is Infinity. Null for anything else, and
 * where the manager doesn't know the property.
 */
export function parseTimeSpanProperty(text: string | undefined): number | null {
  return text === 'infinity' ? Number.POSITIVE_INFINITY : parseTimeSpan(text ?? '');
}

/** "3min 12s" of milliseconds: whole seconds in the two largest units, as systemd writes time spans. */
export function formatTimeSpan(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1_000);
  const amounts: readonly (readonly [unit: string, amount: number])[] = [
    ['d', Math.floor(seconds / 86_400)],
    ['h', Math.floor(seconds / 3_600) % 24],
    ['min', Math.floor(seconds / 60) % 60],
    ['s', seconds % 60],
  ];
  const first = amounts.findIndex(([, amount]) => amount > 0);
  if (first < 0) return '0s';
  return amounts
    .slice(first, first + 2)
    .filter(([, amount]) => amount > 0)
    .map(([unit, amount]) => `${amount}${unit}`)
    .join(' ');
}

/** The same where fractions of a minute matter: "3 ms", "2.5 s", "1min 30s", "infinity". */
export function formatExactTimeSpan(milliseconds: number): string {
  if (milliseconds === Number.POSITIVE_INFINITY) return 'infinity';
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${Number((milliseconds / 1_000).toFixed(1))} s`;
  return formatTimeSpan(milliseconds);
}
