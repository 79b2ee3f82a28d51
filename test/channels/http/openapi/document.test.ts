import { readFileSync, writeFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TurnCallbacks } from '../../../../src/agents/http/turn-callbacks.js';
import { Hooks } from '../../../../src/channels/hooks.js';
import { leftOut, openApiDocument, operations } from '../../../../src/channels/http/openapi/document.js';
import type { SessionView } from '../../../../src/channels/http/openapi/views.js';
import { problemKinds } from '../../../../src/channels/http/problem.js';
import { programVersion } from '../../../../src/version.js';
import { memoryRecords } from '../../../support/memory-records.js';
import { breakingChanges } from '../../../support/openapi/breaking-changes.js';
import { type Served, serve, token } from '../http-fixture.js';

const file = new URL('../../../../docs/openapi.json', import.meta.url);
const built = openApiDocument(programVersion());
const text = `${JSON.stringify(built, null, 2)}\n`;

describe('the kept description', () => {
  const kept = readFileSync(file, 'utf8');

  it('loses nothing that a client may rely on', () => {
    // A change that is listed here breaks clients: it needs an address of its own, below /v2.
    expect(breakingChanges(JSON.parse(kept), built)).toEqual([]);
  });

  it('is current', () => {
    const isSafe = breakingChanges(JSON.parse(kept), built).length === 0;
    if (process.env['UPDATE_OPENAPI'] === 'yes' && isSafe) writeFileSync(file, text);
    // Write it anew: UPDATE_OPENAPI=yes npx vitest run --project 'unit*' test/channels/http/openapi/document.test.ts
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});

it('is shipped beside the program', () => {
  // Build it: npm run build:typescript
  const shipped = new URL('../../../../dist/bundle/openapi.json', import.meta.url);
  expect(readFileSync(shipped, 'utf8')).toBe(readFileSync(file, 'utf8'));
});

describe('the description', () => {
  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(JSON.parse(text));
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
    expect(validator.version).toBe('3.1');
    // Each reference leads somewhere.
    expect(() => validator.resolveRefs()).not.toThrow();
  });

  it('names each operation once, and says in a sentence what it does', () => {
    const ids = operations.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { summary } of operations) expect(summary).toMatch(/^[A-Z][^.]{5,80}$/);
  });

  it('has plain sentences', () => {
    const sentences = descriptionsIn(built).flatMap((each) => each.split(/(?<=[.:;])\s+/));
    const long = sentences.filter((sentence) => sentence.split(/\s+/).length > 25);
    expect(long).toEqual([]);
    expect(sentences.length).toBeGreaterThan(100);
  });

  it('describes each parameter, and each member of a request', () => {
    const undescribed: string[] = [];
    const paths = built['paths'] as Record<string, Record<string, Described>>;
    for (const [path, methods] of Object.entries(paths)) {
      for (const { parameters = [] } of Object.values(methods)) {
        for (const { name, description } of parameters)
          if (!description) undescribed.push(`${path}: ${name}`);
      }
    }
    for (const [name, schema] of Object.entries(schemas())) {
      // An answer takes members that are not known.
      if (schema.additionalProperties !== false) continue;
      for (const [member, described] of Object.entries(schema.properties ?? {}))
        if (!described.description) undescribed.push(`${name}: ${member}`);
    }
    expect(undescribed).toEqual([]);
  });

  it('has examples that are right', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(built, 'document');
    const wrong: string[] = [];
    let count = 0;
    for (const { place, media } of mediaIn(built)) {
      const { example, examples = {} } = media;
      const values = [example, ...Object.values(examples).map(({ value }) => value)];
      for (const value of values.filter((each) => each !== undefined)) {
        count += 1;
        const pointer = [...place, 'schema'].map((part) => encodeURIComponent(part.replaceAll('/', '~1')));
        const validate = ajv.compile({ $ref: `document#/${pointer.join('/')}` });
        if (!validate(value)) wrong.push(`${place.join(' ')}: ${ajv.errorsText(validate.errors)}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(count).toBeGreaterThan(10);
  });

  it('names each kind of error', () => {
    const named = [...text.matchAll(/"x-problems": \[([^\]]*)\]/g)].flatMap(([, list = '']) =>
      [...list.matchAll(/"([\w-]+)"/g)].map(([, kind]) => kind),
    );
    // These have no operation of their own.
    const others = [
      'method-not-allowed',
      'request-timeout',
      'address-too-long',
      'expectation-failed',
      'headers-too-large',
      'internal',
    ];
    expect([...new Set([...named, ...others])].toSorted()).toEqual(Object.keys(problemKinds).toSorted());
  });
});

describe('each route', () => {
  let served: Served;
  beforeAll(async () => {
    const attachmentLimits = () => ({ count: 1, fileBytes: 10, totalBytes: 10 });
    const turnReplies = new TurnCallbacks(memoryRecords(), { attachmentLimits });
    const metrics = { contentType: 'text/plain', text: async () => '' };
    served = await serve({ channel: { hooks: new Hooks(), turnReplies, metrics } });
  });
  afterAll(() => served.dispose());

  /** As "METHOD address". A HEAD is a GET without the body. */
  function routes(): readonly string[] {
    return [...served.channel.addresses].flatMap(([url, methods]) =>
      methods
        .filter((method) => !(method === 'HEAD' && methods.includes('GET')))
        .map((method) => `${method} ${url}`),
    );
  }

  const isLeftOut = (route: string) => leftOut.some(({ prefix }) => route.split(' ')[1]?.startsWith(prefix));

  it('is described, or left out for a reason', () => {
    const described = operations.map(({ method, url }) => `${method} ${url}`);
    const missing = routes().filter((route) => !described.includes(route) && !isLeftOut(route));
    // Describe it in the file *-routes.openapi.ts beside its own, or leave it out in openapi/document.ts.
    expect(missing).toEqual([]);
    expect(routes().length).toBeGreaterThan(30);
  });

  it('is there if it is described', () => {
    const all = [...served.channel.addresses].flatMap(([url, methods]) =>
      methods.map((method) => `${method} ${url}`),
    );
    const gone = operations
      .map(({ method, url }) => `${method} ${url}`)
      .filter((each) => !all.includes(each));
    expect(gone).toEqual([]);
  });

  it('is left out with a reason', () => {
    for (const { prefix, reason } of leftOut) {
      expect(reason).toMatch(/\w+ \w+/);
      expect(operations.filter(({ url }) => url.startsWith(prefix))).toEqual([]);
    }
  });

  it('is described to everybody, and the description holds no secret', async () => {
    const answer = await fetch(`${served.base}/openapi.json`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json');
    const shown = await answer.text();
    expect(shown).toBe(readFileSync(file, 'utf8'));
    for (const secret of [token, served.directory, served.base]) expect(shown).not.toContain(secret);
  });

  it('is described again only if the description has changed', async () => {
    const url = `${served.base}/openapi.json`;
    const etag = (await fetch(url)).headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await fetch(url, { headers: { 'if-none-match': tags } });
      expect(answer.status).toBe(304);
      expect(answer.headers.get('etag')).toBe(etag);
      expect(await answer.text()).toBe('');
    }
    expect((await fetch(url, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
    const head = await fetch(url, { method: 'HEAD' });
    expect([head.status, head.headers.get('etag')]).toEqual([200, etag]);
    const post = await fetch(url, { method: 'POST' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});

it('does not compile without a member of its view', () => {
  // @ts-expect-error: it has no "running", and no other member
  const view: SessionView = { session: 'a' };
  expect(view).toBeDefined();
});

interface Schema {
  readonly description?: string;
  readonly additionalProperties?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Described {
  readonly parameters?: readonly { readonly name: string; readonly description?: string }[];
}

function schemas(): Readonly<Record<string, Schema>> {
  return (built['components'] as { readonly schemas: Record<string, Schema> }).schemas;
}

function descriptionsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name === 'description' && typeof member === 'string' ? [member] : descriptionsIn(member),
  );
}

interface Media {
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

/** All descriptions of bodies by their media types. */
function mediaIn(
  value: unknown,
  place: readonly string[] = [],
): { place: readonly string[]; media: Media }[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name === 'content'
      ? Object.entries(member as Record<string, Media>).map(([type, media]) => ({
          place: [...place, name, type],
          media,
        }))
      : mediaIn(member, [...place, name]),
  );
}
