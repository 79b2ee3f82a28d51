/** Ids of Discord (discord.com/developers/docs/reference, "Snowflakes"): their order is that of their times. Pure. */

/** The first second of 2015, in milliseconds since the Unix epoch. */
const discordEpochMs = 1_420_070_400_000;

export function isSnowflake(text: string): boolean {
  return /^[1-9]\d{0,19}$/.test(text);
}

/** Milliseconds since the Unix epoch. */
export function timeOfSnowflake(id: string): number {
  return Number(BigInt(id) >> 22n) + discordEpochMs;
}

/** The lowest id of that millisecond. */
export function snowflakeAt(timeMs: number): string {
  return String(BigInt(Math.max(0, Math.floor(timeMs) - discordEpochMs)) << 22n);
}

export function isLater(id: string, than: string): boolean {
  return BigInt(id) > BigInt(than);
}

export function laterOf(a: string | null, b: string): string {
  return a === null || isLater(b, a) ? b : a;
}
