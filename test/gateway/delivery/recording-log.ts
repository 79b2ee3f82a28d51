import type { Log, LogFields, Priority } from '../../../src/log/log.js';

export interface Recorded {
  readonly priority: Priority;
  readonly message: string;
  readonly fields: LogFields;
}

/** Keeps what is logged, and tells who waits for the next record. */
export class RecordingLog implements Log {
  readonly records: Recorded[] = [];
  #waiting: ((record: Recorded) => void)[] = [];

  next(): Promise<Recorded> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  crit = this.#taker('crit');
  err = this.#taker('err');
  warning = this.#taker('warning');
  notice = this.#taker('notice');
  info = this.#taker('info');
  debug = this.#taker('debug');

  #taker(priority: Priority) {
    return (message: string, fields: LogFields = {}) => {
      const record = { priority, message, fields };
      this.records.push(record);
      for (const resolve of this.#waiting.splice(0)) resolve(record);
    };
  }
}
