import { hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';

/** The file is beside the bundle, as the build puts it there, and in docs for the modules of src and dist. */
const places = ['./openapi.json', '../../../../docs/openapi.json'];

interface Shipped {
  readonly content: Buffer;
  readonly etag: string;
}

/**
 * The description of the interface, for everybody: it says no more than the source does. It is read with the first request
 * for it, so that it costs a start nothing.
 */
export function addDescriptionRoute(application: FastifyInstance): void {
  let shipped: Promise<Shipped> | null = null;

  application.get('/openapi.json', async (request, reply) => {
    shipped ??= readShipped().catch((error: unknown) => {
      shipped = null;
      throw error;
    });
    const { content, etag } = await shipped;
    reply.headers({ ETag: etag, 'Cache-Control': 'no-cache' });
    if (names(request.headers['if-none-match'], etag)) return reply.code(304).send();
    return reply.type('application/json').send(content);
  });
}

async function readShipped(): Promise<Shipped> {
  const urls = places.map((place) => new URL(place, import.meta.url));
  const file = urls.find((url) => existsSync(url));
  if (file === undefined) {
    throw new Error('There is no openapi.json beside the program; install sd-gateway again.');
  }
  const content = await readFile(file);
  const digest = hash('sha256', content, 'base64url');
  return { content, etag: `"${digest.slice(0, 22)}"` };
}

/** True if the header `If-None-Match` has the tag (RFC 9110, 13.1.2), which is compared weakly. */
function names(header: string | undefined, etag: string): boolean {
  const tags = (header ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag);
}
