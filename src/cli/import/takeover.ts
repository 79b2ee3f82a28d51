import { channelTables } from '../../config/channel-table.js';
import { reasonFor } from './reasons.js';

/** A secret of a channel, and the key that names its file. It stands in no message. */
export interface TakenSecret {
  readonly key: 'token_file' | 'app_token_file' | 'signing_secret_file';
  readonly text: string;
}

/** A table `[channels.NAME]` that can be used once the files of its secrets are named in it. */
export interface TakenChannel {
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly secrets: readonly TakenSecret[];
}

/** A setting of the other gateway, by its place there, and why it was left. */
export interface LeftSetting {
  readonly key: string;
  readonly reason: string;
}

/** All that is taken over from another gateway, and all that is not. */
export class Takeover {
  readonly channels: TakenChannel[] = [];
  readonly left: LeftSetting[] = [];
  /** Sentences about what was taken. */
  readonly remarks: string[] = [];

  leave(key: string, reason: string): void {
    if (!this.left.some((other) => other.key === key)) this.left.push({ key, reason });
  }

  /** Leaves a setting for what its name says. */
  leaveByName(key: string, name: string): void {
    this.leave(key, reasonFor(name));
  }

  /** Adds a channel if its table can be used. `place`: the other gateway's name of it. */
  add(place: string, channel: TakenChannel): void {
    if (this.channels.some(({ name }) => name === channel.name)) {
      this.leave(place, `there is a channel "${channel.name}" already`);
      return;
    }
    const files = Object.fromEntries(channel.secrets.map(({ key }) => [key, '/a/file']));
    const { success, error } = channelTables.safeParse({ [channel.name]: { ...channel.values, ...files } });
    if (success) {
      this.channels.push(channel);
      return;
    }
    // A key and the rule that it breaks; the value may be anything.
    const problems = error.issues.map(({ path, message }) => `${path.slice(1).join('.')} ${message}`);
    this.leave(place, `its settings can't be used here: ${problems.join('; ')}`);
  }
}

/** Ids of the people of a platform, as this gateway knows them. */
export interface PeopleForm {
  readonly title: string;
  /** Words that may stand before an id. */
  readonly prefix: RegExp;
  readonly id: RegExp;
}

export const peopleForms = {
  telegram: { title: 'Telegram', prefix: /^(?:telegram|tg|user):/i, id: /^\d{1,20}$/ },
  discord: { title: 'Discord', prefix: /^(?:discord|user):/i, id: /^\d{5,20}$/ },
  slack: { title: 'Slack', prefix: /^(?:slack|user):/i, id: /^[UW][A-Z0-9]{2,20}$/ },
  matrix: { title: 'Matrix', prefix: /^(?:matrix|user):/i, id: /^@[^:\s*]{0,253}:[^\s*]{1,253}$/ },
  email: { title: 'e-mail', prefix: /^(?:email|mailto):/i, id: /^[^\s@A-Z*]+@[^\s@A-Z*]+$/ },
} as const satisfies Record<string, PeopleForm>;

export type KnownPlatform = keyof typeof peopleForms;

export const knownPlatforms = Object.keys(peopleForms) as readonly KnownPlatform[];

export function isKnownPlatform(name: string): name is KnownPlatform {
  return Object.hasOwn(peopleForms, name);
}

/** The id behind an entry of a list, or "*"; null: it is none, such as a name, which can change hands. */
export function personOf(platform: KnownPlatform, entry: string): string | null {
  const { prefix, id } = peopleForms[platform];
  const bare = entry.trim().replace(prefix, '');
  const person = platform === 'email' ? bare.toLowerCase() : bare;
  return person === '*' || id.test(person) ? person : null;
}

/** Ids of a list without doubles. The entries that are none are left, by their numbers: they may be anything. */
export function peopleOf(
  takeover: Takeover,
  platform: KnownPlatform,
  key: string,
  entries: readonly string[],
): readonly string[] {
  const people = entries.map((entry) => personOf(platform, entry));
  const others = people.flatMap((person, index) => (person === null ? [index + 1] : []));
  if (others.length > 0) {
    const which = others.length === 1 ? `entry ${others[0]} is` : `entries ${others.join(', ')} are`;
    takeover.leave(key, `${which} no id of ${peopleForms[platform].title}, and a name can change hands`);
  }
  return [...new Set(people.filter((person) => person !== null))];
}

/** The keys about who may write. Nothing is written of what is the default. */
export function peopleValues(people: {
  readonly allow: readonly string[];
  readonly owners: readonly string[];
  readonly pairing?: boolean;
  readonly groups?: 'mention' | 'all' | 'none';
}): Readonly<Record<string, unknown>> {
  const { allow, owners, pairing = true, groups = 'mention' } = people;
  const others = allow.filter((person) => !owners.includes(person));
  return {
    ...(others.length > 0 && { allow: others }),
    ...(owners.length > 0 && { owners }),
    ...(!pairing && { pairing }),
    ...(groups !== 'mention' && { groups }),
  };
}

/** The root of a Bot API server, without the "bot" that stands before a token; null: it may hold a token. */
export function apiRootOf(written: string): string | null {
  const text = written.trim().replace(/\/(?:bot)?\/?$/, '');
  if (!URL.canParse(text)) return null;
  const { username, password, pathname, search, hash } = new URL(text);
  return username + password + search + hash === '' && !pathname.includes(':') ? text : null;
}
