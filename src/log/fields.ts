/**
 * The gateway's own fields of a journal record, with what each says. The one list that code, documentation and tests
 * share; the names follow systemd.journal-fields(7).
 */
export const recordFields = {
  SD_GATEWAY_SESSION: 'The session that the record is about.',
  SD_GATEWAY_MESSAGE: 'The id of the message that the record is about.',
  SD_GATEWAY_CHANNEL: 'The channel that the record is about, by its name in the configuration.',
  SD_GATEWAY_CLIENT: 'The address of the client whose request the record is about; see http.trusted_proxies.',
  SD_GATEWAY_ATTEMPT: 'The attempt of the turn or the delivery, from 1.',
  TRACE_ID:
    'The trace that the message is part of, as its sender named it: the trace-id of traceparent (W3C Trace Context).',
  SD_GATEWAY_STOP_CAUSE: 'The cause of the stop, such as "planned-stop" or "foreign-kill".',
  SD_GATEWAY_SIGNAL: 'The signal that asked for the stop.',
  SD_GATEWAY_SENDER_PID: 'The process that sent the signal; 0: outside of the PID namespace.',
  SD_GATEWAY_SENDER_UID: 'The user that the sender ran as.',
  SD_GATEWAY_SENDER_COMM: 'The name of the sender, where it could still be read.',
  SD_GATEWAY_DRAIN_USEC: 'The time that the drain took, in microseconds.',
  SD_GATEWAY_PUT_BACK: 'The number of turns that were put back for the next start.',
  SD_GATEWAY_DEAD: 'The number of messages that went dead during the drain.',
  SD_GATEWAY_SUPERVISION: 'The supervisor of the gateway, as told from the evidence.',
  SD_GATEWAY_FINISHED: 'The number of turns that ended during the drain.',
  SD_GATEWAY_EXIT_STATUS: 'The exit status that the stop leads to.',
  SD_GATEWAY_JOB: 'The type of the service manager’s job that stopped the unit, such as "restart".',
  SD_GATEWAY_PREVIOUS_INVOCATION: 'The invocation ID of the run before.',
  SD_GATEWAY_PREVIOUS_OUTCOME: 'The outcome of the run before: "clean", "failed", "crashed" or "unknown".',
  SD_GATEWAY_TEXT: 'The text of the message; only with log.bodies = true.',
  SD_GATEWAY_REPLY: 'The text of the reply; only with log.bodies = true.',
  SD_GATEWAY_RESUMED:
    'The number of turns of the last run that run again, those that its stop has put back among them.',
  SD_GATEWAY_LEFT_OUT:
    'The number of records left out: of a kind of which there were too many, or while journald took none.',
} as const;

/** Fields with the texts of people and agents. They are private: redacted unless the configuration says otherwise. */
export const bodyFields = ['SD_GATEWAY_TEXT', 'SD_GATEWAY_REPLY'] as const satisfies readonly RecordField[];

export type RecordField = keyof typeof recordFields;

/**
 * The kind of a record, for `journalctl MESSAGE_ID=…` (systemd.journal-fields(7)). Once released, an id never changes
 * its meaning.
 */
export const messageIds = {
  /** The gateway serves. */
  ready: '4243cb925b9b4f369a6993f2828cc513',
  /** The configuration was read again. */
  reloadDone: 'cc6bb4897c8d47e9891bff1ddf0dafe6',
  /** A new configuration was refused, the old one stays in force. */
  reloadRefused: 'ff673352ba20411584bb9d47808ad1af',
  /** The gateway stops: cause, signal and sender are in the fields. */
  stopRequested: '2906812ff5504d1693186dff15892235',
  /** The gateway has stopped: who, what, why, how long and what was left are in the fields. */
  stopped: '4dd928d77a894a47ae99ccdea6067f0d',
  /** The end of the run before this one. */
  previousRun: '97672bde56a245869c942ec3336813fd',
  /** The running turns have ended or were cut off. */
  drainFinished: 'b7f667d93e7e48c399fcef1dbacd4c4e',
  /** Turns were cut off and put back for the next start. */
  putBack: '44c1c295f9b84ce2a28d8ab1a7039b98',
  /** A SIGTERM from a process that is not the supervisor. */
  foreignKill: 'c5805a70c34c4273adb426bb58a16161',
  /** An exception that nobody caught. */
  crash: '2d6006b5c5534f4799a9b18ae2a2f312',
  /** A part makes no progress; the watchdog is about to end the gateway. */
  watchdogStall: '85e2c6b774db43c29cda088a36c73185',
  /** A reply could not be delivered and is not tried again. */
  deliveryDead: '930aaa51d115430f974b80b4b9162688',
  /** The store can't be written: new messages are refused. */
  storeRefuses: 'fca8a9a6b1014f6496be4cf6e3c6d7a5',
  /** The store can be written again. */
  storeTakes: '9bd12dc2561a4537a2bf2e551f01fb35',
  /** The database is damaged. */
  storeDamaged: '62ef1b617ec04f52b7a5811aa68dd28d',
  /** Connections have reached their bound: those that rest are closed. */
  connectionsBounded: '2fd598126cbd4cb19bae009c005a5fbd',
  /** Connections are below their bound again. */
  connectionsTaken: 'cdaf257381ab4ca9b6459173fe257bc8',
} as const;
