/**
 * What kind of record it is, for `journalctl MESSAGE_ID=…` (systemd.journal-fields(7)). Once released, an id never
 * changes its meaning.
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
  /** How the run before this one ended. */
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
