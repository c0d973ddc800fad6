export { passkey, robot, wallet } from './approver.ts';
export { encode, partsOf } from './transaction.ts';
