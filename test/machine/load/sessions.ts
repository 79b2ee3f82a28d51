import type { Machine } from '../harness/machine.js';

/** A message as the HTTP interface shows it, as far as it is looked at. */
interface View {
  readonly seq: number;
  readonly text: string;
  readonly state: string;
  readonly reply: { readonly text: string; readonly at: string } | null;
}

interface Page {
  readonly items: readonly View[];
  readonly next: string | null;
}

/** Finds mistakes in a session's messages, as the store has them: one is lost, out of order or not answered. */
function mistakesOf(session: string, taken: number, messages: readonly View[]): string[] {
  const mistakes: string[] = [];
  if (messages.length !== taken) mistakes.push(`${session}: ${taken} taken, ${messages.length} there`);
  let last = '';
  for (const [index, { seq, text, state, reply }] of messages.entries()) {
    const wanted = String(index + 1);
    if (seq !== index + 1 || text !== wanted)
      mistakes.push(`${session}: message ${wanted} is ${seq}, ${text}`);
    if (state !== 'replied' || reply?.text !== wanted)
      mistakes.push(`${session}: message ${seq} is ${state}`);
    if (reply !== null && reply.at < last) mistakes.push(`${session}: message ${seq} was run out of order`);
    last = reply?.at ?? last;
  }
  return mistakes;
}

export interface Place {
  readonly address: string;
  readonly token: string;
}

/** One curl for all: a command in the machine takes longer than many requests. */
async function pages(machine: Machine, place: Place, paths: readonly string[]): Promise<Page[]> {
  const { address, token } = place;
  const socket = address.startsWith('unix:') ? ['--unix-socket', address.slice('unix:'.length)] : [];
  const base = address.startsWith('unix:') ? 'http://gateway' : address;
  const options = ['--silent', '--show-error', '--write-out', '\n', '-H', `Authorization: Bearer ${token}`];
  const urls = paths.map((path) => `${base}${path}`);
  const text = await machine.check(['curl', ...options, ...socket, ...urls]);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Page);
}

/** @param sessions how many messages of each were taken; each text was its number */
export async function mistakesInStore(
  machine: Machine,
  place: Place,
  sessions: Readonly<Record<string, number>>,
): Promise<string[]> {
  const path = (session: string) => `/v1/sessions/${session}/messages?limit=1000`;
  const names = Object.keys(sessions);
  const first = await pages(machine, place, names.map(path));
  const mistakes: string[] = [];
  for (const [index, session] of names.entries()) {
    let page = first[index];
    const messages = [...(page?.items ?? [])];
    while (page !== undefined && page.next !== null) {
      [page] = await pages(machine, place, [`${path(session)}&after=${encodeURIComponent(page.next)}`]);
      messages.push(...(page?.items ?? []));
    }
    mistakes.push(...mistakesOf(session, sessions[session] ?? 0, messages));
  }
  return mistakes;
}
