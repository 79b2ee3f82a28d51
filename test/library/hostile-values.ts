import fc from 'fast-check';

const throws = (): never => {
  throw new Error('hostile');
};

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

function cyclic(): unknown[] {
  const list: unknown[] = [];
  list.push(list);
  return list;
}

const traps: ProxyHandler<object> = { get: throws, has: throws, ownKeys: throws, getPrototypeOf: throws };

/** Values that no caller in TypeScript passes, with a name for each. */
export const hostileValues: readonly (readonly [name: string, value: unknown])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
  ['-1', -1],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['1.5', 1.5],
  ['2 ** 53', 2 ** 53],
  ['5n', 5n],
  ['-5n', -5n],
  ['2n ** 70n', 2n ** 70n],
  ['10n ** 5000n', 10n ** 5_000n],
  ['an empty string', ''],
  ['NUL', 'a\0b'],
  ['an assignment', 'a\nREADY=1'],
  ['half a character', '\ud800'],
  ['a name with a colon', 'a:b'],
  ['a megabyte', 'x'.repeat(1_000_000)],
  ['a symbol', Symbol('hostile')],
  ['a function that throws', throws],
  ['an empty list', []],
  ['a list of lists', [[1], ['a']]],
  ['a cyclic list', cyclic()],
  ['a list that throws', new Proxy([1, 2], { get: throws })],
  ['a long list', new Proxy([], { get: (_, name) => (name === 'length' ? 2 ** 32 : 1) })],
  ['an empty object', {}],
  ['an object without a prototype', Object.create(null)],
  ['a getter that throws', Object.defineProperty({}, 'status', { enumerable: true, get: throws })],
  [
    'a conversion that throws',
    { toString: throws, valueOf: throws, toJSON: throws, [Symbol.toPrimitive]: throws },
  ],
  ['a conversion to 5', { toString: () => '5', valueOf: () => 5 }],
  ['a proxy that throws', new Proxy({}, traps)],
  ['a revoked proxy', revoked({})],
  ['a revoked list', revoked([])],
  [
    'a thrower of a revoked proxy',
    new Proxy(
      {},
      {
        ownKeys: () => {
          throw revoked({});
        },
      },
    ),
  ],
  ['a date', new Date(Number.NaN)],
  ['a map', new Map([['ready', true]])],
  ['a promise', Promise.resolve(1)],
  ['bytes', Buffer.from('READY=1')],
  ['detached bytes', detached()],
  ['no real bytes', Object.create(Uint8Array.prototype)],
];

/** Whatever else a caller without types may pass. */
export const anything: fc.Arbitrary<unknown> = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withTypedArray: true,
});
