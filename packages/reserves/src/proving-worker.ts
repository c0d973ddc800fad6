import { parentPort } from 'node:worker_threads';
import { fastGroup, type ProofTask, proveTask } from '@bulkhead/proofs';

/** One thread that proves. It keeps its group, and with it what was computed of the generators: the first proof takes twice as long. */
const group = fastGroup();

parentPort?.on('message', (task: ProofTask) => {
  // What is thrown ends the thread, and its pool hears why.
  parentPort?.postMessage(proveTask(group, task));
});
