import { text as textOf } from 'node:stream/consumers';
import { houseSigners, invariant } from '@bulkhead/domain';
import { addressOfPublicKey } from '@bulkhead/keys';
import { checkConfiguration, openKeys } from '@bulkhead/signer';
import { accountSignature } from '@bulkhead/vaults';
import { insiderOrderForm } from './insider-order.ts';

/**
 * The thief of the demonstration, as a process of its own: somebody who has taken the folders of signers with their tokens and the PINs,
 * and so signs with their keys of the signer set whatever he likes, past every rule that the signers keep.
 */
const given: unknown = JSON.parse(await textOf(process.stdin));
const { configurations, digest } = insiderOrderForm.parse(given);
const signed: { member: string; signature: string }[] = [];
for (const configuration of configurations) {
  await using keys = await openKeys(checkConfiguration(configuration));
  const { tree } = keys.drivers;
  invariant(tree !== undefined, 'A signer for development has a tree of keys.');
  const key = { compartment: houseSigners, index: 0 };
  const signature = await tree.sign(key, Buffer.from(digest.slice(2), 'hex'));
  signed.push({ member: addressOfPublicKey(await tree.publicKey(key)), signature: accountSignature(signature) });
}
process.stdout.write(JSON.stringify(signed));
