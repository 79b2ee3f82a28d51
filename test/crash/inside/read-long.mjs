// Reads the database in one transaction until its standard input ends, as a stalled export does. Prints a line once it
// reads.
//   node read-long.mjs STORE USER    USER: the gateway's, so that no file beside the database gets another owner
import { execFileSync } from 'node:child_process';
import Database from '../../support/sqlite.mjs';

const [path, user] = process.argv.slice(2);
const numberOf = (kind) => Number(execFileSync('id', [kind, user], { encoding: 'utf8' }));
const [uid, gid] = [numberOf('-u'), numberOf('-g')];
process.setgroups([]);
process.setgid(gid);
process.setuid(uid);
const database = new Database(path, { readonly: true, timeout: 10_000 });
database.exec('BEGIN');
database.prepare('SELECT count(*) FROM messages').get();
process.stdout.write('"reads"\n');
process.stdin.once('end', () => database.close()).resume();
