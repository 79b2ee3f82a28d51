import type { MessageBus } from 'dbus-native';
import type { Dependencies, ManagerJob } from '../lifecycle/stop-job.js';
import { conflictDependencies, stopDependencies } from '../lifecycle/stop-job.js';
import type { Scope } from './scope.js';

const service = 'org.freedesktop.systemd1';
const managerPath = '/org/freedesktop/systemd1';

/** How long the bus may take to greet, and the manager for one answer, in milliseconds. */
const patience = 1_000;

export interface ListedJob extends ManagerJob {
  /** Object path of the job's unit. */
  readonly unitPath: string;
}

/** Where the bus of the scope is (sd_bus_open(3)); null when nothing says so. */
export function busAddress(scope: Scope, environment: NodeJS.ProcessEnv): string | null {
  if (scope === 'system') {
    return environment.DBUS_SYSTEM_BUS_ADDRESS ?? 'unix:path=/run/dbus/system_bus_socket';
  }
  const { DBUS_SESSION_BUS_ADDRESS: address, XDG_RUNTIME_DIR: runtime } = environment;
  return address ?? (runtime === undefined ? null : `unix:path=${runtime}/bus`);
}

/**
 * A connection to the service manager's D-Bus interface, org.freedesktop.systemd1(5). It only reads, and no call of
 * it waits for longer than a second.
 */
export class ManagerBus {
  readonly #bus: MessageBus;

  private constructor(bus: MessageBus) {
    this.#bus = bus;
  }

  /** Rejects with an Error that says why the manager can't be asked. `closed` is called once the connection is gone. */
  static async connect(address: string, closed: () => void): Promise<ManagerBus> {
    // Loaded only here: most of the program never asks the manager.
    const { createClient } = (await import('dbus-native')).default;
    // The kernel's word for who we are is enough; the other ways look for cookies in home directories.
    const bus = createClient({
      busAddress: address,
      authMethods: ['EXTERNAL'],
      plainValues: true,
      timeout: patience,
    });
    let cause: Error | null = null;
    bus.connection.on('error', (error) => {
      cause ??= error;
    });
    bus.connection.on('close', closed);
    try {
      await bus.invoke({
        destination: service,
        path: managerPath,
        interface: 'org.freedesktop.DBus.Peer',
        member: 'Ping',
      });
    } catch (error) {
      bus.connection.stream.destroy();
      throw cause ?? error;
    }
    return new ManagerBus(bus);
  }

  async listJobs(signal: AbortSignal): Promise<readonly ListedJob[]> {
    const rows = await this.#bus.invoke<readonly [number, string, string, string, string, string][]>(
      { destination: service, path: managerPath, interface: `${service}.Manager`, member: 'ListJobs' },
      { signal },
    );
    return rows.map(([, unit, type, , , unitPath]) => ({ unit, type, unitPath }));
  }

  /** What can draw a stop of the unit along. */
  async dependencies(unitPath: string, signal: AbortSignal): Promise<Dependencies> {
    const names = [...stopDependencies, ...conflictDependencies];
    const lists = names.map((name) =>
      this.#bus.invoke<unknown>(
        {
          destination: service,
          path: unitPath,
          interface: 'org.freedesktop.DBus.Properties',
          member: 'Get',
          signature: 'ss',
          body: [`${service}.Unit`, name],
        },
        { signal },
      ),
    );
    const values = await Promise.all(lists);
    return Object.fromEntries(names.map((name, index) => [name, values[index] as readonly string[]]));
  }

  /** Nothing is waited for: what was asked is failed. */
  close(): void {
    this.#bus.connection.stream.destroy();
  }
}
