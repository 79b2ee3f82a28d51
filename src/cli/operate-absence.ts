import type { Action } from './operate-failure.js';
import { commandFor, type ManagerTrouble, managerOf, type Target } from './operate-find.js';
import type { UnitFacts } from './operate-unit.js';

function troubleLines(trouble: ManagerTrouble | null): readonly string[] {
  if (trouble === null) return [];
  return [`  And ${trouble.text}.`, ...(trouble.next === null ? [] : [`  ${trouble.next}`])];
}

function hasNone({ scope, instance }: Target): string {
  return `${managerOf(scope)} has no unit${instance === null ? '' : ` for the instance ${instance}`}`;
}

/** The unit is one of the other scope. `trouble`: the scope's own manager could not be asked. */
export function elsewhereLines(
  action: Action,
  { name, path, scope }: UnitFacts,
  target: Target,
  trouble: ManagerTrouble | null,
): readonly string[] {
  return [
    `the unit ${name} is one of ${managerOf(scope)}${path === null ? '' : ` (${path})`}; nothing was done.`,
    ...troubleLines(trouble),
    `  To ${action} it: ${commandFor(action, { ...target, scope }, true)}`,
  ];
}

/** There is nothing that could be started. */
export function nothingToStartLines(target: Target, trouble: ManagerTrouble | null): readonly string[] {
  const foreground = commandFor('run', target, true);
  if (trouble !== null) {
    return [
      `${trouble.text}, so no unit can be started.`,
      ...(trouble.next === null ? [] : [`  ${trouble.next}`]),
      `  Run the gateway in the foreground: ${foreground}`,
    ];
  }
  return [
    `${hasNone(target)}.`,
    `  Install it: ${commandFor('install', target, true)}`,
    `  Or run the gateway in the foreground: ${foreground}`,
  ];
}

/**
 * No gateway answers at the control socket either.
 * @param said what was said of the socket
 * @param askedManager whether the service manager was asked at all
 */
export function noAnswerLines(
  said: string,
  target: Target,
  trouble: ManagerTrouble | null,
  askedManager: boolean,
): readonly string[] {
  return [
    `${said}. Is it running, and as this user? For another instance there is --instance.`,
    ...(trouble === null && askedManager ? [`  And ${hasNone(target)}.`] : troubleLines(trouble)),
  ];
}
