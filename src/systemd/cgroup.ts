/** What a control group's path says of the units it belongs to (systemd.unit(5), systemd.special(7)). */
export interface CgroupUnit {
  /** The unit of the manager that is nearest: of the user manager where there is one, else of the system manager. */
  readonly unit: string | null;
  readonly manager: 'system' | 'user' | null;
  /** A session scope or an application's scope: a place where persons start processes, not a service. */
  readonly isScope: boolean;
}

/**
 * The path of this process in the hierarchy that systemd manages, from the text of /proc/PID/cgroup (cgroups(7)):
 * version 2's entry `0::PATH`, or with version 1 the one named `name=systemd`. Where a machine has both, the one that
 * says more than "/" counts: a manager in a container may use the one that its host doesn't. Null when there is
 * neither.
 */
export function parseCgroup(text: string): string | null {
  const paths: string[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\d+):([^:]*):(\/.*)$/s.exec(line);
    if (match === null) continue;
    const [, hierarchy, controllers, path = ''] = match;
    if (hierarchy === '0' && controllers === '') paths.unshift(path);
    else if (controllers === 'name=systemd') paths.push(path);
  }
  return paths.find((path) => path !== '/') ?? paths[0] ?? null;
}

/** systemd escapes names that would clash with a file of the cgroup file system by a leading underscore. */
function unescapeComponent(component: string): string {
  return component.startsWith('_') ? component.slice(1) : component;
}

const unitName = /^[A-Za-z0-9:_.\\@-]+\.(service|scope)$/;

/** Finds the unit in a control group's path; sub-groups below a unit (delegation) belong to it. */
export function unitOfCgroup(path: string | null): CgroupUnit {
  const none: CgroupUnit = { unit: null, manager: null, isScope: false };
  if (path === null) return none;
  const components = path
    .split('/')
    .filter((component) => component !== '')
    .map(unescapeComponent);
  const first = components.findIndex((component) => unitName.test(component));
  const unit = components[first];
  if (unit === undefined) return none;
  if (!/^user@\d+\.service$/.test(unit)) {
    return { unit, manager: 'system', isScope: unit.endsWith('.scope') };
  }
  const below = components.slice(first + 1).find((component) => unitName.test(component));
  // init.scope is where the user manager itself lives.
  if (below === undefined || below === 'init.scope') return { unit, manager: 'system', isScope: false };
  return { unit: below, manager: 'user', isScope: below.endsWith('.scope') };
}
