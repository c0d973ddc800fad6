import {
  type Address,
  type AssetId,
  type ChainId,
  codeHashOfNothing,
  type Hex,
  nativeAsset,
  tokenAsset,
} from '@bulkhead/domain';
import {
  bytesOf,
  callData,
  cloneCode,
  forwarderAddress,
  heartbeatDomain,
  heartbeatForm,
  hexOf,
  isRefusal,
  type Keccak,
  nativeToken,
  newVaultState,
  parseFactoryCall,
  parseSignerSetCall,
  parseVaultCall,
  ruleOnCall,
  setChangeDomain,
  setChangeForm,
  type SignerSetCallArguments,
  signerSetQuestions,
  type Surroundings,
  typedDigest,
  vaultAddress,
  type VaultCall,
  type VaultConfig,
  vaultDomain,
  type VaultEvent,
  vaultForms,
  vaultQuestions,
  type VaultSide,
  type VaultState,
  type VaultSystem,
  wordOf,
} from '@bulkhead/vaults';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { createdLog, eventLog, type EventLog, setQueuedLog } from './event-log.ts';
import { digestOf, namedAddress } from './key.ts';
import type { Program, ProgramCall, ProgramEffect, ProgramState } from './program.ts';

export const fakeKeccak: Keccak = { keccak256: (bytes) => keccak_256(bytes) };

/** Three members, two of whom sign. */
export const fakeMembers: readonly Address[] = ['one', 'two', 'three']
  .map((name) => namedAddress(`member ${name}`))
  .toSorted();
export const fakeThreshold = 2n;

/** Seconds until a change of the fake set of signers is in force. */
export const fakeSetChangeDelay = 3_600n;

const systemNames = ['factory', 'vaultImplementation', 'forwarderImplementation', 'signerSet'] as const;

/** The contracts of vaults at a fake chain. */
export const fakeVaultSystem: VaultSystem & { readonly members: readonly Address[]; readonly threshold: bigint } = {
  factory: namedAddress('vault factory'),
  vaultImplementation: namedAddress('vault implementation'),
  forwarderImplementation: namedAddress('forwarder implementation'),
  signerSet: namedAddress('signer set'),
  codeHashes: {
    factory: `0x${digestOf('code', 'factory')}`,
    vaultImplementation: `0x${digestOf('code', 'vaultImplementation')}`,
    forwarderImplementation: `0x${digestOf('code', 'forwarderImplementation')}`,
    signerSet: `0x${digestOf('code', 'signerSet')}`,
  },
  members: fakeMembers,
  threshold: fakeThreshold,
};

/** Stands in for the signature of a member over a digest: whoever has the name can make it. */
export function memberSignature(member: Address, digest: Uint8Array): Hex {
  const half = (part: string): string => digestOf('member', part, member, digest);
  return `0x${half('r')}${half('s')}1b`;
}

/** Signatures of a quorum over a digest, as the vault takes them. */
export function quorumSignature(digest: Uint8Array, members: readonly Address[] = fakeMembers.slice(0, 2)): Hex {
  const each = members.toSorted().map((member) => memberSignature(member, digest).slice(2));
  return `0x${each.join('')}`;
}

/**
 * Factory, vaults, forwarders and the set of signers on a fake chain, by the rules of the pure model. Signatures of the quorum are
 * looked at; those of clients count as right, and the code of the custodian looks at them itself.
 */
export class VaultProgram implements Program {
  /** Members and threshold as the chain has them; a test sets others, and the set is behind. */
  members: readonly Address[] = fakeMembers;
  /** Code of a contract of the system that somebody swapped, or undefined while it is not deployed. */
  readonly code: Map<(typeof systemNames)[number], Hex | undefined> = new Map();
  readonly #chain: ChainId;
  /** Every state a vault ever had; what is stored by height is its place here. */
  readonly #states: VaultState[] = [];
  /** Every history that the set of signers ever had, as versions after the first, likewise. */
  readonly #histories: (readonly SetVersion[])[] = [];

  constructor(chain: ChainId) {
    this.#chain = chain;
  }

  handles(address: Address, state: ProgramState): boolean {
    const { factory, signerSet } = fakeVaultSystem;
    return address === factory || address === signerSet || state.word(address, 'code') > 0n;
  }

  run(call: ProgramCall, before: ProgramState): readonly ProgramEffect[] | undefined {
    const running = new Running(before);
    return this.#call(call, running) ? running.effects : undefined;
  }

  view(contract: Address, data: Hex, state: ProgramState): Hex | undefined {
    if (state.word(contract, 'code') === 1n) {
      const { usedNonces } = this.#stateAt(state.word(contract, 'state'));
      const used = [...usedNonces].find((name) => data === nonceQuestion(name));
      return hexOf(wordOf(used === undefined ? 0n : 1n));
    }
    if (contract !== fakeVaultSystem.signerSet) return undefined;
    if (data === callData(fakeKeccak, signerSetQuestions.lastHeartbeat, {})) {
      return hexOf(wordOf(state.word(contract, 'heartbeat')));
    }
    const versions = this.#versions(state);
    if (data === callData(fakeKeccak, signerSetQuestions.current, {})) {
      const version = inForce(versions, state.timestamp);
      return versionText(version, version.number);
    }
    if (data === callData(fakeKeccak, signerSetQuestions.newestNumber, {})) {
      return hexOf(wordOf(BigInt(versions.length)));
    }
    const named = versions.find(
      ({ number }) => data === callData(fakeKeccak, signerSetQuestions.versionAt, { number }),
    );
    return named === undefined ? undefined : versionText(named, named.activeFrom);
  }

  #versions(state: Pick<ProgramState, 'word'>): readonly [SetVersion, ...SetVersion[]] {
    const first = { number: 1n, members: this.members, threshold: fakeThreshold, activeFrom: 0n };
    const place = state.word(fakeVaultSystem.signerSet, 'versions');
    return [first, ...(this.#histories[Number(place) - 1] ?? [])];
  }

  codeHash(address: Address, state: ProgramState): string | undefined {
    const name = systemNames.find((one) => fakeVaultSystem[one] === address);
    if (name !== undefined) {
      const found = this.code.has(name) ? this.code.get(name) : fakeVaultSystem.codeHashes[name];
      return found === undefined ? codeHashOfNothing : found.slice(2);
    }
    const kind = state.word(address, 'code');
    if (kind === 0n) return undefined;
    const { vaultImplementation, forwarderImplementation } = fakeVaultSystem;
    return Buffer.from(keccak_256(cloneCode(kind === 1n ? vaultImplementation : forwarderImplementation))).toString(
      'hex',
    );
  }

  /** What a vault remembers. */
  stateOf(vault: Address, state: ProgramState): VaultState {
    return this.#stateAt(state.word(vault, 'state'));
  }

  #stateAt(place: bigint): VaultState {
    return this.#states[Number(place) - 1] ?? newVaultState;
  }

  #call({ to, data }: ProgramCall, running: Running): boolean {
    try {
      if (to === fakeVaultSystem.factory) return this.#factory(data, running);
      if (to === fakeVaultSystem.signerSet) return this.#signerSet(data, running);
      return running.word(to, 'code') === 1n && this.#vault(to, data, running);
    } catch {
      // What is no call of theirs reverts.
      return false;
    }
  }

  #factory(data: Hex, running: Running): boolean {
    const called = parseFactoryCall(fakeKeccak, data);
    switch (called.call) {
      case 'create':
        this.#create(called.arguments.config, running);
        return true;
      case 'createMany':
        for (const config of called.arguments.configs) this.#create(config, running);
        return true;
      case 'createAndCall': {
        const vault = this.#create(called.arguments.config, running);
        return called.arguments.calls.every((call) => this.#vault(vault, call, running));
      }
      case 'createForwarder':
        this.#forwarder(called.arguments.vault, called.arguments.salt, running);
        return true;
      case 'flush': {
        const { vault, salts, token } = called.arguments;
        for (const salt of salts) {
          const from = this.#forwarder(vault, salt, running);
          const asset = this.#asset(token);
          if (!running.move(asset, { from, to: vault, amount: running.balance(asset, from) })) return false;
        }
        return true;
      }
    }
  }

  #create(config: VaultConfig, running: Running): Address {
    const vault = vaultAddress(fakeKeccak, fakeVaultSystem, config);
    if (running.word(vault, 'code') === 0n) {
      running.store(vault, 'code', 1n);
      running.log(fakeVaultSystem.factory, createdLog(fakeKeccak, vault, config));
    }
    return vault;
  }

  #forwarder(vault: Address, salt: Hex, running: Running): Address {
    const address = forwarderAddress(fakeKeccak, fakeVaultSystem, { vault, salt });
    running.store(address, 'code', 2n);
    return address;
  }

  /** A heartbeat counts when it is newer than the one before and a quorum signed it; hashes of blocks are not looked at. */
  #signerSet(data: Hex, running: Running): boolean {
    const called = parseSignerSetCall(fakeKeccak, data);
    const { signerSet } = fakeVaultSystem;
    if (called.call === 'changeSet') return this.#changeSet(called.arguments, running);
    const { beat, signatures } = called.arguments;
    const domain = heartbeatDomain(this.#chain, signerSet);
    const digest = typedDigest(fakeKeccak, domain, { form: heartbeatForm, message: beat });
    const set = inForce(this.#versions(running), running.timestamp);
    if (beat.blockNumber <= running.word(signerSet, 'heartbeat block') || !haveSigned(set, digest, signatures)) {
      return false;
    }
    running.store(signerSet, 'heartbeat', running.timestamp);
    running.store(signerSet, 'heartbeat block', beat.blockNumber);
    return true;
  }

  /** The newest version and enough of the next one sign, and the number follows. */
  #changeSet(
    { change, quorumSignatures, memberSignatures }: SignerSetCallArguments['changeSet'],
    running: Running,
  ): boolean {
    const { signerSet } = fakeVaultSystem;
    const versions = this.#versions(running);
    const newest = versions.at(-1) ?? versions[0];
    const digest = typedDigest(fakeKeccak, setChangeDomain(signerSet), { form: setChangeForm, message: change });
    const next = { ...change, activeFrom: running.timestamp + fakeSetChangeDelay };
    if (change.number !== newest.number + 1n) return false;
    if (!haveSigned(newest, digest, quorumSignatures) || !haveSigned(next, digest, memberSignatures)) return false;
    running.store(signerSet, 'versions', BigInt(this.#histories.push([...versions.slice(1), next])));
    running.log(signerSet, setQueuedLog(fakeKeccak, next));
    return true;
  }

  #vault(vault: Address, data: Hex, running: Running): boolean {
    const call = parseVaultCall(fakeKeccak, data);
    const { config } = call.arguments;
    const set = inForce(this.#versions(running), running.timestamp);
    if (vaultAddress(fakeKeccak, fakeVaultSystem, config) !== vault || !this.#signed(vault, call, set)) return false;
    const around: Surroundings = {
      hashes: fakeKeccak,
      chain: this.#chain,
      vault,
      config,
      time: running.timestamp,
      lastHeartbeat: running.word(fakeVaultSystem.signerSet, 'heartbeat') || running.timestamp,
      balanceOf: (token) => running.balance(this.#asset(token), vault),
      isClone: (address) => running.word(address, 'code') > 0n,
    };
    const step = ruleOnCall(this.#stateAt(running.word(vault, 'state')), around, call);
    if (isRefusal(step)) return false;
    running.store(vault, 'state', BigInt(this.#states.push(step.state)));
    for (const event of step.events) {
      if (!this.#pay(vault, config, { event, running })) return false;
      running.log(vault, eventLog(fakeKeccak, event));
    }
    return true;
  }

  /** Outflows move what they say, before they are told of. */
  #pay(
    vault: Address,
    { feeReceiver }: VaultConfig,
    { event, running }: { readonly event: VaultEvent; readonly running: Running },
  ): boolean {
    if (event.event !== 'Withdrawn' && event.event !== 'Exited' && event.event !== 'FeeCollected') return true;
    const to = event.event === 'FeeCollected' ? feeReceiver : event.to;
    return running.move(this.#asset(event.token), { from: vault, to, amount: event.amount });
  }

  /** What the quorum must sign is looked at; everything else counts as signed. */
  #signed(vault: Address, call: VaultCall, set: SetVersion): boolean {
    const domain = vaultDomain(this.#chain, vault);
    const by = <T>(form: Form<T>, signed: { readonly message: T; readonly signatures: Hex }): boolean =>
      haveSigned(set, typedDigest(fakeKeccak, domain, { form, message: signed.message }), signed.signatures);
    const bySide = <T extends { readonly side: VaultSide }>(
      form: Form<T>,
      { message, signature }: { readonly message: T; readonly signature: Hex },
    ): boolean => message.side !== 'quorum' || by(form, { message, signatures: signature });
    if (call.call === 'pay') return by(vaultForms.withdrawal, call.arguments);
    if (call.call === 'payBatch') return by(vaultForms.withdrawalBatch, call.arguments);
    if (call.call === 'payOnce') return by(vaultForms.oneOff, call.arguments);
    if (call.call === 'collectFee') return by(vaultForms.fee, call.arguments);
    if (call.call === 'invalidate') return by(vaultForms.invalidation, call.arguments);
    if (call.call === 'pause') return bySide(vaultForms.pause, call.arguments);
    if (call.call === 'lowerLimit') return bySide(vaultForms.limitLowering, call.arguments);
    if (call.call === 'removeDestination') return bySide(vaultForms.destinationRemoval, call.arguments);
    if (call.call === 'queueKeyRotation') return bySide(vaultForms.keyRotation, call.arguments);
    return true;
  }

  #asset(token: Address): AssetId {
    return token === nativeToken ? nativeAsset(this.#chain) : tokenAsset(this.#chain, token);
  }
}

/** Who is in the set of signers from a time on. */
type SetVersion = {
  readonly number: bigint;
  readonly members: readonly Address[];
  readonly threshold: bigint;
  readonly activeFrom: bigint;
};

function inForce(versions: readonly [SetVersion, ...SetVersion[]], time: bigint): SetVersion {
  return versions.findLast(({ activeFrom }) => activeFrom <= time) ?? versions[0];
}

/** Number or beginning, then members and threshold, as a contract answers. */
function versionText({ members, threshold }: SetVersion, first: bigint): Hex {
  const words = [first, 96n, threshold, BigInt(members.length), ...members.map(BigInt)];
  return `0x${words.map((word) => hexOf(wordOf(word)).slice(2)).join('')}`;
}

function haveSigned(
  { members, threshold }: Pick<SetVersion, 'members' | 'threshold'>,
  digest: Uint8Array,
  signatures: Hex,
): boolean {
  const bytes = bytesOf(signatures);
  if (bytes.length !== 65 * Number(threshold)) return false;
  const each = Array.from({ length: Number(threshold) }, (_, at) => hexOf(bytes.subarray(at * 65, at * 65 + 65)));
  const signers = each.map((one) => members.find((member) => memberSignature(member, digest) === one));
  return signers.every((signer, at) => signer !== undefined && (at === 0 || signer > (signers[at - 1] ?? signer)));
}

/** The question whether a nonce is used, by the name under which a state has it. */
function nonceQuestion(name: string): Hex {
  const [word, nonce = '0'] = name.split('/');
  const side = (['quorum', 'client', 'exit'] as const).find((known) => known === word) ?? 'exit';
  return callData(fakeKeccak, vaultQuestions.nonceUsed, { side, nonce: BigInt(nonce) });
}

/** The form of a message in typed data. */
type Form<T> = Parameters<typeof typedDigest<T>>[2]['form'];

/** What a call has done so far, over what was there before it. */
class Running {
  readonly effects: ProgramEffect[] = [];
  readonly #before: ProgramState;
  readonly #words: Map<string, bigint> = new Map();
  readonly #changes: Map<string, bigint> = new Map();

  constructor(before: ProgramState) {
    this.#before = before;
  }

  get timestamp(): bigint {
    return this.#before.timestamp;
  }

  word(address: Address, slot: string): bigint {
    return this.#words.get(`${address} ${slot}`) ?? this.#before.word(address, slot);
  }

  store(address: Address, slot: string, value: bigint): void {
    this.#words.set(`${address} ${slot}`, value);
    this.effects.push({ type: 'store', address, slot, value });
  }

  balance(asset: AssetId, address: Address): bigint {
    return this.#before.balance(asset, address) + (this.#changes.get(`${asset} ${address}`) ?? 0n);
  }

  /** Whether it moved: there was enough, and nobody refused. */
  move(
    asset: AssetId,
    { from, to, amount }: { readonly from: Address; readonly to: Address; readonly amount: bigint },
  ): boolean {
    if (amount === 0n) return true;
    if (this.balance(asset, from) < amount || !this.#before.accepts(asset, to)) return false;
    this.#change(asset, from, -amount);
    this.#change(asset, to, amount);
    this.effects.push({ type: 'move', asset, from, to, amount });
    return true;
  }

  log(address: Address, { topics, data }: EventLog): void {
    this.effects.push({ type: 'log', address, topics, data });
  }

  #change(asset: AssetId, address: Address, by: bigint): void {
    const key = `${asset} ${address}`;
    this.#changes.set(key, (this.#changes.get(key) ?? 0n) + by);
  }
}
