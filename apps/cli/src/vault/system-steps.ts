import { clientVault, depositForwarder, signerSet as signerSetArtifact, vaultFactory } from '@bulkhead/contracts';
import type { Address } from '@bulkhead/domain';
import {
  answerOf,
  buildAddresses,
  bytesOf,
  callData,
  cloneCode,
  cloneCreationHash,
  heartbeatSlot,
  isBuiltFrom,
  signerSetCreationCode,
  signerSetQuestions,
  standardAddress,
  storedHeartbeat,
  storedMembers,
  type StoredVersion,
  storedVersion,
  type VaultConfig,
  versionSlot,
  wordOf,
} from '@bulkhead/vaults';
import { type Examination, hashes, provenContract, report } from './examination.ts';

/** The contracts of this release, where the standard factory puts them on every chain. */
export const publishedBuild: {
  readonly factory: Address;
  readonly vaultImplementation: Address;
  readonly forwarderImplementation: Address;
} = buildAddresses(hashes, bytesOf(vaultFactory.bytecode));

/** The code of factory and implementations is what this release leaves at addresses that follow from it. */
export async function examineBuild(examination: Examination): Promise<void> {
  const { factory, vaultImplementation, forwarderImplementation } = publishedBuild;
  const clones = [vaultImplementation, forwarderImplementation];
  const fixed = [
    ...[factory, ...clones].map((address) => wordOf(BigInt(address))),
    ...clones.flatMap((address) => [cloneCreationHash(hashes, address), hashes.keccak256(cloneCode(address))]),
  ];
  const contracts = [
    { name: 'factory', address: factory, creation: vaultFactory.bytecode },
    { name: 'vault implementation', address: vaultImplementation, creation: clientVault.bytecode },
    { name: 'forwarder implementation', address: forwarderImplementation, creation: depositForwarder.bytecode },
  ];
  for (const { name, address, creation } of contracts) {
    const found = await provenContract(examination, address, []);
    const wrong = 'fault' in found ? [found.fault] : [];
    if (!('fault' in found) && !isBuiltFrom(bytesOf(creation), found.code, fixed)) {
      wrong.push(
        found.code.length === 0
          ? `there is no code at ${address}: this release was not deployed on this chain`
          : `the code at ${address} is not that of this release`,
      );
    }
    report(examination, name, { wrong, ok: `${address} has the code of this release` });
  }
}

/** The signer set is this release's, began as its address says, and has these members now. */
export async function examineSignerSet(examination: Examination, config: VaultConfig): Promise<void> {
  const { signerSet } = config;
  const newestSlot = versionSlot(hashes, 'newest');
  const first = await provenContract(examination, signerSet, [newestSlot, heartbeatSlot]);
  if ('fault' in first) return report(examination, 'signer set', { wrong: [first.fault], ok: '' });
  const answer = await examination.questions.source.ask({
    method: 'eth_call',
    params: [
      { to: signerSet, data: callData(hashes, signerSetQuestions.changeDelay, {}) },
      `0x${examination.head.height.toString(16)}`,
    ],
  });
  // The answer is not believed: the delay stands in the code, and in the address.
  const changeDelay =
    answer.ok && typeof answer.result === 'string' && /^0x[0-9a-f]{64}$/u.test(answer.result)
      ? answerOf(signerSetQuestions.changeDelay, `0x${answer.result.slice(2)}`)
      : 0n;
  if (!isBuiltFrom(bytesOf(signerSetArtifact.bytecode), first.code, [wordOf(changeDelay)])) {
    const fact = `the code at ${signerSet} is not that of this release's signer set`;
    return report(examination, 'signer set', { wrong: [fact], ok: '' });
  }
  const versions = await storedVersions(examination, signerSet, storedVersion(first.slots.get(newestSlot) ?? 0n));
  if ('fault' in versions) return report(examination, 'signer set', { wrong: [versions.fault], ok: '' });
  const beginning = versions.at(-1);
  const creation = bytesOf(signerSetArtifact.bytecode);
  const address =
    beginning === undefined
      ? undefined
      : standardAddress(
          hashes,
          signerSetCreationCode(creation, { members: beginning.members, threshold: beginning.threshold, changeDelay }),
        );
  const current = versions.find(({ activeFrom }) => activeFrom <= examination.head.time);
  if (address !== signerSet || current === undefined) {
    const fact = `its first members lead to ${address ?? 'no address'}, not to ${signerSet}`;
    return report(examination, 'signer set', { wrong: [fact], ok: '' });
  }
  const queued = versions.filter(({ activeFrom }) => activeFrom > examination.head.time).length;
  const { time } = storedHeartbeat(first.slots.get(heartbeatSlot) ?? 0n);
  const silent = examination.head.time - time;
  report(examination, 'signer set', {
    wrong: [],
    ok: `${current.threshold} of ${current.members.join(', ')} (version ${current.number}${queued > 0 ? `, ${queued} more queued` : ''}); it spoke ${silent} seconds before, and after ${config.heartbeatPeriod} anybody may open the exit`,
  });
}

type Version = StoredVersion & { readonly members: readonly Address[] };

/** From the newest to the first. */
async function storedVersions(
  examination: Examination,
  signerSet: Address,
  newest: StoredVersion,
): Promise<readonly Version[] | { readonly fault: string }> {
  const found: Version[] = [];
  let version = newest;
  for (;;) {
    const list = await provenContract(examination, version.memberList, []);
    if ('fault' in list) return list;
    const members = storedMembers(list.code);
    if (members === undefined) return { fault: `version ${version.number} lists no members` };
    found.push({ ...version, members });
    if (version.number <= 1n) return found;
    const slot = versionSlot(hashes, version.number - 1n);
    const set = await provenContract(examination, signerSet, [slot]);
    if ('fault' in set) return set;
    const before = storedVersion(set.slots.get(slot) ?? 0n);
    if (before.number !== version.number - 1n) return { fault: `version ${version.number - 1n} is not there` };
    version = before;
  }
}
