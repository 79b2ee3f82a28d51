/** Facts that explain why the journal has no matching record. */
export interface Absence {
  readonly unit: string;
  readonly scope: 'system' | 'user';
  /** LoadState= of the unit; null: the manager could not be asked. */
  readonly loadState: string | null;
  readonly narrowed: boolean;
  /** True if this user may read the system's journal file; null if there is none. */
  readonly mayRead: boolean | null;
  /** True if the unit has ever run: its InvocationID= is set. */
  readonly hasRun: boolean;
  /** A gateway answers at the control socket without a unit. */
  readonly foreground: boolean;
  readonly otherScopeHasUnit: boolean;
}

/** Says why there is nothing to show, nearest reason first, with a next step. */
export function explainAbsence(absence: Absence): readonly string[] {
  const { unit, scope, loadState, narrowed, mayRead, hasRun, foreground, otherScopeHasUnit } = absence;
  const other = scope === 'system' ? 'user' : 'system';
  if (loadState === 'not-found') {
    if (foreground) {
      return [
        `There is no ${unit}: the gateway that runs here was started in the foreground, and writes to its own terminal or standard error, not to the journal.`,
      ];
    }
    return [
      `There is no ${unit} of the ${scope} manager, and the journal has no record of one.`,
      otherScopeHasUnit
        ? `The ${other} manager has one: add --${other}.`
        : 'Install it: sd-gateway install. Another instance: --instance NAME.',
    ];
  }
  if (mayRead === false) {
    return [
      `The journal shows this user no record of ${unit}: only root and members of the group systemd-journal may read all of it.`,
      'Have root run: usermod --append --groups systemd-journal "USER"; then log in again. Or put sudo before the command.',
    ];
  }
  if (mayRead === null) {
    return [
      'There is no journal file in /var/log/journal or /run/log/journal: journald keeps nothing, or does not run.',
      'See Storage= in /etc/systemd/journald.conf, and: systemctl status systemd-journald',
    ];
  }
  if (loadState === null && !narrowed) {
    return [
      `The journal has no record of ${unit}, and the ${scope} manager can’t be asked whether there is such a unit.`,
    ];
  }
  if (!hasRun && !narrowed) return [`The journal has no record of ${unit}: it has not been started yet.`];
  if (narrowed)
    return [`The journal has no record of ${unit} that matches; leave out an option to see more.`];
  return [
    `The journal has no record of ${unit} any more: it keeps what fits into SystemMaxUse= (journald.conf(5)).`,
  ];
}
