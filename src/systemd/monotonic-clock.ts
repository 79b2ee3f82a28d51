/** CLOCK_MONOTONIC in µs, as `MONOTONIC_USEC=` of sd_notify(3) wants it: on Linux Node's hrtime is that clock. */
export function monotonicMicroseconds(): bigint {
  return process.hrtime.bigint() / 1_000n;
}
