export { passkey, robot, wallet } from './approver.ts';
export { encode, partsOf } from './transaction.ts';
export { openWorld, type World } from './world.ts';
