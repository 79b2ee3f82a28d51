import { firstUnprivilegedPort } from '../../channels/http/server/port-holder.js';
import { otherScope } from '../../manager/service-manager.js';
import { commandLine } from '../../text/own-command.js';
import { unifiedDifference } from '../../units/drift.js';
import { hiddenBy, versionManagerOf } from '../../units/paths.js';
import { parseUnit, readChoices, valueIn, withoutHash } from '../../units/unit-text.js';
import { shellWord } from '../terminal.js';
import { type InstallFacts, type NewFile, templateObjection } from './facts.js';
import type { UnreadableFile } from './places.js';
import type { InstallRequest } from './request.js';
import type { OwnUser } from './user.js';

/** The systemctl command to type about the unit. */
export function systemctl({ unit, target }: Pick<InstallFacts, 'unit' | 'target'>, verb: string): string {
  return `systemctl ${target.scope === 'user' ? '--user ' : ''}${verb} ${unit}`;
}

/** The command line of another of our commands, for the same gateway and the same person. */
export function ownCommand(
  { target, isDefaultScope }: Pick<InstallFacts, 'target' | 'isDefaultScope'>,
  verb: string,
): string {
  const { scope, instance } = target;
  return commandLine(verb, { scope: isDefaultScope ? null : scope, instance });
}

/** True if install writes, or has written, the unit's file. */
export function changesUnit({ installed, rendered, awaitsUser }: InstallFacts): boolean {
  return awaitsUser === null && installed.text !== rendered.text;
}

/** From the unit that is there to the one that would be; empty when they are alike or there is none. */
export function differenceOf(facts: InstallFacts): string {
  const { installed, rendered } = facts;
  const { path, text } = installed;
  if (text === null || !changesUnit(facts)) return '';
  return unifiedDifference(
    { name: `${path} (before)`, text: withoutHash(text) },
    { name: path, text: withoutHash(rendered.text) },
  );
}

/** Lists the reasons against an install that is not forced. */
export function objections(facts: InstallFacts): readonly string[] {
  const { target, installed, ownership, packaged, template, rendered, choices, program, files, unreadable } =
    facts;
  if (facts.awaitsUser !== null) return [];
  const dropIn = `use a drop-in for changes of your own ("${systemctl(facts, 'edit')}")`;
  const found: string[] = [];
  if (installed.link !== null) {
    found.push(
      installed.link === '/dev/null'
        ? `${installed.path} masks the unit; "${systemctl(facts, 'unmask')}" ends that`
        : `${installed.path} is a link to ${installed.link}, which install did not make`,
    );
  } else if (ownership === 'foreign') {
    found.push(`${installed.path} was not written by install; keep it and ${dropIn}`);
  } else if (ownership === 'edited') {
    found.push(`${installed.path} was edited by hand since it was installed; ${dropIn}`);
  }
  if (packaged !== null && ownership === null) {
    found.push(
      `${packaged} has this name already, and would be hidden; "${systemctl(facts, 'enable --now')}" runs that one`,
    );
  }
  const againstTemplate = templateObjection(template, target.scope);
  if (againstTemplate !== null) found.push(againstTemplate);
  if (facts.sharesUser !== null && !sharedBefore(facts)) found.push(sharedUserText(facts));
  const { storeDirectory } = facts;
  const store = storeDirectory === null ? [] : [storeDirectory.path];
  const hidden = [...new Set([choices.node, program, files.configuration, ...store])].flatMap((path) => {
    const directive = hiddenBy(rendered.text, path);
    return directive === null ? [] : [{ path, directive }];
  });
  for (const { path, directive } of hidden) {
    found.push(
      `the unit’s ${directive} hides ${path} from the gateway; put it elsewhere, such as below /opt or /etc`,
    );
  }
  if (storeDirectory?.isThere === false) {
    found.push(
      `the directory of store.path is not there; make it with "mkdir -p ${shellWord(storeDirectory.path)}"`,
    );
  }
  if (choices.runAs === null) {
    found.push(
      ...unreadable.filter(({ path }) => hidden.every((other) => other.path !== path)).map(unreadableText),
    );
  }
  return found;
}

/** True if it shared its user when it was installed: an update is not refused then. */
function sharedBefore({ installed, choices }: InstallFacts): boolean {
  const before = installed.text === null ? null : readChoices(installed.text);
  return before !== null && before.runAs === choices.runAs;
}

function sharedUserText({ sharesUser, rendered }: InstallFacts): string {
  const user = valueIn(parseUnit(rendered.text), 'User');
  return `${sharesUser} runs as ${user}, too: an agent of one gateway could end the other and read its messages; give each a user of its own with --run-as`;
}

function unreadableText({ path, part, tree }: UnreadableFile): string {
  if (tree !== null) {
    return `the gateway’s user can’t read ${path}; mend all of it with "chmod -R go+rX ${shellWord(tree)}"`;
  }
  return part === path
    ? `the gateway’s user can’t read ${path}; mend it with "chmod o+r ${shellWord(path)}"`
    : `the gateway’s user can’t read ${path}, as it may not enter ${part}; mend it with "chmod o+x ${shellWord(part)}"`;
}

/** Lists warnings for the operator, each with a next step. */
export function warningsOf(facts: InstallFacts): readonly string[] {
  const { target, choices, program, rendered, unreadable, configuration, takenAddress, inOtherScope, files } =
    facts;
  const { closedPort } = facts;
  const found: string[] = [...configuration.warnings];
  for (const path of [choices.node, program]) {
    const manager = versionManagerOf(path);
    if (manager !== null) {
      found.push(
        `${path} belongs to one version in ${manager}’s keeping: after an upgrade that removes it the unit can’t start; install again then, or use a Node.js with a path that stays`,
      );
    }
  }
  if (choices.runAs !== null) found.push(...unreadable.map(unreadableText));
  if (facts.sharesUser !== null && sharedBefore(facts)) found.push(sharedUserText(facts));
  const { storeDirectory } = facts;
  if (storeDirectory?.isThere === true && !storeDirectory.isOwned) {
    const user = valueIn(parseUnit(rendered.text), 'User') ?? 'the user';
    found.push(
      `${storeDirectory.path}, where store.path is, has to be ${user}’s, as whom the gateway runs: "chown ${user} ${shellWord(storeDirectory.path)}" gives it to them`,
    );
  }
  if (rendered.omitted.length > 0) {
    const list = rendered.omitted.map(({ directive, since }) => `${directive}= (${since})`).join(', ');
    found.push(`systemd ${target.systemdVersion} doesn’t know, and the unit leaves out: ${list}`);
  }
  if (takenAddress !== null) {
    found.push(
      `somebody listens on ${takenAddress} already: set another http.listen in ${files.configuration} before the start`,
    );
  }
  if (closedPort !== null) {
    found.push(
      `the gateway can’t listen on port ${closedPort}, as the unit has no right to one so low: have a socket unit open it (ListenStream= of sd-gateway.socket), or set http.listen in ${files.configuration} to a port from ${firstUnprivilegedPort()} on`,
    );
  }
  if (configuration.configuration.http.listen.kind === 'systemd') {
    found.push('http.listen is "systemd": the gateway needs a socket unit, which install doesn’t write');
  }
  if (inOtherScope !== null) {
    found.push(
      `there is a unit of this name for the ${otherScope(target.scope)} manager, too (${inOtherScope}): they need different addresses`,
    );
  }
  return found;
}

/** One thing that install does. */
export type InstallStep =
  | { readonly kind: 'user'; readonly user: OwnUser }
  | { readonly kind: 'leftover-link'; readonly path: string }
  | { readonly kind: 'configuration'; readonly file: NewFile }
  | { readonly kind: 'unit'; readonly file: NewFile; readonly former: string | null }
  | { readonly kind: 'daemon-reload' }
  | { readonly kind: 'enable' }
  | { readonly kind: 'catalog'; readonly file: NewFile }
  | { readonly kind: 'linger'; readonly user: string }
  | { readonly kind: 'start' | 'restart' };

/** Lists the steps of an install in their order. */
export function installSteps(facts: InstallFacts, request: InstallRequest): readonly InstallStep[] {
  const { installed, rendered, user, leftoverLink, sample, catalog, linger, state } = facts;
  const changed = changesUnit(facts);
  const steps: InstallStep[] = [];
  if (user !== null && (!user.exists || user.declaration !== null)) steps.push({ kind: 'user', user });
  if (leftoverLink !== null) steps.push({ kind: 'leftover-link', path: leftoverLink });
  // Without a configuration an instance of the template would wait for the port of the gateway without a name.
  const isOfTemplate = facts.awaitsUser !== null && facts.awaitsUser !== facts.unit;
  if (sample !== null && (facts.awaitsUser === null || isOfTemplate)) {
    steps.push({ kind: 'configuration', file: sample });
  }
  if (facts.awaitsUser !== null) return request.now ? [...steps, { kind: 'start' }] : steps;
  if (changed) {
    const file = { path: installed.path, text: rendered.text, mode: 0o644 };
    steps.push({ kind: 'unit', file, former: installed.text }, { kind: 'daemon-reload' });
  }
  if (request.enable && state?.enabled !== 'enabled') steps.push({ kind: 'enable' });
  if (catalog !== null) steps.push({ kind: 'catalog', file: catalog });
  if (linger !== null && !linger.enabled) steps.push({ kind: 'linger', user: linger.user });
  if (request.now) {
    if (state?.active !== 'active') steps.push({ kind: 'start' });
    else if (changed) steps.push({ kind: 'restart' });
  }
  return steps;
}

/** Describes a step before it is done. */
export function describeStep(step: InstallStep, facts: InstallFacts): string {
  switch (step.kind) {
    case 'user': {
      const { name, exists, path, declaration } = step.user;
      const declare = declaration === null ? [] : [`write ${path}, which declares the user ${name}`];
      return [...declare, ...(exists ? [] : [`have systemd-sysusers make the user ${name}`])].join(', and ');
    }
    case 'leftover-link':
      return `remove ${step.path}, a link that a unit with DynamicUser= has left`;
    case 'configuration':
      return `write ${step.file.path}, a configuration to begin with`;
    case 'unit':
      return `${step.former === null ? 'write' : 'update'} ${step.file.path}, after a check by systemd-analyze`;
    case 'daemon-reload':
      return `have systemd read its units again (${systemctl(facts, 'daemon-reload').replace(` ${facts.unit}`, '')})`;
    case 'enable':
      return `enable ${facts.unit}, so that it is started at ${facts.target.scope === 'system' ? 'boot' : 'login, or at boot with linger'}`;
    case 'catalog':
      return `write ${step.file.path}, and have journalctl know it`;
    case 'linger':
      return `offer to let ${step.user}’s units run without a session (loginctl enable-linger ${step.user})`;
    case 'start':
    case 'restart':
      return `${step.kind} ${facts.awaitsUser ?? facts.unit}`;
  }
}
