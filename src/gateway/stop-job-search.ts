import type { StopRequest } from '../lifecycle/stop-cause.js';
import type { StopJob } from '../lifecycle/stop-job.js';
import type { Supervision } from '../lifecycle/supervision.js';
import type { Log } from '../log/log.js';
import { findStopJob } from '../manager/jobs.js';
import { busAddress, ManagerBus } from '../manager/manager-bus.js';
import type { Scope } from '../manager/scope.js';

/** After READY=1, in milliseconds: first those are served who have waited for it. */
const connectAfter = 400;

/** Longest wait for the answer when all else is done, in milliseconds. */
const patience = 100;

/**
 * Asks the service manager, beside the stop and never in its way, which of its jobs it is that stops the gateway. The
 * connection is opened while the gateway serves, so that the answer is there within the few milliseconds that the
 * stop takes anyway. An answer that comes too late, or none, leaves the record without a job: the stop is what counts.
 */
export class StopJobSearch {
  readonly #unit: string | null;
  readonly #scope: Scope;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #log: Log;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #bus: ManagerBus | null = null;
  #answered: Promise<void> | null = null;
  #job: StopJob | null = null;

  constructor({ manager, origin, unit }: Supervision, environment: NodeJS.ProcessEnv, log: Log) {
    // Only a unit of our own has a job, and a manager that we know of.
    const own = (manager === 'system' || manager === 'user') && (origin === 'unit' || origin === 'wrapper');
    this.#unit = own ? unit : null;
    this.#scope = manager === 'user' ? 'user' : 'system';
    this.#environment = environment;
    this.#log = log;
  }

  /** Null as long as there is no answer. */
  get job(): StopJob | null {
    return this.#job;
  }

  /** The gateway serves: makes the connection ready in a while. */
  prepare(): void {
    if (this.#unit === null || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#connect().catch((error: unknown) => this.#unknown(error));
    }, connectAfter).unref();
  }

  /**
   * Resolves when there is an answer, or none to come; never rejects. Null when nobody is asked: only a planned stop
   * by our manager has a job, and without `patient` the connection must be there already, as making it takes longer
   * than the stop of an idle gateway.
   */
  begin({ cause, sender }: StopRequest, patient: boolean): Promise<void> | null {
    clearTimeout(this.#timer ?? undefined);
    const unit = this.#unit;
    if (unit === null || cause !== 'planned-stop' || sender?.isSupervisor !== true) return null;
    if (this.#bus === null && !patient) return null;
    this.#answered = this.#find(unit).catch((error: unknown) => this.#unknown(error));
    return this.#answered;
  }

  /** Resolves when there is an answer, or when it has been waited for long enough. */
  async settled(): Promise<void> {
    if (this.#answered === null) return;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patience);
    });
    await Promise.race([this.#answered, over]);
    clearTimeout(timer);
  }

  /** Asks no more. */
  close(): void {
    this.#abort.abort();
    this.#bus?.close();
  }

  async #find(unit: string): Promise<void> {
    const bus = this.#bus ?? (await this.#connect());
    this.#job = await findStopJob(bus, unit, this.#abort.signal);
  }

  async #connect(): Promise<ManagerBus> {
    const address = busAddress(this.#scope, this.#environment);
    if (address === null) throw new Error('neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set');
    const bus = await ManagerBus.connect(address, () => {
      this.#bus = null;
    });
    if (this.#abort.signal.aborted) bus.close();
    else this.#bus = bus;
    this.#log.debug('Connected to the service manager over D-Bus.');
    return bus;
  }

  #unknown(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#log.info(
      `Which job stops ${this.#unit} can’t be told, as the service manager can’t be asked over D-Bus: ${reason}`,
    );
  }
}
