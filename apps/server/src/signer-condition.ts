import { setTimeout as pause } from 'node:timers/promises';
import { CustodyError, type Signer, type SignerStatus } from '@bulkhead/domain';

/** Milliseconds that a signer has to say something: whoever asks whether this process is ready asks again, and may end what is silent. */
export const signerAnswerMsMax = 2_000;

/** What the signer says of itself, or why it says nothing. */
export type Heard = { readonly status: SignerStatus } | { readonly silence: string };

/** Asks the signer for its state, and waits no longer than {@link signerAnswerMsMax}: one that is stopped keeps its socket open. */
export async function hearSigner(signer: Signer): Promise<Heard> {
  const waited = new AbortController();
  const late = pause(
    signerAnswerMsMax,
    { silence: `The signer did not answer within ${signerAnswerMsMax} ms.` },
    { signal: waited.signal },
  ).catch(() => ({ silence: 'Nobody waits for the signer.' }));
  try {
    return await Promise.race([signer.status().then((status) => ({ status })), late]);
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return { silence: `${error.message} (${error.code})` };
  } finally {
    waited.abort();
  }
}

/** Slot of the status that says why a signer signs nothing: that its state is older than its slots know, or damaged. */
const stateSlot = 'state';

/**
 * Whether a signer signs now. `recovery`: it answers, and signs nothing before the root quorum or a restart has mended its state;
 * `silent`: nobody answers.
 */
export function conditionOf(heard: Heard): 'signing' | 'recovery' | 'silent' {
  if ('silence' in heard) return 'silent';
  return heard.status.slots.some(({ name, healthy }) => name === stateSlot && !healthy) ? 'recovery' : 'signing';
}

/** What is wrong with a signer that answers, in sentences for people. Of several slots the others may go on signing. */
export function troublesOf({ slots }: SignerStatus): readonly string[] {
  return slots
    .filter(({ healthy }) => !healthy)
    .map(({ name, detail }) =>
      name === stateSlot
        ? `Withdrawals wait: the signer answers and signs nothing. ${detail}`
        : `The slot ${name} of the signer does not work: ${detail}`,
    );
}
