const units: ReadonlyMap<string, number> = new Map(
  Object.entries({
    us: 0.001,
    ms: 1,
    s: 1_000,
    min: 60_000,
    h: 3_600_000,
    d: 86_400_000,
    w: 604_800_000,
    month: 2_629_800_000,
    y: 31_557_600_000,
  }),
);

/** A time span as `systemctl show` prints it ("1min 30s", "infinity"), in milliseconds; null when it is none. */
export function parseSpan(text: string | undefined): number | null {
  if (text === undefined || text === '') return null;
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  if (text === '0') return 0;
  let sum = 0;
  for (const part of text.split(' ')) {
    const match = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(part);
    const unit = units.get(match?.[2] ?? '');
    if (match === null || unit === undefined) return null;
    sum += Number(match[1]) * unit;
  }
  return sum;
}

/** Milliseconds for a person: "3 ms", "2.5 s", "1 min 30 s". */
export function span(milliseconds: number): string {
  if (milliseconds === Number.POSITIVE_INFINITY) return 'infinity';
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${Number((milliseconds / 1_000).toFixed(1))} s`;
  const minutes = Math.floor(milliseconds / 60_000);
  const seconds = Math.round((milliseconds % 60_000) / 1_000);
  return seconds === 0 ? `${minutes} min` : `${minutes} min ${seconds} s`;
}
