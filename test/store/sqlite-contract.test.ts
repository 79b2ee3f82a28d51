import { agentsContract } from './agents-contract.js';
import { attachmentsContract } from './attachments-contract.js';
import { byHandContract } from './by-hand-contract.js';
import { channelsContract } from './channels-contract.js';
import { policiesContract } from './policies-contract.js';
import { SqliteFactory } from './sqlite-factory.js';
import { storeContract } from './store-contract.js';
import { storeModel } from './store-model.js';

storeContract('SQLite', () => new SqliteFactory());
byHandContract('SQLite', () => new SqliteFactory());
agentsContract('SQLite', () => new SqliteFactory());
attachmentsContract('SQLite', () => new SqliteFactory());
channelsContract('SQLite', () => new SqliteFactory());
policiesContract('SQLite', () => new SqliteFactory());
storeModel('SQLite', () => new SqliteFactory());
