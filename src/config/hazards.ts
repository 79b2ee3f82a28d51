import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { peopleChannels } from './channel-table.js';
import type { Configuration } from './schema.js';
import { hostInUrl } from './values.js';

/** A part of the configuration's path, as it is on the disk. */
type Part = Pick<Stats, 'mode' | 'uid' | 'gid'>;

const anyone = 0o002;
const group = 0o020;
const sticky = 0o1000;

/** Says who besides the owner may change it: "other users", "the group 100"; null: nobody. */
export function otherWriters({ mode, uid, gid }: Part): string | null {
  if ((mode & anyone) !== 0) return 'other users';
  // Where each user has a group of their own, it has the user's number, and their files are often open to it.
  return (mode & group) !== 0 && gid !== uid && gid !== 0 ? `the group ${gid}` : null;
}

/** A file or a directory that others can change, and the warning of it. */
interface OpenPlace {
  readonly path: string;
  readonly warning: string;
}

function partAt(path: string): Part | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // Whoever reads the file says what is wrong with it.
    return undefined;
  }
}

/** Looks at a file that names the programs that the gateway runs; null: nobody but its owner can change it. */
function openPlace(file: string): OpenPlace | null {
  const directory = dirname(file);
  const [own, parent] = [partAt(file), partAt(directory)];
  const mend = (path: string) => `mend it with "chmod go-w ${path}"`;
  const writers = own === undefined ? null : otherWriters(own);
  if (writers !== null) {
    const warning = `${file} can be changed by ${writers}, who can have the gateway run any program: ${mend(file)}`;
    return { path: file, warning };
  }
  if (parent === undefined || (parent.mode & sticky) !== 0) return null;
  const replacers = otherWriters(parent);
  if (replacers === null) return null;
  const warning = `${file} can be replaced by ${replacers}, who may write to ${directory}, and can have the gateway run any program: ${mend(directory)}`;
  return { path: directory, warning };
}

/** Warns once of each file, and of each directory of them, that not only its owner can change. */
function openFiles(files: readonly string[]): readonly string[] {
  const places = files.flatMap((file) => openPlace(file) ?? []);
  const isFirst = ({ path }: OpenPlace, index: number) =>
    places.findIndex((place) => place.path === path) === index;
  return places.filter(isFirst).map(({ warning }) => warning);
}

/** Warns of settings that let others in, with what to do. */
export function openSettings({
  http,
  delivery,
  agents,
  channels,
}: Pick<Configuration, 'http' | 'delivery' | 'agents' | 'channels'>): readonly string[] {
  const { listen, public_url, trusted_proxies } = http;
  const isForAll = listen.kind === 'tcp' && ['0.0.0.0', '::'].includes(listen.host);
  const hasProxy = trusted_proxies.length > 0 || public_url?.startsWith('https:') === true;
  const isAsking = Object.values(agents).some((agent) => agent.type === 'acp' && agent.ask.length > 0);
  const forEverybody = [...peopleChannels(isAsking ? channels : {})].filter(
    ([, { allow, words, approvals }]) => words && approvals === 'author' && allow.includes('*'),
  );
  const everywhere = delivery.allow.filter((range) => range.endsWith('/0'));
  return [
    ...(listen.kind === 'tcp' && isForAll && !hasProxy
      ? [
          `http.listen is ${hostInUrl(listen.host)}:${listen.port}, and the gateway has no TLS: whoever can read the network reads the token. Listen on 127.0.0.1 behind a reverse proxy with TLS. If one is in front of it already, name its address in http.trusted_proxies or its URL in http.public_url`,
        ]
      : []),
    ...everywhere.map(
      (range) =>
        `delivery.allow has "${range}": whoever may send a message can have its reply posted to any address of this machine and its networks. Name the ranges of the receivers alone`,
    ),
    ...forEverybody.map(
      ([name]) =>
        `channels.${name}.allow has "*": everybody there may answer what an agent asks in their own turn, and so have it do that. Set channels.${name}.approvals to "owner"`,
    ),
  ];
}

/** The environment file of the units that `install` writes, unless another one is chosen. */
export function environmentFileBeside(file: string): string {
  return file.replace(/(\.toml)?$/, '.env');
}

/** Warns of a configuration that works, and that others could use against the gateway. `files`: those that it is from. */
export function hazardsOf(configuration: Configuration, files: readonly string[]): readonly string[] {
  return [...openFiles(files), ...openSettings(configuration)];
}
