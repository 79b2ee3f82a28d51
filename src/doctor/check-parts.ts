import type { ConnectionFacts } from '../channels/http/server/connections.js';
import { type DoctorFacts, gatewayCommand, unitOf } from './facts.js';
import { type Finding, findings, mend } from './finding.js';

/** A delay of the event loop that clients feel, in ms. */
const noticeableDelay = 1_000;

function boundReached({ bound, withoutToken }: ConnectionFacts): string {
  return `Connections are at their bound of ${bound}, ${withoutToken} of them without the token: those that rest are closed for new ones.`;
}

const ss = mend('Look for who opens so many, or raise LimitNOFILE=:', 'ss --processes --tcp');

/** Whether each part of a running gateway gets on, by what it tells itself. */
export function checkParts(facts: DoctorFacts): readonly Finding[] {
  const say = findings('running', 'parts');
  const { gateway } = facts;
  const isActive = unitOf(facts)?.properties['ActiveState'] === 'active';
  switch (gateway.outcome) {
    case 'absent':
      return isActive
        ? [say('problem', gateway.reason, mend('See why:', gatewayCommand(facts, 'logs')))]
        : [say('not-applicable', 'The gateway is not running')];
    case 'forbidden':
      return [say('unknown', gateway.reason, mend('Ask as root, or as the user that it runs as.'))];
    case 'unanswered':
      return [say('problem', gateway.reason, mend('See why:', gatewayCommand(facts, 'logs')))];
    case 'told': {
      const { parts, trouble, eventLoopDelay } = gateway.facts;
      const stalled = parts.filter((part) => part.stalled).map(({ name }) => name);
      const logs = mend('See why:', gatewayCommand(facts, 'logs --priority warning'));
      if (stalled.length > 0) {
        return [say('problem', `No progress in: ${stalled.join(', ')}; the watchdog is about to act.`, logs)];
      }
      if (trouble !== null) return [say('problem', trouble, logs)];
      if (gateway.facts.connections?.reached)
        return [say('warning', boundReached(gateway.facts.connections), ss)];
      const late = `the event loop was at most ${Math.round(eventLoopDelay.max)} ms late`;
      if (eventLoopDelay.max > noticeableDelay) {
        return [say('warning', `All get on, but ${late}.`, mend('Look for a lack of processor time.'))];
      }
      return [say('ok', `All get on (${parts.map(({ name }) => name).join(', ')}); ${late}`)];
    }
  }
}
