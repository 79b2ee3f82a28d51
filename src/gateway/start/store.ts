import type { Configuration } from '../../config/schema.js';
import { systemClock } from '../../lifecycle/effects/clock.js';
import { messageIds } from '../../log/fields.js';
import { LastingTroubles, withLeftOut } from '../../log/lasting-troubles.js';
import type { Log } from '../../log/log.js';
import { openStore } from '../../store/create-store.js';
import type { ForgottenMessages, OpeningStore, Recovery } from '../../store/open-store.js';
import type { StoreError } from '../../store/store-error.js';
import { counted } from '../../text/counted.js';
import { ownCommand } from '../../text/own-command.js';
import { formatTimeSpan } from '../../text/time-span.js';
import type { GatewayEvents } from '../events.js';
import { endedByItself } from '../supervisor/last-words.js';

export interface StoreTroubleOptions {
  readonly log: Log;
  /** New work is refused from now on, or taken again. */
  readonly changed: () => void;
  /** Milliseconds since the Unix epoch. */
  readonly now?: () => number;
}

/** Says in the log when the store begins and ends to refuse new work. */
export class StoreTrouble {
  readonly #options: StoreTroubleOptions;
  #failure: StoreError | null = null;
  #since = 0;

  constructor(options: StoreTroubleOptions) {
    this.#options = options;
  }

  /** Why new messages are refused, in one line; null: they are taken. */
  get reason(): string | null {
    return this.#failure === null ? null : `new messages are refused: ${this.#failure.message}`;
  }

  refusing(error: StoreError): void {
    const { log, changed } = this.#options;
    if (this.#failure === null) this.#since = this.#now();
    this.#failure = error;
    log.crit(`New messages are refused: ${error.message}`, {
      MESSAGE_ID: error.reason === 'corrupt' ? messageIds.storeDamaged : messageIds.storeRefuses,
    });
    changed();
  }

  accepting(): void {
    const { log, changed } = this.#options;
    this.#failure = null;
    log.notice(`New messages are taken again, after ${formatTimeSpan(this.#now() - this.#since)}.`, {
      MESSAGE_ID: messageIds.storeTakes,
    });
    changed();
  }

  #now(): number {
    return (this.#options.now ?? systemClock.now)();
  }
}

export interface GatewayStoreOptions {
  readonly configuration: Configuration;
  readonly stateDirectory: string;
  readonly log: Log;
  readonly events: Pick<GatewayEvents, 'startStep' | 'crashed'>;
  readonly trouble: StoreTrouble;
}

/** Begins to open the store that the configuration asks for. */
export function beginStore(options: GatewayStoreOptions): OpeningStore {
  const { configuration, stateDirectory, log, events, trouble } = options;
  const { store, dispatch, agents, delivery } = configuration;
  const policy = {
    maxAttempts: dispatch.max_attempts,
    // The store knows no agents: after a crash, what one of them must not do twice no one does again by itself.
    repeatable: Object.values(agents).every(({ retry }) => retry === 'always'),
    notices: delivery.notices,
    unknownPolicy: delivery.unknown,
  };
  const troubles = new LastingTroubles();
  return openStore(
    {
      settings: store,
      policy,
      lastRun: { endedByItself: endedByItself(stateDirectory) },
      stateDirectory,
    },
    {
      progress: (step) => events.startStep(step),
      warning: (error) => {
        const leftOut = troubles.admit(error.message, systemClock.now());
        if (leftOut !== null) log.warning(withLeftOut(error.message, leftOut));
      },
      refusing: (error) => trouble.refusing(error),
      accepting: () => trouble.accepting(),
      forgotten: (forgotten) => logForgotten(log, forgotten),
      ended: (error) => events.crashed(error),
    },
  );
}

/** Messages that are named by themselves. */
const mostTold = 5;

export function logRecovery(
  log: Log,
  { resumedTurns, deadTurns, resumedDeliveries, unknownDeliveries, killedTurns }: Recovery,
): void {
  const { setAside } = unknownDeliveries;
  if (resumedTurns + deadTurns + resumedDeliveries + setAside === 0) return;
  const left = [
    [resumedTurns, 'turn is run again', 'turns are run again'],
    [resumedDeliveries, 'reply is sent again', 'replies are sent again'],
    [deadTurns, 'message is dead after its last attempt', 'messages are dead after their last attempt'],
    [
      setAside,
      'reply may have arrived and is not sent again',
      'replies may have arrived and are not sent again',
    ],
  ] as const;
  const told = left.flatMap(([number, one, many]) => (number === 0 ? [] : [counted(number, one, many)]));
  log.notice(`The last run left work behind: ${told.join(', ')}.`, { SD_GATEWAY_RESUMED: resumedTurns });
  for (const { messageId, session, kills, waitMs } of killedTurns.slice(0, mostTold)) {
    log.warning(
      `The gateway was killed ${kills} times in a row while the message ${messageId} of the session "${session}" was run: it waits ${formatTimeSpan(waitMs)}. If its agent kills the gateway: ${ownCommand(`cancel ${messageId}`)}`,
      { SD_GATEWAY_SESSION: session, SD_GATEWAY_MESSAGE: messageId },
    );
  }
}

function logForgotten(log: Log, { messages, dead }: ForgottenMessages): void {
  if (dead === 0) log.info(`Forgot ${counted(messages, 'message')} that ended longer than store.keep ago`);
  else
    log.notice(
      `Forgot ${counted(messages, 'message')} that ended longer than store.keep ago, ${dead} of them dead: nobody had retried or discarded these`,
    );
}
