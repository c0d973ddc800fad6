import { type Address, type ChainId, CustodyError } from '@bulkhead/domain';
import { answerOf, callData, signerSetQuestions, type SystemContract } from '@bulkhead/vaults';
import { chainPort } from './cursor.ts';
import type { Custody } from './custody.ts';
import { hashes } from './keccak.ts';
import { expectedSet } from './signer-set.ts';
import { expectVaultsOn, vaultsOn } from './vault-chain.ts';

const contracts: readonly SystemContract[] = ['factory', 'vaultImplementation', 'forwarderImplementation', 'signerSet'];

/**
 * Holds the contracts of a chain against what the registry of the signers lists: their code, byte for byte by its hash, and the set of
 * signers, which may be behind on a new chain, where a retired member would still sign. Before that is right no address is issued
 * there and nothing is signed.
 *
 * @throws CustodyError `vault/system-differs`, and what the port throws
 */
export async function assertSystem(custody: Custody, chain: ChainId): Promise<void> {
  const { system } = expectVaultsOn(custody, chain);
  const port = chainPort(custody, chain);
  // A final block: what could vanish again is no ground to issue an address on.
  const { final } = await port.heads();
  for (const contract of contracts) {
    const found = await port.codeHash(system[contract], final);
    const wanted = system.codeHashes[contract].slice(2);
    if (found !== wanted) {
      throw differs(
        `The code of the ${contract} ${system[contract]} of ${chain} at block ${final.number} is ${found} and must be ${wanted}. Deploy the reviewed contracts, wait until that is final, and compare the sources of the chain.`,
      );
    }
  }
  const question = signerSetQuestions.current;
  const answer = await port.read(system.signerSet, callData(hashes, question, {}), final);
  const found = answerOf(question, answer);
  const wanted = await expectedSet(custody.db, system, found);
  if (found.members.join() !== wanted.members.join() || found.threshold !== wanted.threshold) {
    const behind = found.number < wanted.number;
    throw differs(
      `The set of signers ${system.signerSet} on ${chain} is ${found.threshold} of ${found.members.join(', ')} (version ${found.number}), and must be ${wanted.threshold} of ${wanted.members.join(', ')} (version ${wanted.number}): ${behind ? 'it is behind. The changes that it lacks are carried there, in order, and count after their delay' : 'another one than the configuration and the changes made here have. Find out who changed it, and correct /chains/vaults/members'}.`,
    );
  }
}

function differs(message: string): CustodyError {
  return new CustodyError('vault/system-differs', message);
}

/** Contracts of a chain whose events are followed though they hold nothing of ours; none where it has no vaults and no registry of proofs. */
export function followedOn(custody: Custody, chain: ChainId): ReadonlySet<Address> {
  const found = vaultsOn(custody, chain);
  const registries = custody.proofs?.registries.filter((one) => one.chain === chain) ?? [];
  return new Set([
    ...(found === undefined ? [] : [found.system.factory, found.system.signerSet]),
    ...registries.map(({ registry }) => registry),
  ]);
}
