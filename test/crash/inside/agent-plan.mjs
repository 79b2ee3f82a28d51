// Faults of agents, by a plan: a seed, the session and the try determine what an agent does. After some tries it does
// well, so that each message comes to its end.
import { Random } from './random.mjs';

const mostFaults = 3;
const partWell = 0.55;

/** A number from a text (FNV-1a). */
function hashOf(text) {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

export function randomOf(...words) {
  return new Random(hashOf(words.join(' ')));
}

/** Picks the behaviour at this try, from 1, of a message: the name of one of them, with their weights, or "well". */
export function behaviourOf(weights, seed, session, message, tries) {
  const random = randomOf(seed, session, message, tries);
  if (tries > mostFaults || random.chance(partWell)) return 'well';
  return random.pick(Object.entries(weights).map(([name, weight]) => ({ name, weight }))).name;
}
