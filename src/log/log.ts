/** `SYSLOG_IDENTIFIER` of all records. */
export const identifier = 'sd-gateway';

/** Priorities of syslog(3) that the gateway uses. */
export const priorities = { crit: 2, err: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;
export type Priority = keyof typeof priorities;

/**
 * Fields of a record besides its message, by their names in the journal: `SD_GATEWAY_SESSION`, `MESSAGE_ID`, ….
 * Undefined and null ones are left out.
 */
export type LogFields = Readonly<Record<string, string | number | bigint | boolean | null | undefined>>;

export interface Log {
  crit(message: string, fields?: LogFields): void;
  err(message: string, fields?: LogFields): void;
  warning(message: string, fields?: LogFields): void;
  notice(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}
