import { readQuantity } from '@bulkhead/chain-evm';
import { vaultFactory } from '@bulkhead/contracts';
import { type Address, type ChainId, CustodyError } from '@bulkhead/domain';
import {
  answerOf,
  bytesOf,
  callData,
  cloneCode,
  factoryCalls,
  type Gate,
  type Hex,
  hexOf,
  nativeToken,
  type Roles,
  signerSetQuestions,
  standardDeployment,
  standardFactory,
  type TypedData,
  typedData,
  typedDigest,
  vaultAddress,
  vaultCalls,
  vaultDomain,
  vaultForms,
  type VaultMessages,
  vaultQuestions,
  type VaultSide,
  wordOf,
} from '@bulkhead/vaults';
import { readHeader } from './block-header.ts';
import type { ChainQuestions } from './chain-questions.ts';
import { hashes } from './examination.ts';
import { publishedBuild } from './system-steps.ts';
import type { CertifiedTerms } from './vault-certificate.ts';

/** How a vault stands, for somebody who wants to leave it. */
export type Situation = {
  readonly chain: ChainId;
  readonly vault: Address;
  readonly terms: CertifiedTerms;
  readonly factoryThere: boolean;
  readonly deployed: boolean;
  readonly gate: Gate;
  readonly roles: Roles;
  /** Of the newest block. */
  readonly time: bigint;
  /** When the signer set spoke last; undefined where there is none. */
  readonly lastHeartbeat: bigint | undefined;
};

/** A call that anybody may send. */
export type OpenCall = { readonly what: string; readonly to: Address; readonly data: Hex };

/**
 * Reads how a vault stands, from its certificate and the chain.
 *
 * @throws CustodyError `vault/certificate` where the terms do not lead to what is there, `chain/unavailable`
 */
export async function readSituation(questions: ChainQuestions, terms: CertifiedTerms): Promise<Situation> {
  const chain = await questions.chain();
  const vault = vaultAddress(hashes, publishedBuild, terms.config);
  if (terms.chain !== undefined && terms.chain !== chain) {
    throw contradicts(`it is about ${terms.chain}, and this node serves ${chain}`);
  }
  if (terms.address !== undefined && terms.address !== vault) {
    throw contradicts(
      `it is about ${terms.address}, and its terms lead to ${vault} with the contracts of this release`,
    );
  }
  const fields = await questions.header('latest');
  if (fields === undefined) throw new CustodyError('chain/unavailable', `${questions.name} has no newest block.`);
  const { height, time } = readHeader(fields);
  const code = await questions.code(vault, height);
  const deployed = code !== '0x';
  if (deployed && code !== hexOf(cloneCode(publishedBuild.vaultImplementation))) {
    throw contradicts(`the code at ${vault} is that of no vault`);
  }
  const { config } = terms;
  const ask = async (to: Address, data: Hex): Promise<Hex> => await questions.call(to, data, height);
  const roles: Roles = deployed
    ? answerOf(vaultQuestions.roles, await ask(vault, callData(hashes, vaultQuestions.roles, { config })))
    : { clientKey: config.clientKey, exitKey: config.exitKey, exitDestination: config.exitDestination };
  const gate: Gate = deployed
    ? answerOf(vaultQuestions.gate, await ask(vault, callData(hashes, vaultQuestions.gate, {})))
    : { exitReadyAt: 0n, quorumPauseUntil: 0n, clientPauseUntil: 0n };
  const setThere = (await questions.code(config.signerSet, height)) !== '0x';
  const lastHeartbeat = setThere
    ? answerOf(
        signerSetQuestions.lastHeartbeat,
        await ask(config.signerSet, callData(hashes, signerSetQuestions.lastHeartbeat, {})),
      )
    : undefined;
  const factoryThere = (await questions.code(publishedBuild.factory, height)) !== '0x';
  return { chain, vault, terms, factoryThere, deployed, gate, roles, time, lastHeartbeat };
}

/** What of a token lies at the vault. */
export async function balanceOf(questions: ChainQuestions, vault: Address, token: Address): Promise<bigint> {
  const fields = await questions.header('latest');
  const height = fields === undefined ? 0n : readHeader(fields).height;
  if (token === nativeToken) return await questions.balance(vault, height);
  const data: Hex = `0x70a08231${hexOf(wordOf(BigInt(vault))).slice(2)}`;
  return readQuantity(await questions.call(token, data, height), 'a balance');
}

type Wish = VaultMessages['exitRequest'];

/** What the exit key signs, as a wallet shows it. */
export function exitRequestData({ chain, vault }: Situation, message: Wish): TypedData {
  return typedData(vaultDomain(chain, vault), { form: vaultForms.exitRequest, message });
}

export function exitRequestDigest({ chain, vault }: Situation, message: Wish): Uint8Array {
  return typedDigest(hashes, vaultDomain(chain, vault), { form: vaultForms.exitRequest, message });
}

/** The first nonce of a side that was not used. */
export async function freeNonce(
  questions: ChainQuestions,
  { vault, deployed }: Situation,
  side: VaultSide,
): Promise<bigint> {
  if (!deployed) return 0n;
  for (let nonce = 0n; ; nonce++) {
    const data = callData(hashes, vaultQuestions.nonceUsed, { side, nonce });
    const answer = await questions.source.read({ method: 'eth_call', params: [{ to: vault, data }, 'latest'] });
    if (readQuantity(answer, 'whether a nonce was used') === 0n) return nonce;
  }
}

/** Everything up to the request of the exit: the contracts of this release and the vault, where they are missing. */
export function requestCalls(situation: Situation, message: Wish, signature: Hex): readonly OpenCall[] {
  const { config } = situation.terms;
  const data = callData(hashes, vaultCalls.requestExit, { config, message, signature });
  return vaultCall(situation, { what: 'the request of the exit', data });
}

/**
 * A call of the vault. Where it is not deployed, contracts and vault come first and the initial policy is opened: once an exit is asked for
 * nobody opens it any more, and an exit may be cancelled.
 */
export function vaultCall(situation: Situation, { what, data }: Omit<OpenCall, 'to'>): readonly OpenCall[] {
  const { vault, deployed } = situation;
  const { config, policy } = situation.terms;
  if (deployed) return [{ what, to: vault, data }];
  const calls = [callData(hashes, vaultCalls.openPolicy, { config, policy }), data];
  return [
    ...factoryCall(situation),
    {
      what: `the vault itself and ${what}`,
      to: publishedBuild.factory,
      data: callData(hashes, factoryCalls.createAndCall, { config, calls }),
    },
  ];
}

/** Opens the exit without its key, where the custodian has been silent. */
export function silenceCalls(situation: Situation): readonly OpenCall[] {
  const { config } = situation.terms;
  const open = callData(hashes, vaultCalls.openExit, { config });
  if (situation.deployed) return [{ what: 'the opening of the exit', to: situation.vault, data: open }];
  return [
    ...factoryCall(situation),
    {
      what: 'the vault itself and the opening of its exit',
      to: publishedBuild.factory,
      data: callData(hashes, factoryCalls.createAndCall, { config, calls: [open] }),
    },
  ];
}

/** Pays all there is of a token to the exit destination. */
export function exitCall({ vault, terms }: Situation, token: Address): OpenCall {
  const data = callData(hashes, vaultCalls.exit, { config: terms.config, token });
  return { what: `the exit of ${token === nativeToken ? 'native coin' : token}`, to: vault, data };
}

function factoryCall({ factoryThere }: Situation): readonly OpenCall[] {
  if (factoryThere) return [];
  const data = standardDeployment(bytesOf(vaultFactory.bytecode));
  return [{ what: 'the factory of this release', to: standardFactory, data }];
}

function contradicts(fact: string): CustodyError {
  return new CustodyError('vault/certificate', `The certificate does not fit: ${fact}. Nothing was sent.`);
}
