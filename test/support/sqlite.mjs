import { createRequire } from 'node:module';

/** The better-sqlite3 of this Node.js: src/store/sqlite/file/open-sqlite.ts says why there are two. */
export const sqlitePath = createRequire(import.meta.url).resolve(
  Number(process.versions.napi) >= 10 ? 'better-sqlite3' : 'better-sqlite3-12',
);

export default createRequire(import.meta.url)(sqlitePath);
