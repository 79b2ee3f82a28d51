import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CallerTurn } from '../control/facts.js';
import { type AllowedMethods, methodNotAllowed } from './allowed-methods.js';
import type { BearerCheck } from './bearer.js';
import type { HttpChannelOptions } from './options.js';
import { Problem } from './problem.js';
import { type Caller, isPersonal, noteCaller, requireRight, rightOf } from './route-scopes.js';
import { isOpen } from './routes.js';
import { clientProcesses } from './server/client-process.js';
import type { Connections } from './server/connections.js';
import type { TokenAnswers } from './token-answers.js';

export interface GuardOptions {
  readonly bearer: BearerCheck;
  readonly allowedMethods: AllowedMethods;
  readonly connections: () => Pick<Connections, 'admit'>;
  /** Is told of each named token that is let in. */
  readonly tokenAnswers: Pick<TokenAnswers, 'note'>;
  /** A request has shown a token. */
  readonly onAuthorized: (request: FastifyRequest) => void;
  /** A request has shown a wrong token. */
  readonly onRefused: (request: FastifyRequest) => void;
  readonly callerTurn: HttpChannelOptions['callerTurn'];
  readonly channelNames: () => readonly string[];
}

/** Seconds after which a connection may be idle that was busy. */
const roomRetryAfter = 5;

const noSuchAddress = 'No call of this interface has this address; docs/http.md lists them.';

/** Lets a request on if its token has the right that its route needs, before a body is read. */
export function guardRoutes(routes: FastifyInstance, options: GuardOptions): void {
  const { bearer, allowedMethods, connections, tokenAnswers, onAuthorized, onRefused, callerTurn } = options;

  const callerOf = (request: FastifyRequest): 'operator' | Promise<Caller> => {
    const { authorization } = request.headers;
    const refused = (error: unknown): never => {
      if (authorization !== undefined) onRefused(request);
      throw error;
    };
    try {
      const caller = bearer.callerOf(authorization);
      return caller === 'operator' ? caller : caller.catch(refused);
    } catch (error) {
      return refused(error);
    }
  };

  const admit = (
    request: FastifyRequest,
    reply: FastifyReply,
    caller: Caller,
    allowed: readonly string[] | null,
  ): void => {
    onAuthorized(request);
    if (!connections().admit(request.raw.socket)) {
      throw new Problem('too-many-connections', 'All connections that there may be are busy.', {
        retryAfter: roomRetryAfter,
        headers: { Connection: 'close' },
      });
    }
    if (allowed !== null) throw methodNotAllowed(allowed);
    if (request.is404) throw new Problem('not-found', noSuchAddress);
    const right = rightOf(request.method, addressOf(request));
    requireRight(caller, right);
    // It would be answered as if a person of the channel had written it.
    if (right === 'post' && isOfChannel(request, options.channelNames())) requireRight(caller, 'operate');
    noteCaller(request, caller);
    if (caller !== 'operator') tokenAnswers.note(caller.name, reply.raw);
  };

  routes.addHook('onRequest', (request, reply, done) => {
    const allowed = request.is404 ? allowedMethods.of(request) : null;
    if (allowed !== null && isOpen(request.url)) throw methodNotAllowed(allowed);
    const caller = callerOf(request);
    const refusesTurns = !request.is404 && isPersonal(request.method, addressOf(request));
    if (caller === 'operator' && !refusesTurns) {
      admit(request, reply, caller, allowed);
      done();
      return;
    }
    const admitted = async () => {
      admit(request, reply, await caller, allowed);
      if (refusesTurns) await refuseTurns(request, callerTurn);
    };
    admitted().then(() => done(), done);
  });
  // Never called, as the hook has thrown; that it is there has the hook called.
  routes.setNotFoundHandler(() => {
    throw new Problem('not-found', noSuchAddress);
  });
}

/** True if the request is for a session of one of these channels. */
function isOfChannel({ params }: FastifyRequest, names: readonly string[]): boolean {
  const { session = '' } = params as { readonly session?: string };
  return names.some((name) => session.startsWith(`${name}:`));
}

function addressOf({ routeOptions }: FastifyRequest): string {
  return routeOptions.url ?? '';
}

/** Throws the 403 if the request comes from a process of a running turn. */
async function refuseTurns(request: FastifyRequest, callerTurn: GuardOptions['callerTurn']): Promise<void> {
  const turn = (await callerTurn?.(() => clientProcesses(request.raw.socket))) ?? null;
  if (turn !== null) throw withinTurn(turn);
}

function withinTurn({ turnId, messageId, session }: CallerTurn): Problem {
  return new Problem(
    'within-turn',
    `The call came from within the running turn ${turnId} (session "${session}", message ${messageId}), and is for a person to make. Make it from outside of the turn.`,
  );
}
