import type { GatewayClient } from './http.js';

/** An agent of the configuration, or one that a session still has. */
interface ToldAgent {
  readonly name: string;
  readonly state: string;
  /** Null: it can be started. Gateways of an earlier version tell none. */
  readonly reason?: string | null;
}

/** Longest wait for facts that nobody depends on, in milliseconds. */
const timeoutMs = 5_000;

/** Asks the gateway for its agents. It tells them whether it is ready or not; none if it tells nothing of them. */
export async function toldAgents(client: GatewayClient, signal?: AbortSignal): Promise<readonly ToldAgent[]> {
  const { body } = await client.get('/readyz', timeoutMs, signal);
  const facts = body?.['facts'] as { readonly agents?: readonly ToldAgent[] } | undefined;
  return facts?.agents ?? [];
}

/** Says in a clause why no turn of the session begins; null: its agent can be started, or that isn't told. */
export async function heldReason(
  client: GatewayClient,
  session: string,
  signal?: AbortSignal,
): Promise<string | null> {
  const held = (await toldAgents(client, signal)).filter(({ state }) => state === 'held');
  if (held.length === 0) return null;
  const { body } = await client.get(`/v1/sessions/${encodeURIComponent(session)}/route`, timeoutMs, signal);
  const agent = held.find(({ name }) => name === body?.['agent']);
  if (agent === undefined) return null;
  const why =
    agent.reason === undefined || agent.reason === null ? '' : `: ${agent.reason.replace(/\.$/, '')}`;
  return `the agent "${agent.name}" can’t be started${why}`;
}
