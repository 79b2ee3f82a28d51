import type { MemorySettings } from '../../../src/config/store-table.js';
import type { StoreKind } from '../../../src/store/store-kind.js';
import { openMemoryStore } from './memory-store.js';

const nothing = { resumedTurns: 0, deadTurns: 0, resumedDeliveries: 0 };
const recovery = { ...nothing, unknownDeliveries: { resent: 0, setAside: 0 }, killedTurns: [] };

/** The memory of this process: nothing of it is there before a start, nor for a command beside the gateway. */
export const memoryKind: StoreKind<MemorySettings> = {
  open: ({ policy }) => ({ store: openMemoryStore(policy), opened: Promise.resolve(recovery) }),
  nameOf: () => 'memory',
  fileOf: () => null,
  offline: () => ({
    name: 'memory',
    file: null,
    probe: null,
    runs: async () => null,
    tools: async () => ({}),
  }),
};
