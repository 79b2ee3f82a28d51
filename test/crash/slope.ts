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

/** How the value grows with time. */
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
