import type { VaultCall } from './vault-call.ts';
import * as changes from './vault-change.ts';
import * as exits from './vault-exit.ts';
import * as payments from './vault-payment.ts';
import type { VaultRefusal } from './vault-refusal.ts';
import type { Surroundings, VaultState, VaultStep } from './vault-state.ts';

/**
 * What a vault does when it is called: the contracts' rules as a pure function, in the contracts' order. Signatures count as right, and
 * transfers as made; a test holds everything else against the contracts, call by call.
 */
export function ruleOnCall(state: VaultState, around: Surroundings, call: VaultCall): VaultStep | VaultRefusal {
  switch (call.call) {
    case 'pay':
      return payments.pay(state, around, call.arguments.message);
    case 'payBatch':
      return payments.payBatch(state, around, call.arguments.message);
    case 'payOnce':
      return payments.payOnce(state, around, call.arguments.message);
    case 'collectFee':
      return payments.collectFee(state, around, call.arguments.message);
    case 'invalidate':
      return payments.invalidate(state, around, call.arguments.message);
    case 'openPolicy':
      return changes.openPolicy(state, around, call.arguments);
    case 'addDestination':
      return changes.addDestination(state, around, call.arguments.message);
    case 'removeDestination':
      return changes.removeDestination(state, around, call.arguments.message);
    case 'queueLimitRaise':
      return changes.queueLimitRaise(state, around, call.arguments.message);
    case 'executeLimitRaise':
      return changes.executeLimitRaise(state, around, call.arguments.message);
    case 'lowerLimit':
      return changes.lowerLimit(state, around, call.arguments.message);
    case 'queueExitDestination':
      return exits.queueExitDestination(state, around, call.arguments.message);
    case 'executeExitDestination':
      return exits.executeExitDestination(state, around, call.arguments.message);
    case 'queueKeyRotation':
      return exits.queueKeyRotation(state, around, call.arguments.message);
    case 'executeKeyRotation':
      return exits.executeKeyRotation(state, around, call.arguments.message);
    case 'veto':
      return exits.veto(state, around, call.arguments.message);
    case 'pause':
      return exits.pause(state, around, call.arguments.message);
    case 'requestExit':
      return exits.requestExit(state, around, call.arguments.message);
    case 'cancelExit':
      return exits.cancelExit(state, around, call.arguments.message);
    case 'openExit':
      return exits.openExit(state, around);
    case 'exit':
      return exits.exit(state, around, call.arguments);
  }
}
