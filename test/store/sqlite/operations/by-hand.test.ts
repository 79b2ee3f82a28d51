import type { Database } from 'better-sqlite3';
import { beforeEach, expect, test } from 'vitest';
import { webhookTarget } from '../../../../src/store/messages.js';
import { accept } from '../../../../src/store/sqlite/operations/accept.js';
import { retryDead } from '../../../../src/store/sqlite/operations/by-hand.js';
import { claimDeliveries } from '../../../../src/store/sqlite/operations/claim-deliveries.js';
import { claimTurns } from '../../../../src/store/sqlite/operations/claim-turns.js';
import { completeDelivery, failDelivery } from '../../../../src/store/sqlite/operations/deliveries.js';
import type { Transaction } from '../../../../src/store/sqlite/operations/transaction.js';
import { completeTurn } from '../../../../src/store/sqlite/operations/turns.js';
import { claim, failure, newMessage, noLimits } from '../../samples.js';
import { emptyDatabase, transactionOf } from '../transaction-of.js';

let database: Database;
let transaction: Transaction;
beforeEach(() => {
  database = emptyDatabase();
  transaction = transactionOf(database);
});

function reply(): string {
  const message = newMessage('a', { replyTo: webhookTarget('https://receiver.example/') });
  accept(transaction, message, noLimits);
  for (const turn of claimTurns(transaction, claim())) {
    completeTurn(transaction, turn, { text: 'done', metadata: {} });
  }
  return message.id;
}

/** A message whose reply could not be delivered, and whose delivery is gone, as an earlier recovery left it. */
function deadWithoutDelivery(): string {
  const id = reply();
  for (const delivery of claimDeliveries(transaction, claim())) {
    failDelivery(transaction, delivery, failure('HTTP 410', null));
  }
  database.exec('DELETE FROM deliveries');
  return id;
}

/** Ids of the messages whose replies are posted, in their order. */
function post(): string[] {
  const posted: string[] = [];
  for (let claimed = claimDeliveries(transaction, claim()); claimed.length > 0; ) {
    for (const delivery of claimed) {
      posted.push(delivery.messageId);
      completeDelivery(transaction, delivery);
    }
    claimed = claimDeliveries(transaction, claim());
  }
  return posted;
}

test('a dead message whose delivery is gone has its reply posted, and then those behind it', () => {
  const dead = deadWithoutDelivery();
  expect(retryDead(transaction, dead)).toMatchObject({
    outcome: 'done',
    message: { state: 'replied', delivery: { webhookId: `msg_${dead.replaceAll('-', '')}` } },
  });
  const later = reply();
  expect(post()).toEqual([dead, later]);
  expect(transaction.counters).toMatchObject({ dead: 0, replied: 0, delivered: 2, undelivered: 0 });
});

test('one whose reply goes nowhere keeps none from being posted', () => {
  const dead = deadWithoutDelivery();
  database.exec('UPDATE messages SET reply_address = NULL');
  expect(retryDead(transaction, dead)).toMatchObject({
    outcome: 'done',
    message: { state: 'replied', delivery: null },
  });
  expect(post()).toEqual([]);
  expect(transaction.counters).toMatchObject({ dead: 0, replied: 1, undelivered: 0 });
  const later = reply();
  expect(post()).toEqual([later]);
});
