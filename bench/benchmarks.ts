import { acpTurn } from './acp-turn.js';
import { commandChannel, idleChannel } from './command-channel.js';
import { commandTurn } from './command-turn.js';
import { eventLoopDelay } from './event-loop-delay.js';
import { firstDelta } from './first-delta.js';
import type { Benchmark } from './frame/benchmark.js';
import { fullStore, longSession, manySessions } from './growth.js';
import { journal } from './journal.js';
import { libraryImport } from './library-import.js';
import { restart, startFull, startStop } from './lifecycle.js';
import { memory } from './memory.js';
import { notify } from './notify.js';
import { postBesideStreams } from './post-beside-streams.js';
import { loneClient, posts } from './posts.js';
import { wholeWay } from './whole-way.js';

export const benchmarks: readonly Benchmark[] = [
  notify,
  libraryImport,
  journal,
  eventLoopDelay,
  startStop,
  startFull,
  restart,
  memory,
  posts,
  loneClient,
  wholeWay,
  commandTurn,
  commandChannel,
  idleChannel,
  acpTurn,
  firstDelta,
  postBesideStreams,
  longSession,
  manySessions,
  fullStore,
];
