export interface Sample {
  /** Seconds since the begin. */
  readonly at: number;
  readonly value: number;
}

export interface Slope {
  /** Growth a second, by least squares. */
  readonly perSecond: number;
  /** Its standard error: a growth of less than twice as much is noise. */
  readonly error: number;
}

/** Computes the growth of the value with time. */
export function slopeOf(samples: readonly Sample[]): Slope {
  const { length } = samples;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const middle = mean(samples.map(({ at }) => at));
  const average = mean(samples.map(({ value }) => value));
  const spread = samples.reduce((sum, { at }) => sum + (at - middle) ** 2, 0);
  const perSecond =
    samples.reduce((sum, { at, value }) => sum + (at - middle) * (value - average), 0) / spread;
  const rest = samples.reduce(
    (sum, { at, value }) => sum + (value - average - perSecond * (at - middle)) ** 2,
    0,
  );
  return { perSecond, error: Math.sqrt(rest / (length - 2) / spread) };
}

/**
 * The means of so many parts of equal length. Samples that are close in time rise and fall together, with the garbage
 * collector's cycles, and count for less than as many that are independent: of each by itself the error of a slope comes
 * out far too small. Means of parts that are longer than such a cycle are as good as independent.
 */
export function meansOf(samples: readonly Sample[], parts: number): Sample[] {
  return Array.from({ length: parts }, (_, part) => {
    const from = Math.floor((part * samples.length) / parts);
    const within = samples.slice(from, Math.floor(((part + 1) * samples.length) / parts));
    const mean = (pick: (sample: Sample) => number) =>
      within.reduce((sum, sample) => sum + pick(sample), 0) / within.length;
    return { at: mean(({ at }) => at), value: mean(({ value }) => value) };
  });
}
