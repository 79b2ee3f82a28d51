import { existsSync } from 'node:fs';
import { readChannelSecret } from '../../channels/secret.js';
import type { ChannelConfiguration } from '../../config/channel-table.js';
import { actingAs, IdentityError } from '../../linux/owner.js';
import { errorMessage } from '../../text/failure-text.js';
import { type Hiding, hiddenFrom } from '../../units/paths.js';
import { mayActAs, type Runner } from '../../units/runner.js';

/** Names of secrets in the configuration, before `_file` and `_credential`. */
const secretNames = ['token', 'app_token', 'signing_secret'];

/**
 * Says which files with secrets, of those that a channel's table names, the gateway can't use. A line each, with what to
 * do.
 */
export function channelSecretProblems(
  name: string,
  table: ChannelConfiguration,
  { ids }: Runner,
  hiding: Hiding,
): readonly string[] {
  return secretNames.flatMap((key) => {
    const path: unknown = Object.entries(table).find(([other]) => other === `${key}_file`)?.[1];
    if (typeof path !== 'string') return [];
    const directive = hiddenFrom(hiding, path);
    if (directive !== null) {
      return [
        `channels.${name}: the unit’s ${directive} hides ${path} (${key}_file) from the gateway; put it elsewhere`,
      ];
    }
    if (!existsSync(path)) {
      return [`channels.${name}: ${path} (${key}_file) is not there, or this user may not see it`];
    }
    if (ids === null || !mayActAs(ids.uid)) return [];
    try {
      const settings = { name, key, token_file: path, token_credential: null };
      actingAs(ids.uid, () => readChannelSecret(settings, null));
      return [];
    } catch (error) {
      return error instanceof IdentityError ? [] : [`channels.${name}: ${errorMessage(error)}`];
    }
  });
}
