import { ArgumentError } from '../linux/errors.js';
import { showValue } from '../systemd/arguments.js';

/** No list that a call takes is as long. */
const longestList = 65_536;

/** The error for an argument whose reading has thrown. */
export function unreadable(argument: string, error: unknown): ArgumentError {
  let reason = 'it threw no error';
  try {
    reason = error instanceof Error ? error.message : showValue(error);
  } catch {
    // A revoked proxy was thrown.
  }
  return new ArgumentError(argument, `The argument ${argument} can't be read: ${reason}`, { cause: error });
}

/**
 * Gives the fields of an argument, each read once: what a getter or a proxy says later decides nothing.
 *
 * @param known the fields that it may have; by default any
 * @throws ArgumentError for what is no object, for a field that isn't known, and where reading throws
 */
export function readFields<Fields extends object>(
  argument: string,
  value: Fields,
  known?: readonly (keyof Fields & string)[],
): Fields {
  if (typeof value !== 'object' || value === null) {
    throw new ArgumentError(argument, `The argument ${argument} is an object, not ${showValue(value)}`);
  }
  let fields: Fields;
  try {
    fields = { ...value };
  } catch (error) {
    throw unreadable(argument, error);
  }
  const stranger = Object.keys(fields).find((name) => known !== undefined && !known.some((k) => k === name));
  if (stranger === undefined) return fields;
  throw new ArgumentError(
    stranger,
    `${showValue(stranger)} is nothing that ${argument} can have; that is ${known?.join(', ')}`,
  );
}

/**
 * Gives one property of an object that stays the caller's, such as a server.
 *
 * @throws ArgumentError where reading throws
 */
export function readProperty<Value extends object, Name extends keyof Value>(
  argument: string,
  value: Value,
  name: Name,
): Value[Name] | undefined {
  try {
    return (value as Value | null | undefined)?.[name];
  } catch (error) {
    throw unreadable(argument, error);
  }
}

/**
 * Gives the items of a list, each read once; null if it is no list.
 *
 * @throws ArgumentError where reading throws
 */
export function readList<Item>(argument: string, value: unknown): readonly Item[] | null {
  try {
    if (!Array.isArray(value)) return null;
    if (value.length <= longestList) return Array.from({ length: value.length }, (_, index) => value[index]);
  } catch (error) {
    throw unreadable(argument, error);
  }
  throw new ArgumentError(argument, `The list ${argument} has over ${longestList} items`);
}

/** @throws ArgumentError for what is no function */
export function checkFunction(argument: string, value: unknown): void {
  if (typeof value === 'function') return;
  throw new ArgumentError(argument, `${argument} must be a function, not ${showValue(value)}`);
}
