import type { Benchmark } from './frame/benchmark.js';
import { journal } from './journal.js';
import { notify } from './notify.js';
import { loneClient, posts } from './posts.js';
import { wholeWay } from './whole-way.js';

export const benchmarks: readonly Benchmark[] = [notify, journal, posts, loneClient, wholeWay];
