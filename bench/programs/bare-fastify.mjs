// Node with fastify loaded, and nothing more.
import { fastify } from 'fastify';

const server = fastify();
await server.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write('ready\n');
