/**
 * The gateway's own fields of a journal record, with what each says. The one list that code, documentation and tests
 * share; the names follow systemd.journal-fields(7).
 */
export const recordFields = {
  SD_GATEWAY_SESSION: 'The session that the record is about.',
  SD_GATEWAY_MESSAGE: 'The id of the message that the record is about.',
  SD_GATEWAY_CHANNEL: 'The channel that the record is about, by its name in the configuration.',
  SD_GATEWAY_ATTEMPT: 'The attempt of the turn or the delivery, from 1.',
  SD_GATEWAY_STOP_CAUSE: 'Why the gateway stops, such as "planned-stop" or "foreign-kill".',
  SD_GATEWAY_SIGNAL: 'The signal that asked for the stop.',
  SD_GATEWAY_SENDER_PID: 'The process that sent the signal; 0: outside of the PID namespace.',
  SD_GATEWAY_SENDER_UID: 'The user that the sender ran as.',
  SD_GATEWAY_SENDER_COMM: 'The name of the sender, where it could still be read.',
  SD_GATEWAY_DRAIN_USEC: 'How long the drain took, in microseconds.',
  SD_GATEWAY_PUT_BACK: 'How many turns were put back for the next start.',
  SD_GATEWAY_SUPERVISION: 'Who supervises the gateway, as told from the evidence.',
  SD_GATEWAY_FINISHED: 'How many turns ended during the drain.',
  SD_GATEWAY_EXIT_STATUS: 'The exit status that the stop leads to.',
  SD_GATEWAY_JOB: 'The type of the service manager’s job that stopped the unit, such as "restart".',
  SD_GATEWAY_PREVIOUS_INVOCATION: 'The invocation ID of the run before.',
  SD_GATEWAY_PREVIOUS_OUTCOME: 'How the run before ended: "clean", "failed" or "crashed".',
  SD_GATEWAY_TEXT: 'The text of the message; only with log.bodies = true.',
  SD_GATEWAY_REPLY: 'The text of the reply; only with log.bodies = true.',
  SD_GATEWAY_RESUMED: 'How many turns of the last run were queued again.',
  SD_GATEWAY_LEFT_OUT:
    'How many records were left out: of a kind of which there were too many, or while journald took none.',
} as const;

/** What people write and agents answer is nobody else’s: redacted unless the configuration says otherwise. */
export const bodyFields = ['SD_GATEWAY_TEXT', 'SD_GATEWAY_REPLY'] as const satisfies readonly RecordField[];

export type RecordField = keyof typeof recordFields;
