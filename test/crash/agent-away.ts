import { type Fault, livesThrough, type Surroundings } from './fault.js';

/** Longest time until the status names the agent, and until a turn is over, in milliseconds. */
const patienceMs = 20_000;

let number = 0;

/**
 * The agent's program is away until the gateway names the agent, and some time longer. Messages are accepted meanwhile.
 * The one of the fault's own has used up no attempt: where nobody killed the gateway, its first turn is the first one.
 */
export const agentAway: Fault = {
  name: 'agent’s program away',
  weight: 3,
  endsGateway: false,
  async inject(surroundings) {
    const { gateway, violate } = surroundings;
    gateway.moveAgentAway();
    let outcome: 'alive' | 'killed';
    let id: string | null;
    try {
      id = await post(surroundings);
      await isNamed(surroundings);
      outcome = await livesThrough(surroundings, 100, 1_500);
    } finally {
      gateway.putAgentBack();
    }
    if (outcome === 'killed' || id === null) return;
    const attempts = await attemptsOf(surroundings, id);
    if (attempts !== 1) violate(`the turn of message ${id} counts ${attempts} attempts`);
  },
};

/** Gives the id of the message. The store may still be refused from an earlier fault: then it is posted again. */
async function post(surroundings: Surroundings): Promise<string | null> {
  const { gateway, noteAccepted } = surroundings;
  number += 1;
  const session = `client-away-${number}`;
  const message = { text: `message 1 of ${session}`, reply_to: { url: gateway.receiverUrl } };
  const answer = await askUntil(surroundings, 'POST', `/v1/sessions/${session}/messages`, message, (status) =>
    [200, 202].includes(status),
  );
  if (answer === null) return null;
  noteAccepted(session);
  return String(answer['id']);
}

/** `/readyz` stays 200 and names the agent, once the first turn could not begin. */
async function isNamed(surroundings: Surroundings): Promise<void> {
  await askUntil(surroundings, 'GET', '/readyz', undefined, (status, body) => {
    const { agents = [] } = (body['facts'] ?? {}) as {
      readonly agents?: readonly { name: string; state: string }[];
    };
    return status === 200 && agents.some(({ name, state }) => name === 'default' && state === 'held');
  });
}

async function attemptsOf(surroundings: Surroundings, id: string): Promise<unknown> {
  const path = `/v1/messages/${id}?wait=5`;
  const hasReply = (_status: number, body: Body) =>
    ['replied', 'delivered', 'dead'].includes(String(body['state']));
  return (await askUntil(surroundings, 'GET', path, undefined, hasReply))?.['attempts'];
}

type Body = Readonly<Record<string, unknown>>;

/** Asks until the answer is the wanted one; gives its body, or null with a violation. */
async function askUntil(
  { gateway, pause, violate }: Surroundings,
  method: 'GET' | 'POST',
  path: string,
  content: object | undefined,
  isWanted: (status: number, body: Body) => boolean,
): Promise<Body | null> {
  const deadline = performance.now() + patienceMs;
  const key = content === undefined ? {} : { 'Idempotency-Key': path };
  for (;;) {
    const { status, body } = await gateway.ask(method, path, content, key);
    if (isWanted(status, body)) return body;
    if (performance.now() > deadline) {
      violate(
        `${method} ${path} was not answered as it should be in ${patienceMs / 1_000} s; last: ${status} ${JSON.stringify(body)}`,
      );
      return null;
    }
    await pause(50);
  }
}
