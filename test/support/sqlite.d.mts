export { default } from 'better-sqlite3';
/** The file that `require` loads. */
export declare const sqlitePath: string;
