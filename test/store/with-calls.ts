import type { Store } from '../../src/store/store.js';

/** The real store, with some of its calls replaced. */
export function withCalls(store: Store, over: Partial<Store>): Store {
  return new Proxy<Store>(store, {
    get(target, name) {
      const value = Reflect.get(over, name) ?? Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
