import { z } from 'zod';
import { type Described, oneOf } from './parts.js';

const part = z.object({
  name: z.string().meta({ examples: ['dispatcher'] }),
  pendingFor: z.int().min(0).meta({ description: 'Milliseconds for which it has made no progress.' }),
  stalled: z.boolean().meta({ description: 'True if it holds the watchdog back.' }),
});

const connections = z.object({
  open: z.int().min(0),
  bound: z.int().min(0),
  withoutToken: z.int().min(0).meta({ description: 'Those that have not shown a token.' }),
  withoutTokenBound: z.int().min(0).meta({ description: 'The number of those that may rest.' }),
  reached: z.boolean().meta({ description: 'True while connections are closed for others.' }),
});

export const readyFacts = z
  .object({
    state: oneOf(['ready', 'starting', 'reloading', 'stopping', 'stopped'], 'The state of the lifecycle.'),
    stalled: z.array(z.string()).meta({ description: 'The parts that hold the watchdog back.' }),
    trouble: z
      .string()
      .nullable()
      .meta({ description: 'The trouble of the store or a channel; its words only with a token.' }),
    parts: z.array(part),
    connections: connections.nullable(),
    waitingHosts: z.int().min(0).meta({ description: 'The number of hosts that replies wait for.' }),
    agents: z.array(
      z.object({
        name: z.string(),
        state: oneOf(['available', 'held'], '`held`: it can’t be started, and its messages wait.'),
        failures: z.int().min(0).meta({ description: 'Starts that failed in a row.' }),
      }),
    ),
    channels: z.array(
      z.object({
        name: z.string(),
        state: z.string().meta({ description: '`starting`, `up`, `down` or `closed`.', examples: ['up'] }),
        required: z.boolean().meta({ description: 'True if the gateway is not ready without it.' }),
      }),
    ),
  })
  .meta({
    id: 'ReadyFacts',
    description: 'The facts behind the readiness. `sd-gateway status` shows them, too.',
  });

export type ReadyFacts = Described<typeof readyFacts>;

export const readiness = z
  .object({ ready: z.literal(true), facts: readyFacts })
  .meta({ id: 'Readiness', description: 'The gateway takes messages.' });

export const health = z.object({ healthy: z.literal(true) }).meta({ id: 'Health' });
