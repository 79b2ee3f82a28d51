import type { Call, OperationName, ResultOf } from './protocol.js';

/** Sessions that an answered call may have changed, as far as it knows them. */
export function changedBy(call: Call, result: unknown): readonly string[] {
  switch (call.operation) {
    case 'accept':
      return [call.parameters[0].session];
    case 'acceptAll':
      return call.parameters[0].map(({ session }) => session);
    case 'claimTurns':
      return resultOf<'claimTurns'>(result).map(({ session }) => session);
    case 'completeTurn':
    case 'failTurn':
    case 'releaseTurn':
    case 'setTurnWait':
    case 'reviseMessage':
    case 'appendDeltas':
    case 'completeDelivery':
    case 'failDelivery':
      return [call.parameters[0].session];
    case 'putBackTurns':
    case 'putBackDeliveries':
      return call.parameters[0].map(({ session }) => session);
    case 'cancelMessage':
    case 'retryDead':
    case 'discardMessage': {
      const message = resultOf<'cancelMessage' | 'retryDead'>(result)?.message;
      return message === undefined ? [] : [message.session];
    }
    case 'cancelSession':
    case 'setPolicy':
    case 'setAgent':
    case 'resetSession':
    case 'deleteSession':
      return [call.parameters[0]];
    default:
      return [];
  }
}

function resultOf<Name extends OperationName>(result: unknown): ResultOf<Name> {
  return result as ResultOf<Name>;
}
