/** The gateway's exit statuses; 75 and 78 are those of sysexits.h, which systemd.exec(5) names too. */
export const exitStatus = {
  /** A planned stop. */
  success: 0,
  /** A crash, a failed start, a kill by somebody else. */
  failure: 1,
  /** EX_TEMPFAIL: a restart was asked for; the unit has `RestartForceExitStatus=75`. */
  restart: 75,
  /** EX_CONFIG: the configuration can't be used; the unit has `RestartPreventExitStatus=78`. */
  configuration: 78,
  /** 128 + SIGINT: the person at the keyboard insisted. */
  interrupted: 130,
} as const;

export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus];
