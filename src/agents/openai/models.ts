import { parseJson } from '../../text/bounded-json.js';
import { ask, unexpectedType, wholeOf } from './model-server.js';

/** Some servers list hundreds of models with all that is known of them. */
const listLimitBytes = 8 * 1024 ** 2;
const listTimeoutMs = 5_000;

/**
 * The names of the models that a server offers (`GET /models`).
 *
 * @throws AgentError, PassingFailure, and the signal's reason
 */
export async function readModels(
  url: URL,
  key: string | null,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(listTimeoutMs)]);
  const answer = await ask({ url, key, signal: limited });
  const models = namesIn(await wholeOf(answer, listLimitBytes, limited));
  if (models === null) throw unexpectedType(answer);
  return models;
}

/** Null: it is no list of models. */
function namesIn(body: string): readonly string[] | null {
  let list: unknown;
  try {
    list = (parseJson(body) as { readonly data?: unknown } | null)?.data;
  } catch {
    return null;
  }
  if (!Array.isArray(list)) return null;
  return list
    .map((model: unknown) => (model as { readonly id?: unknown } | null)?.id)
    .filter((id) => typeof id === 'string');
}

const mostNamed = 10;

/** Names the models in a sentence's part, and no more than a person reads. */
export function modelsText(models: readonly string[]): string {
  if (models.length === 0) return 'the server lists no model';
  const named = models.slice(0, mostNamed).map((name) => JSON.stringify(name.slice(0, 100)));
  const others = models.length > mostNamed ? ` and ${models.length - mostNamed} others` : '';
  return `the server has ${named.join(', ')}${others}`;
}
