import { systemClock } from '../../lifecycle/effects/clock.js';
import { reachAdvice } from '../reach-advice.js';
import { tokenForms } from '../token-forms.js';
import { askAccount } from './account.js';
import { MatrixApi } from './matrix-api.js';
import { troubleOf } from './trouble.js';

/** Longest wait for one answer, in milliseconds. */
const timeoutMs = 10_000;

/** The account, or the reason why nobody knows it. Neither holds the token. */
export type MatrixTrial =
  | { readonly kind: 'ok'; readonly userId: string }
  | {
      readonly kind: 'problem';
      readonly reason: string;
      /** The answer that it is about. */
      readonly about: 'homeserver' | 'token';
    };

/** Asks the homeserver whose token it is. */
export async function tryMatrix(
  homeserver: string,
  token: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<MatrixTrial> {
  const wrong = (about: 'homeserver' | 'token', reason: string): MatrixTrial => ({
    kind: 'problem',
    about,
    reason,
  });
  if (!tokenForms.matrix.test(token)) {
    return wrong(
      'token',
      'this is no access token, which is one word: docs/channels/matrix.md says how to get one',
    );
  }
  const api = new MatrixApi(homeserver, token, systemClock);
  try {
    const end = await askAccount(api, homeserver, { timeoutMs, signal });
    switch (end.kind) {
      case 'ok':
        return end;
      case 'elsewhere':
        return wrong(
          'homeserver',
          `${homeserver} is no homeserver. Its .well-known/matrix/client names ${end.baseUrl}: take that one`,
        );
      case 'nobody':
        return wrong('homeserver', `${homeserver} does not say whose token it is: it may be no homeserver`);
      default: {
        const { kind, reason } = troubleOf(end, { name: 'matrix', tokenPlace: 'its file' });
        const isOfToken = kind === 'token' || kind === 'account';
        const advice = end.kind === 'failed' ? reachAdvice(end.reason, homeserver, environment) : '';
        return wrong(isOfToken ? 'token' : 'homeserver', `${reason}${advice}`);
      }
    }
  } finally {
    await api.close();
  }
}
