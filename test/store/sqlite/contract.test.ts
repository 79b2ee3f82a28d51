import { agentsContract } from '../contract/agents-contract.js';
import { attachmentsContract } from '../contract/attachments-contract.js';
import { byHandContract } from '../contract/by-hand-contract.js';
import { channelsContract } from '../contract/channels-contract.js';
import { policiesContract } from '../contract/policies-contract.js';
import { storeContract } from '../contract/store-contract.js';
import { storeModel } from '../contract/store-model.js';
import { SqliteFactory } from './sqlite-factory.js';

storeContract('SQLite', () => new SqliteFactory());
byHandContract('SQLite', () => new SqliteFactory());
agentsContract('SQLite', () => new SqliteFactory());
attachmentsContract('SQLite', () => new SqliteFactory());
channelsContract('SQLite', () => new SqliteFactory());
policiesContract('SQLite', () => new SqliteFactory());
storeModel('SQLite', () => new SqliteFactory());
